"""What the handlers of flat archive records share: merging with what is there, tags by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from ..store.rows import ImportRecord
from ..store.store import Store
from ..store.text import fold
from .fields import as_record
from .format import joined

__all__ = ["Outcome", "RecordHandler", "paper_of"]

_CACHED = 50_000
Outcome = Literal["added", "updated", "unchanged"]


class RecordHandler(ABC):
    """Takes records of one kind into the board.

    Args:
        store: Where to.
        record: The import.
        licence: Of the rows.
        file: That is read.
    """

    def __init__(self, store: Store, record: ImportRecord, licence: str, file: Path) -> None:
        self.store, self.record, self.licence, self.file = store, record, licence, file
        self.counts: Counter[str] = Counter()
        self._ids: dict[tuple[str, str], int] = {}

    def take(self, item: Any, path: str) -> None:
        """Take one record in.

        Raises:
            Rejected: It cannot be; nothing of it is kept.
        """
        try:
            outcome = self.one(as_record(item, "the record"), path)
        except BaseException:
            self._ids.clear()  # some may belong to rows that are being undone
            raise
        self.counts[outcome] += 1

    @abstractmethod
    def one(self, record: Any, path: str) -> Outcome:
        """The record as an object."""

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
            self._ids[key] = self._look_up(table, name)
        return self._ids[key]

    def _look_up(self, table: str, name: str) -> int:
        db, folded = self.store.db, fold(name)
        row = db.one(f"SELECT id, name FROM {table} WHERE fold = ?", folded)
        if row is None:
            values = {"name": name, "fold": folded, "licence": self.licence}
            return db.insert(table, {**values, "slug": db.free_slug(table, name)})
        if row["name"] != name:
            (self.store.tasks if table == "task" else self.store.methods).add_alias(row["id"], name)
        return int(row["id"])


def paper_of(store: Store, paper: Any) -> int | None:
    """The paper that a record's ``paper: {title, url}`` names, if the board has it."""
    if not isinstance(paper, dict):
        return None
    url, title = paper.get("url"), paper.get("title")
    url = url if isinstance(url, str) else None
    title = title if isinstance(title, str) else None
    found = store.papers.match(arxiv=url, archive_url=url, title=title)
    return found.id if found else None
