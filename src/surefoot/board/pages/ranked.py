"""A board's rows in order, kept while the file stays as it is.

Ranking 10,000 rows takes a fifth of a second, although they are read in their short form; a page
shows 50 of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..store.metrics import Metric
from ..store.ranking import ORACLE, Standing
from ..store.results import Board
from ..store.store import Store

__all__ = ["BoardRows", "Cache", "board_rows"]


T = TypeVar("T")


class Cache:
    """The last things that were worked out, for one state of the file; safe between threads.

    Args:
        room: How much is kept, in rows.
    """

    def __init__(self, room: int = 60_000) -> None:
        self._room, self._held = room, 0
        self._kept: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self._stamp: Hashable = None
        self._lock = threading.Lock()

    def at(self, stamp: Hashable) -> None:
        """The file has changed where the stamp has: what is kept is out of date."""
        with self._lock:
            if stamp != self._stamp:
                self._kept.clear()
                self._held = 0
                self._stamp = stamp

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """What is kept under the key, or what ``make`` makes."""
        with self._lock:
            stamp = self._stamp
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: T = self._kept[key][1]
                return kept
        made = make()
        with self._lock:
            if stamp == self._stamp:
                self._held -= self._kept.pop(key, (0, None))[0]
                self._kept[key] = (size(made), made)
                self._held += self._kept[key][0]
                while self._held > self._room and len(self._kept) > 1:
                    self._held -= self._kept.popitem(last=False)[1][0]
        return made


@dataclass(frozen=True)
class BoardRows:
    """Rows of a board in order of one metric: ranked ones, then the rest with the reason.

    Attributes:
        board: Which.
        metric: By which.
        rows: Published, reproduced and measured rows, those with oracle alpha after the ranked
            ones; then submitted ones, unranked.
    """

    board: Board
    metric: Metric
    rows: tuple[Standing, ...]

    @property
    def best(self) -> Standing | None:
        """The first of the ranked rows."""
        return self.rows[0] if self.rows and self.rows[0].rank is not None else None

    @property
    def bound(self) -> Standing | None:
        """The best of the rows that knew the test score, where it is above the best of the rest."""
        found = next((r for r in self.rows if r.reason == ORACLE), None)
        best = self.best
        if found is None or found.row.value is None:
            return None
        if best is None or best.row.value is None:
            return found
        more = found.row.value - best.row.value
        return found if (more if self.metric.direction == "higher" else -more) > 0 else None


def board_rows(
    store: Store, cache: Cache, board: Board, metric: str | None = None, *, toy: bool = True
) -> BoardRows:
    """The rows of a board, from the cache where they are there."""
    name = metric or next(iter(board.metrics), "")

    def make() -> BoardRows:
        why = "submitted, not verified"
        waiting = store.ranking(board, name, kinds=("submitted",), toy=toy)
        rest = [Standing(r.row, None, reason=why) for r in waiting]
        ranked = store.ranking(board, name, toy=toy)
        return BoardRows(board, store.metric(board, name), (*ranked, *rest))

    return cache.get(("rows", board.id, name, toy), make, lambda b: len(b.rows) + 1)
