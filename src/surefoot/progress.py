"""A bar for work that takes a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

__all__ = ["progress_bar", "watched"]


def watched() -> bool:
    """Whether somebody sees a bar: in a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def progress_bar(
    title: str, *, shown: bool, unit: str = "img"
) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that reports (done, in all): on stderr, in a notebook as its own widget.

    Args:
        title: Of the bar.
        shown: False gives a callable that does nothing.
        unit: What is counted.
    """
    with tqdm(desc=title, unit=unit, unit_scale=unit == "B", disable=not shown, leave=False) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tick
