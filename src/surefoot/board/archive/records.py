"""What the handlers of archive records share: merging with what is there, names, papers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..store.rows import ImportRecord
from ..store.store import Store
from ..store.text import canonical
from .fields import Json, as_list, as_record, as_text, rest_of
from .format import joined

__all__ = ["Handler", "Outcome", "RecordHandler", "paper_of", "relink"]

_CACHED = 50_000
Outcome = Literal["added", "updated", "unchanged"]


class Handler(ABC):
    """Takes records of one kind into the board.

    Args:
        store: Where to.
        record: The import.
        licence: Of the rows.
        file: That is read.

    Attributes:
        counts: How many were "added", "updated", "unchanged".
    """

    def __init__(self, store: Store, record: ImportRecord, licence: str, file: Path) -> None:
        self.store, self.record, self.licence, self.file = store, record, licence, file
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def take(self, item: Any, path: str) -> None:
        """Take one record in.

        Raises:
            Rejected: It cannot be; nothing of it is kept.
        """


class RecordHandler(Handler):
    """Takes flat records in, one row of one table each.

    Class attributes that a handler sets: ``table``; ``texts`` and ``lists`` (column -> field of the
    archive's record); ``taken``, further fields that are kept elsewhere than in ``extra``.
    """

    table: ClassVar[str]
    texts: ClassVar[Mapping[str, str]] = {}
    lists: ClassVar[Mapping[str, str]] = {}
    taken: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ids: dict[tuple[str, str], int] = {}

    def take(self, item: Any, path: str) -> None:
        """As :meth:`Handler.take` says."""
        try:
            outcome = self.one(as_record(item, "the record"), path)
        except BaseException:
            self._ids.clear()  # some may belong to rows that are being undone
            raise
        self.counts[outcome] += 1

    def values(self, record: Json) -> dict[str, Any]:
        """The columns that are copied as they are, what has none, and the licence."""
        taken = (*self.texts.values(), *self.lists.values(), *self.taken)
        return {
            **{column: as_text(record, field) for column, field in self.texts.items()},
            **{column: canonical(as_list(record, field)) for column, field in self.lists.items()},
            "extra": canonical(rest_of(record, *taken)),
            "licence": self.licence,
        }

    def put(self, row: Any, values: dict[str, Any], **new: Any) -> tuple[int, Outcome]:
        """Bring a row up to date; where there is none, add one with the further columns ``new``.

        Returns:
            Its id, and what was done.
        """
        if row:
            return row["id"], self.merge(self.table, row, values)
        return self.store.db.insert(self.table, {**values, **new}), "added"

    @abstractmethod
    def one(self, record: Json, path: str) -> Outcome:
        """Take the record in, which is an object."""

    def merge(self, table: str, row: Any, values: dict[str, Any]) -> Outcome:
        """Bring a row that is there up to date: the archive's own rows wholly, others' gaps.

        A row of ours whose gaps the archive fills is under both licences from then on.
        """
        if row["import_id"] is None:
            empty = (None, "", "[]", "{}", "null")
            theirs = values.get("licence", "")
            values = {
                k: v
                for k, v in values.items()
                if k != "licence" and row[k] in empty and v not in empty
            }
            if values and theirs:
                values["licence"] = joined(row["licence"], theirs)
        elif "extra" in values and row["extra"] not in ("{}", values["extra"]):
            values = {
                **values,
                "extra": values["extra"] if values["extra"] != "{}" else row["extra"],
            }
        changed = self.store.db.update(table, row["id"], values, note=f"import {self.record.id}")
        return "updated" if changed else "unchanged"

    def named(self, table: str, name: str) -> int:
        """The id of the task or method of this name, in whatever case, added where missing."""
        key = (table, name)
        if key not in self._ids:
            if len(self._ids) >= _CACHED:
                self._ids.clear()
            known: Any = {"task": self.store.tasks, "method": self.store.methods}[table]
            self._ids[key] = known.ensure(name, licence=self.licence).id
        return self._ids[key]


def paper_of(store: Store, paper: Any) -> int | None:
    """The paper that a record's ``paper: {title, url}`` names, if the board has it."""
    if not isinstance(paper, dict):
        return None
    url, title = (v if isinstance(v, str) else None for v in map(paper.get, ("url", "title")))
    found = store.papers.match(arxiv=url, archive_url=url, title=title)
    return found.id if found else None


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
