"""A bar for work that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(
    title: str, *, shown: bool, unit: str = "img"
) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for work that reports (done, in all).

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
