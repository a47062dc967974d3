"""What every view gets: the store, the links, the cache."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from ..store.metrics import Metric
from ..store.results import Board
from ..store.rows import Paper
from ..store.store import Store
from .links import Links
from .queries import BoardName, board_names, reproduced_ids, site_papers
from .ranked import BoardRows, Cache, board_rows
from .words import count, tidy

__all__ = ["PageContext", "Places", "cut"]

_UNSAID = "unspecified"


def cut(total: int, page: int, size: int) -> tuple[slice, dict[str, int]]:
    """Which of a list's entries stand on a page, from 1; one that is not there is the nearest.

    Returns:
        The part, and what the template says of it.
    """
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    return slice((page - 1) * size, page * size), {"page": page, "pages": pages, "total": total}


@dataclass(frozen=True)
class Places:
    """Where the rows of a board stand.

    Attributes:
        rows: Row id -> its rank, why it has none, whether it cannot be told from the best.
        ranks: Rank -> how many rows have it.
    """

    rows: dict[int, tuple[int | None, str, bool]]
    ranks: Counter[int]

    @property
    def of(self) -> int:
        """How many are ranked."""
        return self.ranks.total()

    def words(self, row_id: int) -> str:
        """Where a row stands, as a sentence."""
        rank, reason, tied = self.rows.get(row_id, (None, "", False))
        if rank is None:
            return f"Not ranked: {reason}." if reason else ""
        shared = ", shared" if self.ranks[rank] > 1 else ""
        alike = ", cannot be told from the best" if tied and rank != 1 else ""
        return f"Rank {rank} of {count(self.of)}{shared}{alike}."


@dataclass(frozen=True)
class PageContext:
    """What the pages of one board share.

    Attributes:
        store: An open store.
        links: Of the page at hand.
        cache: Shared by the pages.
        toy: Whether toy data are shown.
        writable: Whether results can be submitted here.
    """

    store: Store
    links: Links
    cache: Cache = field(default_factory=Cache)
    toy: bool = True
    writable: bool = False

    def at(self, depth: int) -> PageContext:
        """The same for a page at another depth."""
        return replace(self, links=replace(self.links, depth=depth))

    @property
    def live(self) -> bool:
        """Served, not written."""
        return self.links.live

    def paper(self, paper_id: int | None) -> Paper | None:
        """A paper, where there is one."""
        return None if paper_id is None else self.store.papers.by_id(paper_id)

    def names(self) -> dict[int, BoardName]:
        """Board id -> its name."""
        return self.cache.get("names", lambda: board_names(self.store.db), len)

    def heading(self, board: Board) -> dict[str, Any]:
        """What a board is called, with links."""
        name = self.names()[board.id]
        split = "" if board.split == _UNSAID else tidy(board.split, 60)
        # "test" is what everybody expects; anything else belongs to the name.
        told = ("" if split == "test" else split, tidy(name.apart, 60))
        variant = ", ".join(w for w in told if w)
        title = f"{tidy(name.task)} on {tidy(name.dataset)}"
        return {
            "id": board.id,
            "slug": board.slug,
            "href": self.links("boards", board.slug),
            "task": tidy(name.task),
            "task_href": self.links("tasks", name.task_slug),
            "dataset": tidy(name.dataset),
            "dataset_href": self.links("datasets", name.dataset_slug),
            "split": split,
            "split_id": board.split,
            "protocol_id": board.protocol,
            "apart": tidy(name.apart, 60),
            "variant": variant,
            "protocol": "" if board.protocol == _UNSAID else tidy(board.protocol, 80),
            "title": title,
            "full": f"{title}, {variant}" if variant else title,
        }

    def rows(self, board: Board, metric: str | None = None) -> BoardRows:
        """A board's rows in order."""
        return board_rows(self.store, self.cache, board, metric, toy=self.toy)

    def places(self, board: Board, metric: str) -> Places:
        """Where every row of a board stands; kept longer than the rows, since it is small."""

        def make() -> Places:
            rows = self.rows(board, metric).rows
            return Places(
                {r.row.id: (r.rank, r.reason, bool(r.ties_best)) for r in rows},
                Counter(r.rank for r in rows if r.rank is not None),
            )

        key = ("places", board.id, metric, self.toy)
        return self.cache.get(key, make, lambda p: 1 + len(p.rows) // 8)

    def shown(self, boards: list[Board]) -> list[Board]:
        """Boards that have rows here: toy ones only where toy data are shown, none empty."""
        toys, sizes = self._toy_boards(), self.sizes()
        return [b for b in boards if sizes.get(b.id) and (self.toy or b.id not in toys)]

    def reproduced(self, board_id: int) -> set[int]:
        """Ids of results of a board's rows that a run repeats."""
        key = ("reproduced", board_id)
        return self.cache.get(key, lambda: reproduced_ids(self.store, board_id), len)

    def boards(self) -> list[Board]:
        """All boards that have rows here."""
        return self.cache.get(
            ("boards", self.toy), lambda: self.shown(self.store.boards.all()), len
        )

    def totals(self) -> dict[str, int]:
        """How many of everything there are."""
        return self.cache.get("totals", self.store.totals, len)

    def task_counts(self) -> dict[int, tuple[int, int]]:
        """Task id -> (boards, papers)."""
        return self.cache.get("tasks", self.store.tasks.counts, len)

    def metrics(self) -> list[Metric]:
        """Every metric that a result has."""
        return self.cache.get("metrics", self.store.metrics.used, len)

    def listed_papers(self) -> list[int]:
        """Ids of the papers of a site, newest first; twenty of them weigh as much as a row."""
        return self.cache.get("listed", lambda: site_papers(self.store), lambda ids: len(ids) // 20)

    def sizes(self) -> dict[int, int]:
        """Board id -> rows."""
        return self.cache.get("sizes", self.store.boards.sizes, len)

    def _toy_boards(self) -> set[int]:
        def make() -> set[int]:
            rows = self.store.db.all(
                "SELECT board.id FROM board JOIN dataset ON dataset.id = dataset_id WHERE toy = 1 "
                "OR NOT EXISTS (SELECT 1 FROM entry WHERE board_id = board.id AND entry.toy = 0 "
                "AND entry.deleted IS NULL)"
            )
            return {r[0] for r in rows}

        return self.cache.get("toys", make, len)
