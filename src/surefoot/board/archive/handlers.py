"""Which handler takes which file of the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ..store.rows import ImportRecord
from ..store.store import Store
from .catalogue import DatasetHandler, MethodHandler
from .papers import LinkHandler, PaperHandler
from .sidecar import read_sidecar
from .tables import TableReader

__all__ = ["HANDLERS", "Handler", "TableHandler", "relink"]


class Handler(Protocol):
    """Takes records of one kind into the board.

    Attributes:
        counts: How many were "added", "updated", "unchanged".
    """

    counts: Counter[str]

    def take(self, item: Any, path: str) -> None:
        """Take one record in.

        Raises:
            Rejected: It cannot be; nothing of it is kept.
        """


class TableHandler:
    """``evaluation-tables``: rows are counted, rather than tasks.

    Args:
        store: Where to.
        record: The import.
        licence: Of the rows.
        file: That is read; a provenance file beside it is read too.
    """

    def __init__(self, store: Store, record: ImportRecord, licence: str, file: Path) -> None:
        self._reader = TableReader(store, record, licence, read_sidecar(file))
        self.counts = self._reader.counts

    def take(self, item: Any, path: str) -> None:
        """One task with its data sets, rows and subtasks."""
        self._reader.task(item, path, None)


def relink(store: Store) -> int:
    """Join entries whose paper came later than they did to it.

    Returns:
        How many were joined.
    """
    rows = store.db.all(
        "SELECT id, paper_url, paper_title FROM entry WHERE paper_id IS NULL AND "
        "(coalesce(paper_url, '') <> '' OR coalesce(paper_title, '') <> '')"
    )
    joined = 0
    with store.transaction():
        for row in rows:
            paper = store.papers.match(
                arxiv=row["paper_url"], archive_url=row["paper_url"], title=row["paper_title"]
            )
            if paper is not None:
                store.entries.update(row["id"], paper_id=paper.id, why="its paper was imported")
                joined += 1
    return joined


HANDLERS: dict[str, Callable[[Store, ImportRecord, str, Path], Handler]] = {
    "papers-with-abstracts": PaperHandler,
    "links-between-papers-and-code": LinkHandler,
    "evaluation-tables": TableHandler,
    "datasets": DatasetHandler,
    "methods": MethodHandler,
}
