"""``datasets`` and ``methods``."""

from __future__ import annotations

from typing import Any, ClassVar

from ..store.text import fold, slugify
from .fields import Json, Rejected, as_list, as_text, as_web_address, as_year, looks_like_spam
from .records import Outcome, RecordHandler, paper_of

__all__ = ["DatasetHandler", "MethodHandler"]


class CatalogueHandler(RecordHandler):
    """What data sets and methods have in common."""

    spammed: ClassVar[tuple[str, ...]] = ()
    """Fields beside the name that hold advertisements."""

    def about(self, record: Json) -> tuple[str, str, dict[str, Any]]:
        """Name, address ("" for none) and columns.

        Raises:
            Rejected: An advertisement.
        """
        name = as_text(record, "name", required=True)
        if spam := looks_like_spam(name, *(as_text(record, f) for f in self.spammed)):
            raise Rejected(spam)
        url = as_web_address(record, "url")
        paper_id = paper_of(self.store, record.get("paper"))
        values = {**self.values(record), "archive_url": url or None, "paper_id": paper_id}
        return name, url, values

    def at(self, url: str) -> Any:
        """The row of an address, if there is one."""
        return url and self.store.db.one(f"SELECT * FROM {self.table} WHERE archive_url = ?", url)


class DatasetHandler(CatalogueHandler):
    """``datasets``."""

    table = "dataset"
    texts: ClassVar = {
        "full_name": "full_name", "homepage": "homepage", "description": "description",
        "introduced": "introduced_date", "licence_name": "license_name",
        "licence_url": "license_url",
    }  # fmt: skip
    lists: ClassVar = {"modalities": "modalities"}
    taken = ("url", "name", "tasks")

    def one(self, record: Json, path: str) -> Outcome:
        """One data set with its task tags."""
        name, url, values = self.about(record)
        tasks, db = as_list(record, "tasks"), self.store.db
        folded, row = fold(name), self.at(url)
        if not row:
            row = db.one("SELECT * FROM dataset WHERE fold = ? AND parent_id IS NULL", folded)
            if row and row["archive_url"] not in (None, url or None):
                # Two data sets of one name: the second is told apart by its address.
                folded, row = f"{folded} {url or path}", None
        slug = "" if row else db.free_slug("dataset", url.rpartition("/")[2] or name)
        dataset_id, outcome = self.put(row, values, name=name, fold=folded, slug=slug)
        for tag in tasks:
            label = tag.get("task") if isinstance(tag, dict) else tag
            if isinstance(label, str) and label.strip():
                self.store.datasets.tag(dataset_id, self.named("task", label))
        return outcome


class MethodHandler(CatalogueHandler):
    """``methods``."""

    table = "method"
    texts: ClassVar = {
        "full_name": "full_name", "description": "description", "source_url": "source_url",
        "source_title": "source_title", "code_url": "code_snippet_url",
    }  # fmt: skip
    lists: ClassVar = {"collections": "collections"}
    taken = ("url", "name", "introduced_year")
    spammed = ("full_name",)

    def one(self, record: Json, path: str) -> Outcome:
        """One method."""
        name, url, values = self.about(record)
        values["introduced"] = as_year(record, "introduced_year")
        folded, db = fold(name), self.store.db
        row = self.at(url) or db.one(
            "SELECT * FROM method WHERE fold = ? AND archive_url IS NULL ORDER BY id", folded
        )
        told = slugify(values["full_name"])
        slug = "" if row else db.free_slug("method", url.rpartition("/")[2] or name, told)
        return self.put(row, values, name=name, fold=folded, slug=slug)[1]
