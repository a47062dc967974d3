"""The board's store: one SQLite file, its tables as collections.

::

    with Store.open("board.db", who="ada") as store:
        paper = store.papers.get("robust-fine-tuning-of-zero-shot-models")
        store.tasks.of_paper(paper.id)             # task tags
        store.code.of(paper_id=paper.id)              # links to code, official first
        store.entries.paper_table(paper.id)        # Task | Dataset | Metric | Value | Model
        store.papers.related(paper.id)
        board = store.boards.get("image-classification-on-objectnet")
        store.ranking(board, "Top-1 Accuracy")     # ranked rows, ties marked
        store.search("robust fine")                # hits of every kind

Each collection adds, gets by slug, changes, marks deleted and restores rows, and each change is a
line of history (:meth:`Store.history`) under the name ``who``. Nothing is ever removed from the
file. One store belongs to one thread: a server opens one per request, with ``read_only`` where
nothing is to be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from .catalogue import Boards, Datasets, Methods, Protocols, Tasks
from .database import Database
from .entries import Curves, Entries, Results
from .intake import Imports, Submissions
from .metrics import Metric, Metrics
from .papers import CodeLinks, Papers
from .ranking import Agreement, Standing, agreement, rank
from .results import Board, Entry, Kind
from .rows import Hit, Revision
from .search import KINDS, search
from .tables import Revisions

__all__ = ["Store"]

RANKED_KINDS: tuple[Kind, ...] = ("published", "reproduced", "measured")
"""What a board ranks unless told otherwise: submissions wait for verification."""


class Store:
    """An open board. See the module's text; make one with :meth:`open`.

    Attributes:
        db: The connection, for transactions.
        tasks: Tasks and their tree.
        datasets: Data sets and their parts.
        papers: Papers, their tags, related papers.
        code: Links to code.
        methods: Methods.
        protocols: How numbers are measured.
        metrics: The metric registry.
        boards: Task x data set x split x protocol.
        entries: Rows of boards with their results.
        results: Single results.
        curves: Sweeps over alpha.
        submissions: The queue.
        imports: Imported files and what was quarantined.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self.tasks = Tasks(db)
        self.datasets = Datasets(db)
        self.papers = Papers(db)
        self.code = CodeLinks(db)
        self.methods = Methods(db)
        self.protocols = Protocols(db)
        self.metrics = Metrics(db)
        self.boards = Boards(db)
        self.entries = Entries(db)
        self.results = Results(db)
        self.curves = Curves(db)
        self.submissions = Submissions(db)
        self.imports = Imports(db)

    @classmethod
    def open(
        cls, path: str | Path, *, who: str = "", read_only: bool = False, create: bool = False
    ) -> Store:
        """Open a board file, bringing its schema up to date unless read-only.

        Args:
            path: The file; ":memory:" for one that is gone afterwards.
            who: Stands in the history.
            read_only: Refuse every change.
            create: Make the file where it is missing (empty; ``surefoot board init`` fills one).

        Raises:
            BoardError: No such file, no board, or one of a newer schema.
        """
        return cls(Database(path, who=who, read_only=read_only, create=create))

    def close(self) -> None:
        """Give the file back."""
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def transaction(self) -> AbstractContextManager[None]:
        """``with store.transaction():`` all changes or none; may be nested."""
        return self.db.transaction()

    def search(self, query: str, *, kinds: Sequence[str] = KINDS, limit: int = 20) -> list[Hit]:
        """Papers, tasks, data sets, methods, models and boards that hold every word; best first."""
        return search(self.db, query, kinds=kinds, limit=limit)

    def history(
        self, entity: str | None = None, row_id: int | None = None, *, limit: int = 1000
    ) -> list[Revision]:
        """History of a row (oldest first), or the newest lines of all."""
        return Revisions(self.db).lines(entity, row_id, limit)

    def ranking(
        self,
        board: Board,
        metric: str | None = None,
        *,
        kinds: Sequence[Kind] = RANKED_KINDS,
        toy: bool = True,
    ) -> list[Standing]:
        """The rows of a board in order of a metric.

        Args:
            board: Which.
            metric: One of its metrics; the first by default.
            kinds: Kinds of result that take part.
            toy: Whether toy data take part.

        Returns:
            Ranked rows; [] for a board without metrics.
        """
        metric = metric or next(iter(board.metrics), "")
        rows = self.entries.briefs(board, metric)
        some = [r for r in rows if r.kind in kinds and (toy or not r.toy)]
        return rank(some, self.metric(board, metric))

    def metric(self, board: Board, name: str) -> Metric:
        """A metric as a board is ranked by it.

        Where neither its name nor anybody says which way is better, the order does in which the
        archive gave the board's rows, best first by the board's first metric.
        """
        known = self.metrics.get(name)
        if known.ranked or self.metrics.declared(name) or name != next(iter(board.metrics), ""):
            return known
        values = self.results.in_archive_order(board.id, name)
        steps = [after - before for before, after in pairwise(values)]
        for way, sign in (("higher", -1), ("lower", 1)):
            if len(values) > 2 and any(steps) and all(sign * step >= 0 for step in steps):
                return replace(known, direction=way, known_from="archive order")
        return known

    def agreements(self, entry: Entry) -> list[tuple[Entry, Agreement]]:
        """What an entry's numbers are compared with: their reproductions, or what they reproduce.

        Returns:
            (the other entry, the verdict), in order of the results.
        """
        again = entry.kind == "reproduced"
        found = []
        for mine in entry.results:
            if not again:
                others = self.results.reproductions(mine.id)
            elif mine.reproduces_id is None or entry.deleted:
                others = []
            else:
                others = [self.results.by_id(mine.reproduces_id)]
            for theirs in others:
                other = self.entries.full(theirs.entry_id)
                here = (self.boards.by_id(entry.board_id), entry, mine)
                there = (self.boards.by_id(other.board_id), other, theirs)
                first, second = (there, here) if again else (here, there)
                metric = self.metrics.get(first[2].metric)
                found.append((other, agreement(first, second, metric)))
        return found

    def totals(self) -> dict[str, int]:
        """How many of each are alive: tasks, data sets, papers, methods, boards, results, ..."""
        names = ("tasks", "datasets", "papers", "methods", "boards", "entries", "results",
                 "code links", "curves", "submissions")  # fmt: skip
        return {name: getattr(self, name.partition(" ")[0]).count() for name in names}
