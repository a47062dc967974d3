"""The archive's flat files: papers, links to code, data sets, methods."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from ..store.text import arxiv_id, canonical, fold, slugify
from .fields import (
    Json,
    Rejected,
    as_flag,
    as_list,
    as_text,
    as_web_address,
    as_year,
    is_date,
    looks_like_spam,
)
from .format import joined
from .records import Outcome, RecordHandler, paper_of

__all__ = ["DatasetHandler", "LinkHandler", "MethodHandler", "PaperHandler"]


class PaperHandler(RecordHandler):
    """``papers-with-abstracts``."""

    table = "paper"
    texts: ClassVar = {
        "title": "title", "date": "date", "venue": "proceeding", "abstract": "abstract",
        "url_abs": "url_abs", "url_pdf": "url_pdf",
    }  # fmt: skip
    lists: ClassVar = {"authors": "authors"}
    taken = ("paper_url", "arxiv_id", "tasks", "methods")

    def one(self, record: Json, path: str) -> Outcome:
        """One paper with its tags."""
        tasks = [t for t in as_list(record, "tasks") if isinstance(t, str) and t.strip()]
        methods = as_list(record, "methods")
        values = self.values(record)
        row = self._find(values)
        slug = "" if row else self._slug(values)
        told = row is not None and self._abstract(row, values)
        paper_id, outcome = self.put(row, values, slug=slug)
        self._tag(paper_id, tasks, methods)
        return "updated" if told else outcome

    def _abstract(self, row: Any, values: dict[str, Any]) -> bool:
        """Take the paper's own abstract in place of our summary, which is kept beside it."""
        extra = json.loads(row["extra"])
        if not values["abstract"] or extra.pop("abstract_is", None) is None:
            return False
        told = {
            "abstract": values["abstract"],
            "extra": canonical({**extra, "summary": row["abstract"]}),
            "licence": joined(row["licence"], self.licence),
        }
        return self.store.db.update("paper", row["id"], told, note=f"import {self.record.id}")

    def values(self, record: Json) -> dict[str, Any]:
        """As they are, but for dates and numbers that are none: these stay in ``extra``."""
        title = as_text(record, "title", required=True)
        if not all(isinstance(a, str) for a in as_list(record, "authors")):
            raise Rejected("authors holds something other than names")
        values = {**super().values(record), "fold": fold(title)}
        number = as_text(record, "arxiv_id")
        values["arxiv_id"] = arxiv_id(number)
        values["archive_url"] = as_web_address(record, "paper_url") or None
        if values["date"] and not is_date(values["date"]):
            _aside(values, date=values["date"])
            values["date"] = ""
        if number and values["arxiv_id"] is None:
            _aside(values, arxiv_id=number)
        return values

    def _find(self, values: dict[str, Any]) -> Any:
        db = self.store.db
        row = None
        if values["archive_url"]:
            row = db.one("SELECT * FROM paper WHERE archive_url = ?", values["archive_url"])
        if values["arxiv_id"]:
            same = db.one("SELECT * FROM paper WHERE arxiv_id = ?", values["arxiv_id"])
            if same is not None and (row is None or same["id"] != row["id"]):
                if row is None and same["archive_url"] in (None, values["archive_url"]):
                    return same
                # The archive has the number twice: the first keeps it.
                _aside(values, arxiv_id=values["arxiv_id"])
                values["arxiv_id"] = None
        if row is None and not values["archive_url"] and not values["arxiv_id"]:
            row = db.one(
                "SELECT * FROM paper WHERE fold = ? AND authors = ? AND archive_url IS NULL",
                values["fold"],
                values["authors"],
            )
        return row

    def _slug(self, values: dict[str, Any]) -> str:
        name = (values["archive_url"] or "").rstrip("/").rpartition("/")[2] or values["title"]
        return self.store.db.free_slug("paper", name, values["arxiv_id"] or values["date"][:4])

    def _tag(self, paper_id: int, tasks: list[str], methods: list[Any]) -> None:
        names = [m.get("name") for m in methods if isinstance(m, dict)]
        good = [n for n in names if isinstance(n, str) and n.strip() and not looks_like_spam(n)]
        for tag, some in (("task", tasks), ("method", good)):
            self.store.db.connection.executemany(
                f"INSERT OR IGNORE INTO paper_{tag} VALUES (?, ?)",
                [(paper_id, self.named(tag, name)) for name in some],
            )


def _aside(values: dict[str, Any], **more: str) -> None:
    """Put what has no column into ``extra``."""
    values["extra"] = canonical({**json.loads(values["extra"]), **more})


class LinkHandler(RecordHandler):
    """``links-between-papers-and-code``."""

    table = "code_link"
    texts: ClassVar = {"framework": "framework"}
    taken = ("repo_url", "is_official", "paper_url", "paper_title", "paper_arxiv_id",
             "paper_url_abs", "paper_url_pdf")  # fmt: skip

    def one(self, record: Json, path: str) -> Outcome:
        """One link; its paper is added, with what the link says of it, where it is missing."""
        url = as_web_address(record, "repo_url", required=True)
        official = as_flag(record, "is_official")
        values = {**self.values(record), "official": None if official is None else int(official)}
        paper_id = self._paper(record)
        row = self.store.db.one(
            "SELECT * FROM code_link WHERE paper_id = ? AND url = ?", paper_id, url
        )
        return self.put(row, values, paper_id=paper_id, url=url)[1]

    def _paper(self, record: Json) -> int:
        db = self.store.db
        url = as_web_address(record, "paper_url")
        number = arxiv_id(as_text(record, "paper_arxiv_id"))
        for column, value in (("archive_url", url), ("arxiv_id", number)):
            row = value and db.one(f"SELECT id FROM paper WHERE {column} = ?", value)
            if row:
                return int(row["id"])
        title = as_text(record, "paper_title", required=True)
        values = {
            "title": title,
            "fold": fold(title),
            "archive_url": url or None,
            "arxiv_id": number,
            "url_abs": as_text(record, "paper_url_abs"),
            "url_pdf": as_text(record, "paper_url_pdf"),
            "licence": self.licence,
            "slug": db.free_slug("paper", url.rpartition("/")[2] or title, number or ""),
        }
        return db.insert("paper", values)


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
