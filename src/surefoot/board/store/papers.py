"""Papers, their tags and their code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from heapq import nlargest

from .rows import CodeLink, Paper
from .tables import Table
from .text import arxiv_id, fold

__all__ = ["CodeLinks", "Papers"]

_COMMON = 2000
"""A tag that so many papers have is common."""


class Papers(Table[Paper]):
    """Papers."""

    name = "paper"
    row = Paper
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
        found = self.find(arxiv_id=number) if number else None
        if found is None and archive_url:
            found = self.find(archive_url=archive_url)
        if found is None and title:
            some = self.select("WHERE fold = ? AND deleted IS NULL LIMIT 2", fold(title))
            found = some[0] if len(some) == 1 else None
        return found

    def tag(self, paper_id: int, *, tasks: Sequence[int] = (), methods: Sequence[int] = ()) -> None:
        """Tag a paper with tasks and methods, by id."""
        for task_id in tasks:
            self.db.link("paper_task", paper_id=paper_id, task_id=task_id)
        for method_id in methods:
            self.db.link("paper_method", paper_id=paper_id, method_id=method_id)

    def of_task(self, task_id: int, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers tagged with a task, newest first."""
        return self._tagged("task", task_id, limit, offset)

    def of_method(self, method_id: int, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers that use a method, newest first."""
        return self._tagged("method", method_id, limit, offset)

    def _tagged(self, tag: str, tag_id: int, limit: int, offset: int) -> list[Paper]:
        """Papers with a tag, newest first.

        Those of a rare tag are sorted; of a common one the newest papers are looked through until
        enough have it.
        """
        link = f"paper_{tag}"
        many = self.db.count(
            f"SELECT count(*) FROM (SELECT 1 FROM {link} WHERE {tag}_id = ? LIMIT {_COMMON})",
            tag_id,
        )
        ids = (
            f"SELECT id FROM paper INDEXED BY paper_alive WHERE EXISTS (SELECT 1 FROM {link} "
            f"WHERE paper_id = paper.id AND {tag}_id = ?)"
            if many == _COMMON
            else f"SELECT id FROM {link} CROSS JOIN paper ON id = paper_id WHERE {tag}_id = ?"
        )
        rows = self.db.all(
            f"{ids} AND deleted IS NULL ORDER BY date DESC, id LIMIT ? OFFSET ?",
            tag_id,
            limit,
            offset,
        )
        return [self.by_id(r[0]) for r in rows]

    def newest(self, *, limit: int = 50, offset: int = 0) -> list[Paper]:
        """Papers by date, newest first."""
        rows = self.db.all(
            "SELECT id FROM paper WHERE deleted IS NULL ORDER BY date DESC, id LIMIT ? OFFSET ?",
            limit,
            offset,
        )
        return [self.by_id(r[0]) for r in rows]

    def related(self, paper_id: int, *, limit: int = 8) -> list[tuple[Paper, int, int]]:
        """Papers that share methods and tasks with this one.

        Only the newest 2,000 papers of a task or method are looked at: one of 100,000 tells little.

        Returns:
            (paper, shared methods, shared tasks), most shared first; a method counts three times
            a task, since fewer papers share it.
        """
        methods: Counter[int] = Counter()
        tasks: Counter[int] = Counter()
        weight: Counter[int] = Counter()
        for tag, shared, times in (("method", methods, 3), ("task", tasks, 1)):
            # A walk of the index for every tag: ranking all papers of a large task took a second.
            for (tag_id,) in self.db.all(
                f"SELECT {tag}_id FROM paper_{tag} WHERE paper_id = ?", paper_id
            ):
                row = self.db.one(
                    f"SELECT json_group_array(paper_id) FROM (SELECT paper_id FROM paper_{tag} "
                    f"WHERE {tag}_id = ? AND paper_id <> ? ORDER BY paper_id DESC LIMIT 2000)",
                    tag_id,
                    paper_id,
                )
                ids: list[int] = json.loads(row[0]) if row else []
                shared.update(ids)
                weight.update(ids * times)
        least = min(nlargest(limit, weight.values()), default=0)
        found = self._dated([i for i, w in weight.items() if w >= least])
        if len(found) < min(limit, len(weight)):  # some were taken off
            found = self._dated(list(weight))
        order = sorted(found, key=lambda i: (found[i], -i), reverse=True)
        order.sort(key=lambda i: -weight[i])
        return [(self.by_id(i), methods[i], tasks[i]) for i in order[:limit]]

    def _dated(self, paper_ids: list[int]) -> dict[int, str]:
        """Id -> date of those that are alive."""
        rows = self.db.all(
            "SELECT id, date FROM paper WHERE deleted IS NULL "
            "AND id IN (SELECT value FROM json_each(?))",
            json.dumps(paper_ids),
        )
        return {r[0]: r[1] for r in rows}


class CodeLinks(Table[CodeLink]):
    """Code of papers, official first."""

    name = "code_link"
    row = CodeLink
    label = "url"
    order = "official IS NOT 1, id"
