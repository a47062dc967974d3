"""Trainings that do not need each other, in several processes at once.

A small network keeps one core busy and two cores badly, so a study is quickest with as many
processes as there are cores, one thread each. Which process trains what changes nothing: every
training is seeded by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from typing import Any, TypeVar

__all__ = ["MOST", "Workers", "usual_jobs"]

Item = TypeVar("Item")

MOST = 8
"""Processes at most where nobody says how many; each takes about a gigabyte."""

_MAKE: Any = None
_WORKER: Any = None


def usual_jobs() -> int:
    """One process for each core; a single one where a GPU does the work."""
    from ..context import cap_threads, pick_device

    return min(cap_threads(), MOST) if pick_device("auto").type == "cpu" else 1


class Workers(AbstractContextManager["Workers"]):
    """Some processes that each load what all trainings need, once.

        with Workers(jobs, make) as workers:
            for item, result in workers.do(items): ...

    Args:
        jobs: Processes; 1 works in this one, with all of its threads.
        make: Loads what every item needs and returns what does one. It must be picklable; it is
            called when the first item comes.

    Processes end with this one, also when it is killed, so that none of them is still writing
    when the study is gone on with.
    """

    def __init__(self, jobs: int, make: Callable[[], Callable[[Any], Any]]) -> None:
        self.jobs, self.make = jobs, make
        self._own: Callable[[Any], Any] | None = None
        self._pool: ProcessPoolExecutor | None = None

    def do(self, items: Sequence[Item]) -> Iterator[tuple[Item, Any]]:
        """(item, result) of each, as they get done; they are begun in their order.

        An exception in one is raised here, and those that have not begun are left out.
        """
        if self.jobs < 2:
            for item in items:
                self._own = self._own or self.make()
                yield item, self._own(item)
        elif items:
            yield from self._shared(items)

    def _shared(self, items: Sequence[Item]) -> Iterator[tuple[Item, Any]]:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            threads = max(1, _cores() // self.jobs)
            self._pool = ProcessPoolExecutor(
                self.jobs, spawn, initializer=_begin, initargs=(self.make, threads)
            )
        waiting = {self._pool.submit(_do, item): item for item in items}
        for future in as_completed(waiting):
            yield waiting[future], future.result()

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _cores() -> int:
    from ..context import cap_threads

    return cap_threads()


def _begin(make: Callable[[], Callable[[Any], Any]], threads: int) -> None:
    """In a new process: its threads, its end, and how what every item needs is made."""
    global _MAKE
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)  # where a training asks how many it may have
    import torch

    torch.set_num_threads(threads)
    _MAKE = make  # not made here: an error in this place would break the pool and not be told


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(item: Any) -> Any:
    global _WORKER
    if _WORKER is None:
        _WORKER = _MAKE()
    return _WORKER(item)
