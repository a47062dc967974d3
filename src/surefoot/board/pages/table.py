"""Rows of a board as plain data for the table: sorted, filtered, cut into pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..store.ranking import Standing
from ..store.results import Brief, Entry, Result
from ..store.text import fold
from .links import links_of, web
from .page_context import PageContext, cut
from .words import alpha_words, source_label

__all__ = ["PAGE", "SORTS", "Query", "Rows", "make_rows", "select"]

PAGE = 50
"""Rows of one page of a table."""


@dataclass(frozen=True)
class Query:
    """What a reader asks of a table.

    Attributes:
        sort: One of :data:`SORTS`; another is the first.
        down: Largest first.
        q: Words that a row must hold.
        kind: Only this kind; "" all.
        extra: Only this answer to extra data; "" all.
        method: Only this method's id; 0 all.
        code: Only rows with code.
    """

    sort: str = "rank"
    down: bool = False
    q: str = ""
    kind: str = ""
    extra: str = ""
    method: int = 0
    code: bool = False

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return bool(self.q or self.kind or self.extra or self.method or self.code)


@dataclass(frozen=True)
class Rows:
    """Rows of a page, ready for the template."""

    items: list[dict[str, Any]]
    total: int
    page: int
    pages: int


def _haystack(one: Standing) -> str:
    e = one.row
    return fold(
        " ".join((e.model_name, e.backbone, e.setting, e.paper_title or "", e.kind,
                  alpha_words(e)))
    )  # fmt: skip


SORTS: Mapping[str, Callable[[Standing], Any]] = {
    "rank": lambda r: r.rank,
    "model": lambda r: fold(f"{r.row.model_name} {r.row.backbone}"),
    "value": lambda r: r.row.value,
    "kind": lambda r: r.row.kind,
    "extra": lambda r: r.row.extra_data,
    "date": lambda r: r.row.dated or None,
}
"""What a table can be sorted by, here and in the browser."""


def select(
    rows: Sequence[Standing], query: Query, has_code: Callable[[Brief], bool]
) -> list[Standing]:
    """Filter and sort; what has no value comes last either way."""
    words = fold(query.q).split()[:12]
    kept = [
        r
        for r in rows
        if (not query.kind or r.row.kind == query.kind)
        and (not query.extra or r.row.extra_data == query.extra)
        and (not query.method or r.row.method_id == query.method)
        and (not query.code or has_code(r.row))
    ]
    if words:
        kept = [r for r in kept if all(w in _haystack(r) for w in words)]
    key = SORTS[query.sort]
    known = [r for r in kept if key(r) is not None]
    if query.sort == "rank":  # they stand in order
        known = known[::-1] if query.down else known
    else:
        known.sort(key=key, reverse=query.down)
    return known + [r for r in kept if key(r) is None]


class Maker:
    """Makes the rows of one board; papers and code are looked up once each.

    Args:
        context: Of the page.
        board_id: Whose rows.
        others: Further metrics to show.
    """

    def __init__(self, context: PageContext, board_id: int, others: Sequence[str]) -> None:
        self.context, self.others = context, others
        self.reproduced = context.reproduced(board_id)
        self._papers: dict[int, tuple[str, str | None, list[dict[str, Any]]]] = {}

    def paper(self, paper_id: int) -> tuple[str, str | None, list[dict[str, Any]]]:
        """Title, address, code links of a paper."""
        if paper_id not in self._papers:
            store = self.context.store
            paper = store.papers.by_id(paper_id)
            code = [
                {"url": url, "official": bool(c.official)}
                for c in store.code.of(paper_id=paper_id)
                if (url := web(c.url))
            ]
            self._papers[paper_id] = (paper.title, self.context.links.read(paper), code)
        return self._papers[paper_id]

    def code(self, row: Brief) -> list[dict[str, Any]]:
        """Code of a row: its own, else its paper's."""
        own = [{"url": c["url"], "official": False} for c in links_of(json.loads(row.code_links))]
        if own or row.paper_id is None or row.kind in ("measured", "reproduced"):
            return own
        return self.paper(row.paper_id)[2]

    def row(self, one: Standing, entry: Entry, shared: bool) -> dict[str, Any]:
        """One line of the table, of the row read whole."""
        result = next(r for r in entry.results if r.id == one.row.result_id)
        title, href = entry.paper_title or "", web(entry.paper_url)
        if entry.paper_id is not None:
            title, href, _ = self.paper(entry.paper_id)
        beside = {r.metric: r for r in entry.results}
        others = [beside.get(name) for name in self.others]
        keys = {name: key(one) for name, key in SORTS.items()}
        return {
            "place": one,
            "entry": entry,
            "result": result,
            "shared": shared,
            "tied": bool(one.ties_best) and one.rank != 1,
            "href": self.context.links("rows", entry.id),
            "paper": title,
            "paper_href": href,
            "code": next(iter(self.code(one.row)), None),
            "source": source_label(entry.source),
            "others": [r.raw if r else "" for r in others],
            "check": check_of(self.context, entry, result, result.id in self.reproduced),
            "words": _haystack(one),
            "sort": keys | {f"m{i}": r.value if r else None for i, r in enumerate(others)},
        }


def make_rows(
    context: PageContext, board_id: int, rows: Sequence[Standing], *,
    query: Query | None = None, page: int = 1, size: int = PAGE, others: tuple[str, ...] = (),
) -> Rows:  # fmt: skip
    """A page of a board's table.

    Args:
        context: Of the page.
        board_id: Whose rows.
        rows: All of them, in order.
        query: What the reader asked for.
        page: From 1; a page that is not there is the last one.
        size: Rows of a page.
        others: Further metrics to show.
    """
    maker = Maker(context, board_id, others)
    query = query or Query()
    kept = select(rows, query, lambda e: bool(maker.code(e)))
    part, told = cut(len(kept), page, size)
    times = Counter(r.rank for r in rows)
    shown = kept[part]
    whole = context.store.entries.several([r.row.id for r in shown])
    items = [maker.row(r, whole[r.row.id], r.rank is not None and times[r.rank] > 1) for r in shown]
    return Rows(items, told["total"], told["page"], told["pages"])


def check_of(
    context: PageContext, entry: Entry, result: Result, reproduced: bool
) -> dict[str, Any] | None:
    """The other side of a published and a reproduced number, with the verdict.

    Args:
        context: Of the page.
        entry: Of the row.
        result: Its number.
        reproduced: Whether a run repeats it.

    Returns:
        None where there is no other side.
    """
    again = entry.kind == "reproduced" and result.reproduces_id is not None
    if not again and not reproduced:
        return None
    for other, verdict in reversed(context.store.agreements(entry)):
        for one in other.results:
            if one.id == result.reproduces_id if again else one.reproduces_id == result.id:
                first, second = (one, result) if again else (result, one)
                href = context.links("rows", other.id)
                return {"published": first, "reproduced": second, "told": verdict, "href": href}
    return None
