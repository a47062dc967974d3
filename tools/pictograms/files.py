"""Atomic writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(wanted: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `wanted` when nothing went wrong."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    draft = wanted.with_name(wanted.name + ".part")
    try:
        yield draft
        os.replace(draft, wanted)
    finally:
        draft.unlink(missing_ok=True)
