"""Removes the miniatures at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import family
from .copies import remove_miniatures


@pytest.fixture(scope="session", autouse=True)
def _swept() -> Iterator[None]:
    yield
    remove_miniatures()
    family.remove()
