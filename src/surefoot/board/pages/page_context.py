"""What every view gets: the store, the links, the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..store.metrics import Metric
from ..store.rows import Board, Paper
from ..store.store import Store
from .links import Links
from .queries import board_names, only_submitted, reproduced_ids, site_papers
from .ranked import BoardRows, Cache, board_rows
from .words import count

__all__ = ["BoardName", "PageContext"]


@dataclass(frozen=True)
class BoardName:
    """What a board is called and where its task and data set are.

    Attributes:
        task: Of the board.
        task_slug: Its address.
        dataset: Of the board.
        dataset_slug: Its address.
        apart: What tells it from other boards of the same task, data set and split: words of its
            protocol; "" where there is no other, or where the others say enough.
    """

    task: str
    task_slug: str
    dataset: str
    dataset_slug: str
    apart: str = ""


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

        def make() -> dict[int, BoardName]:
            rows, waiting = board_names(self.store.db), only_submitted(self.store.db)
            twins: dict[tuple[str, ...], list[int]] = {}
            for i, n in rows.items():
                twins.setdefault((n[1], n[3], n[4]), []).append(i)
            apart: dict[int, str] = {}
            for some in (s for s in twins.values() if len(s) > 1):
                # What a stranger sent renames no board that was there.
                known = [i for i in some if i not in waiting]
                if len(known) > 1:
                    apart |= _apart({i: rows[i][2:] for i in known})
                apart |= {i: _sent(rows[i][5], rows[i][6]) for i in some if i in waiting}
            return {i: BoardName(*n[:4], apart.get(i, "")) for i, n in rows.items()}

        return self.cache.get("names", make, len)

    def rows(self, board: Board, metric: str | None = None) -> BoardRows:
        """A board's rows in order."""
        return board_rows(self.store, self.cache, board, metric, toy=self.toy)

    def places(self, board: Board, metric: str) -> Places:
        """Where every row of a board stands; kept longer than the rows, since it is small."""

        def make() -> Places:
            rows = self.rows(board, metric).rows
            return Places(
                {r.entry.id: (r.rank, r.reason, bool(r.ties_best)) for r in rows},
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


def _sent(protocol: str, title: str) -> str:
    """What tells a board apart on which nothing stands but submissions."""
    return (
        f"submitted, {'protocol unspecified' if protocol == 'unspecified' else title or protocol}"
    )


def _apart(boards: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """What tells boards of one task, data set and split apart: the words that not all titles have.

    "Pictograms, sketch" and "Pictograms, sketch, kNN" are "" and "kNN". A protocol without a title
    goes by its name.

    Args:
        boards: Board id -> (data set, its slug, split, protocol, title of the protocol).
    """
    words = {
        i: [w for w in (title or protocol).split(", ") if w not in ("unspecified", dataset, split)]
        for i, (dataset, _, split, protocol, title) in boards.items()
    }
    common = set.intersection(*map(set, words.values()))
    return {i: ", ".join(w for w in some if w not in common) for i, some in words.items()}
