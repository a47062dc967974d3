"""Papers, their tags and their code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .rows import CodeLink, Paper
from .tables import Table
from .text import arxiv_id, fold

__all__ = ["CodeLinks", "Papers"]


class Papers(Table[Paper]):
    """Papers."""

    name = "paper"
    row = Paper
    json = frozenset({"authors", "extra"})
    label = "title"

    def add(self, row: Paper, *, why: str = "") -> Paper:
        """Add a paper; an arXiv number given with its version is cut to the number."""
        return super().add(replace(row, arxiv_id=arxiv_id(row.arxiv_id) or None), why=why)

    def _distinct(self, row: Paper) -> str:
        return row.arxiv_id or row.date[:4]

    def match(
        self, *, arxiv: str | None = None, archive_url: str | None = None, title: str | None = None
    ) -> Paper | None:
        """The paper with this arXiv number, else this archive page, else exactly this title.

        A title alone matches only where one living paper has it: two papers may share a title.
        """
        number = arxiv_id(arxiv)
        found = self.find("arxiv_id", number) if number else None
        if found is None and archive_url:
            found = self.find("archive_url", archive_url)
        if found is None and title:
            rows = self.db.all(
                "SELECT * FROM paper WHERE fold = ? AND deleted IS NULL LIMIT 2", fold(title)
            )
            found = self._read(rows[0]) if len(rows) == 1 else None
        return found

    def tag(self, paper_id: int, *, tasks: Sequence[int] = (), methods: Sequence[int] = ()) -> None:
        """Tag a paper with tasks and methods, by id."""
        for task_id in tasks:
            self.db.link("paper_task", paper_id=paper_id, task_id=task_id)
        for method_id in methods:
            self.db.link("paper_method", paper_id=paper_id, method_id=method_id)

    def of_task(self, task_id: int, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers tagged with a task, newest first."""
        rows = self.db.all(
            "SELECT paper.* FROM paper JOIN paper_task ON paper.id = paper_id "
            "WHERE task_id = ? AND deleted IS NULL ORDER BY date DESC, paper.id LIMIT ? OFFSET ?",
            task_id,
            limit,
            offset,
        )
        return [self._read(r) for r in rows]

    def of_method(self, method_id: int, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers that use a method, newest first."""
        rows = self.db.all(
            "SELECT paper.* FROM paper JOIN paper_method ON paper.id = paper_id "
            "WHERE method_id = ? AND deleted IS NULL ORDER BY date DESC, paper.id "
            "LIMIT ? OFFSET ?",
            method_id,
            limit,
            offset,
        )
        return [self._read(r) for r in rows]

    def newest(self, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers by date, newest first."""
        rows = self.db.all(
            "SELECT * FROM paper WHERE deleted IS NULL ORDER BY date DESC, id LIMIT ? OFFSET ?",
            limit,
            offset,
        )
        return [self._read(r) for r in rows]

    def related(self, paper_id: int, *, limit: int = 8) -> list[tuple[Paper, int, int]]:
        """Papers that share methods and tasks with this one.

        Only the newest 2,000 papers of a task or method are looked at: one of 100,000 tells little.

        Returns:
            (paper, shared methods, shared tasks), most shared first; a method counts three times
            a task, since fewer papers share it.
        """
        shared = " UNION ALL ".join(
            f"SELECT paper_id, {m} AS m, {t} AS t FROM (SELECT b.paper_id, row_number() OVER "
            f"(PARTITION BY b.{tag}_id ORDER BY b.paper_id DESC) AS place FROM paper_{tag} AS a "
            f"JOIN paper_{tag} AS b USING ({tag}_id) WHERE a.paper_id = ? "
            "AND b.paper_id <> a.paper_id) WHERE place <= 2000"
            for tag, m, t in (("method", 1, 0), ("task", 0, 1))
        )
        rows = self.db.all(
            f"SELECT paper.id, sum(m) AS methods, sum(t) AS tasks FROM ({shared}) AS shared "
            "JOIN paper ON paper.id = shared.paper_id WHERE deleted IS NULL GROUP BY paper.id "
            "ORDER BY 3 * sum(m) + sum(t) DESC, date DESC, paper.id LIMIT ?",
            paper_id,
            paper_id,
            limit,
        )
        return [(self.by_id(r["id"]), int(r["methods"]), int(r["tasks"])) for r in rows]


class CodeLinks(Table[CodeLink]):
    """Code of papers."""

    name = "code_link"
    row = CodeLink
    json = frozenset({"extra"})
    flags = frozenset({"official"})
    label = "url"

    def of_paper(self, paper_id: int) -> list[CodeLink]:
        """A paper's code, official first."""
        rows = self.db.all(
            "SELECT * FROM code_link WHERE paper_id = ? AND deleted IS NULL "
            "ORDER BY official IS NOT 1, id",
            paper_id,
        )
        return [self._read(r) for r in rows]

    def has(self, paper_id: int | None, url: str) -> bool:
        """Whether a paper has this link already."""
        return (
            self.db.one("SELECT 1 FROM code_link WHERE paper_id IS ? AND url = ?", paper_id, url)
            is not None
        )
