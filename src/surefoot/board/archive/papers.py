"""``papers-with-abstracts`` and ``links-between-papers-and-code``."""

from __future__ import annotations

from typing import Any

from ..store.text import arxiv_id, canonical, fold
from .fields import (
    Rejected,
    as_flag,
    as_list,
    as_text,
    as_web_address,
    is_date,
    looks_like_spam,
    rest_of,
)
from .records import Outcome, RecordHandler

__all__ = ["LinkHandler", "PaperHandler"]


class PaperHandler(RecordHandler):
    """``papers-with-abstracts``."""

    _TAKEN = ("paper_url", "arxiv_id", "title", "abstract", "url_abs", "url_pdf", "proceeding",
              "authors", "tasks", "date", "methods")  # fmt: skip

    def one(self, record: Any, path: str) -> Outcome:
        """One paper with its tags."""
        tasks = [t for t in as_list(record, "tasks") if isinstance(t, str) and t.strip()]
        methods = as_list(record, "methods")
        values = self._values(record)
        row = self._find(values)
        if row is None:
            values["slug"] = self._slug(values)
            paper_id = self.store.db.insert("paper", values)
            outcome: Outcome = "added"
        else:
            paper_id, outcome = row["id"], self.merge("paper", row, values)
        self._tag(paper_id, tasks, methods)
        return outcome

    def _values(self, record: Any) -> dict[str, Any]:
        title = as_text(record, "title", required=True)
        authors = as_list(record, "authors")
        if not all(isinstance(a, str) for a in authors):
            raise Rejected("authors holds something other than names")
        extra = rest_of(record, *self._TAKEN)
        date = as_text(record, "date")
        if date and not is_date(date):
            extra["date"], date = date, ""
        number = as_text(record, "arxiv_id")
        if number and arxiv_id(number) is None:
            extra["arxiv_id"] = number
        return {
            "title": title,
            "fold": fold(title),
            "authors": canonical(authors),
            "date": date,
            "venue": as_text(record, "proceeding"),
            "arxiv_id": arxiv_id(number),
            "archive_url": as_web_address(record, "paper_url") or None,
            "abstract": as_text(record, "abstract"),
            "url_abs": as_text(record, "url_abs"),
            "url_pdf": as_text(record, "url_pdf"),
            "extra": canonical(extra),
            "licence": self.licence,
        }

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
                values["extra"] = values["extra"][:-1] + (
                    ("," if values["extra"] != "{}" else "")
                    + f'"arxiv_id":{canonical(values["arxiv_id"])}}}'
                )
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
        run = self.store.db.connection.executemany
        if tasks:
            run(
                "INSERT OR IGNORE INTO paper_task VALUES (?, ?)",
                [(paper_id, self.named("task", t)) for t in tasks],
            )
        if good:
            run(
                "INSERT OR IGNORE INTO paper_method VALUES (?, ?)",
                [(paper_id, self.named("method", n)) for n in good],
            )


class LinkHandler(RecordHandler):
    """``links-between-papers-and-code``."""

    _TAKEN = ("repo_url", "is_official", "framework", "paper_url", "paper_title",
              "paper_arxiv_id", "paper_url_abs", "paper_url_pdf")  # fmt: skip

    def one(self, record: Any, path: str) -> Outcome:
        """One link; its paper is added, with what the link says of it, where it is missing."""
        url = as_web_address(record, "repo_url", required=True)
        official = as_flag(record, "is_official")
        values = {
            "official": None if official is None else int(official),
            "framework": as_text(record, "framework"),
            "extra": canonical(rest_of(record, *self._TAKEN)),
            "licence": self.licence,
        }
        paper_id = self._paper(record)
        row = self.store.db.one(
            "SELECT * FROM code_link WHERE paper_id = ? AND url = ?", paper_id, url
        )
        if row is not None:
            return self.merge("code_link", row, values)
        self.store.db.insert("code_link", {"paper_id": paper_id, "url": url, **values})
        return "added"

    def _paper(self, record: Any) -> int:
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
