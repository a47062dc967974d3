"""``datasets`` and ``methods``."""

from __future__ import annotations

from typing import Any

from ..store.text import canonical, fold, slugify
from .fields import (
    Rejected,
    as_list,
    as_text,
    as_web_address,
    as_year,
    looks_like_spam,
    rest_of,
)
from .records import Outcome, RecordHandler, paper_of

__all__ = ["DatasetHandler", "MethodHandler"]


class DatasetHandler(RecordHandler):
    """``datasets``."""

    _TAKEN = ("url", "name", "full_name", "homepage", "description", "introduced_date",
              "license_name", "license_url", "modalities", "tasks")  # fmt: skip

    def one(self, record: Any, path: str) -> Outcome:
        """One data set with its task tags."""
        name = as_text(record, "name", required=True)
        if spam := looks_like_spam(name):
            raise Rejected(spam)
        url = as_web_address(record, "url") or None
        tasks = as_list(record, "tasks")
        values = self._values(record, url)
        db = self.store.db
        row = url and db.one("SELECT * FROM dataset WHERE archive_url = ?", url)
        if not row:
            row = db.one("SELECT * FROM dataset WHERE fold = ? AND parent_id IS NULL", fold(name))
            if row and row["archive_url"] not in (None, url):
                # Two data sets of one name: the second is told apart by its address.
                values["fold"], row = f"{fold(name)} {url or path}", None
        if row:
            outcome = self.merge("dataset", row, values)
            dataset_id = row["id"]
        else:
            slug = db.free_slug("dataset", (url or "").rpartition("/")[2] or name)
            given = {"fold": fold(name), **values, "name": name, "slug": slug}
            dataset_id, outcome = db.insert("dataset", given), "added"
        for tag in tasks:
            label = tag.get("task") if isinstance(tag, dict) else tag
            if isinstance(label, str) and label.strip():
                self.store.datasets.tag(dataset_id, self.named("task", label))
        return outcome

    def _values(self, record: Any, url: str | None) -> dict[str, Any]:
        paper_id = paper_of(self.store, record.get("paper"))
        return {
            "archive_url": url,
            "full_name": as_text(record, "full_name"),
            "homepage": as_text(record, "homepage"),
            "description": as_text(record, "description"),
            "introduced": as_text(record, "introduced_date"),
            "licence_name": as_text(record, "license_name"),
            "licence_url": as_text(record, "license_url"),
            "modalities": canonical(as_list(record, "modalities")),
            "paper_id": paper_id,
            "extra": canonical(rest_of(record, *self._TAKEN)),
            "licence": self.licence,
        }


class MethodHandler(RecordHandler):
    """``methods``."""

    _TAKEN = ("url", "name", "full_name", "description", "introduced_year", "source_url",
              "source_title", "code_snippet_url", "collections")  # fmt: skip

    def one(self, record: Any, path: str) -> Outcome:
        """One method, unless it is an advertisement."""
        name = as_text(record, "name", required=True)
        full_name = as_text(record, "full_name")
        if spam := looks_like_spam(name, full_name):
            raise Rejected(spam)
        url = as_web_address(record, "url") or None
        db = self.store.db
        row = url and db.one("SELECT * FROM method WHERE archive_url = ?", url)
        row = row or db.one(
            "SELECT * FROM method WHERE fold = ? AND archive_url IS NULL ORDER BY id", fold(name)
        )
        values = self._values(record, url, full_name)
        if row:
            return self.merge("method", row, values)
        slug = db.free_slug("method", (url or "").rpartition("/")[2] or name, slugify(full_name))
        db.insert("method", {"name": name, "fold": fold(name), "slug": slug, **values})
        return "added"

    def _values(self, record: Any, url: str | None, full_name: str) -> dict[str, Any]:
        paper_id = paper_of(self.store, record.get("paper"))
        return {
            "archive_url": url,
            "full_name": full_name,
            "description": as_text(record, "description"),
            "introduced": as_year(record, "introduced_year"),
            "source_url": as_text(record, "source_url"),
            "source_title": as_text(record, "source_title"),
            "code_url": as_text(record, "code_snippet_url"),
            "collections": canonical(as_list(record, "collections")),
            "paper_id": paper_id,
            "extra": canonical(rest_of(record, *self._TAKEN)),
            "licence": self.licence,
        }
