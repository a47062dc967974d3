"""Images decoded by several threads, a few ahead of the one that is wanted.

Pillow computes without the interpreter's lock, so threads decode at the same time; they start in
microseconds and share the memory, where the loader's worker processes take seconds and send
every batch through shared memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from PIL import Image

from ..threads import granted

__all__ = ["prefetch", "threads_for"]

T = TypeVar("T")

_SMALL = 1 << 14
"""Pixels of an image that is decoded sooner than it is handed over from one thread to another."""

_MOST = 8
"""Threads: beyond them reading is the bottleneck, and memory grows with every image in flight."""


def threads_for(first: Image.Image) -> int:
    """How many threads pay off for images like this one; 1: none but the caller's own.

    As many as torch may use, which computes nothing meanwhile.
    """
    if first.width * first.height < _SMALL:
        return 1
    return min(granted(), _MOST)


def prefetch(function: Callable[[int], T], items: Sequence[int], threads: int) -> Iterator[T]:
    """``map(function, items)`` by several threads, in order.

    At most two results lie ready beside those that are in work: decoded photographs are large.
    An error comes where its item's turn is; what has not begun by then does not begin.
    """
    if threads == 1:
        yield from map(function, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[Future[T]] = deque(
            pool.submit(function, item) for item in islice(source, threads + 2)
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(source, 1))
        finally:
            for future in waiting:
                future.cancel()
