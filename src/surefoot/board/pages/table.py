"""Rows of a board as plain data for the table: sorted, filtered, cut into pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..store.metrics import Metric
from ..store.ranking import Standing
from ..store.rows import Brief, Entry
from ..store.text import fold
from .checks import check_of
from .links import web
from .page_context import PageContext
from .words import alpha_words, day, detail, interval, source_label, tidy

__all__ = ["PAGE", "SORTS", "Query", "Rows", "make_rows", "select"]

PAGE = 50
"""Rows of one page of a table."""

SORTS = ("rank", "model", "value", "date", "extra", "kind")
"""What a table can be sorted by."""


@dataclass(frozen=True)
class Query:
    """What a reader asks of a table.

    Attributes:
        sort: One of :data:`SORTS`.
        down: Largest first.
        text: Words that a row must hold.
        kind: Only this kind; "" all.
        extra: Only this answer to extra data; "" all.
        method: Only this method's id; 0 all.
        code: Only rows with code.
    """

    sort: str = "rank"
    down: bool = False
    text: str = ""
    kind: str = ""
    extra: str = ""
    method: int = 0
    code: bool = False

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return bool(self.text or self.kind or self.extra or self.method or self.code)


@dataclass(frozen=True)
class Rows:
    """Rows of a page, ready for the template."""

    items: list[dict[str, Any]]
    total: int
    page: int
    pages: int


def _haystack(row: Standing) -> str:
    e = row.entry
    return fold(
        " ".join((e.model_name, e.backbone, e.setting, e.paper_title or "", e.kind,
                  alpha_words(row.result)))
    )  # fmt: skip


_KEYS: Mapping[str, Callable[[Standing], Any]] = {
    "model": lambda r: fold(r.entry.model_name + " " + r.entry.backbone),
    "value": lambda r: r.result.value,
    "date": lambda r: r.entry.dated or None,
    "extra": lambda r: r.entry.extra_data,
    "kind": lambda r: r.entry.kind,
}


def select(
    rows: Sequence[Standing], query: Query, has_code: Callable[[Brief], bool]
) -> list[Standing]:
    """Filter and sort; what has no value comes last either way."""
    words = fold(query.text).split()[:12]
    kept = [
        r
        for r in rows
        if (not query.kind or r.entry.kind == query.kind)
        and (not query.extra or r.entry.extra_data == query.extra)
        and (not query.method or r.entry.method_id == query.method)
        and (not query.code or has_code(r.entry))
    ]
    if words:
        kept = [r for r in kept if all(w in _haystack(r) for w in words)]
    if query.sort == "rank" or query.sort not in _KEYS:
        ranked = [r for r in kept if r.rank is not None]
        rest = [r for r in kept if r.rank is None]
        return (ranked[::-1] if query.down else ranked) + rest
    key = _KEYS[query.sort]
    known = [r for r in kept if key(r) is not None]
    known.sort(key=key, reverse=query.down)
    return known + [r for r in kept if key(r) is None]


class Maker:
    """Makes the rows of one board; papers and code are looked up once each.

    Args:
        context: Of the page.
        board_id: Whose rows.
        metric: That ranks.
    """

    def __init__(self, context: PageContext, board_id: int, metric: Metric) -> None:
        self.context, self.metric = context, metric
        self.reproduced = context.reproduced(board_id)
        self._papers: dict[int, tuple[str, str | None, list[dict[str, Any]]]] = {}

    def paper(self, paper_id: int) -> tuple[str, str | None, list[dict[str, Any]]]:
        """Title, address, code links of a paper."""
        if paper_id not in self._papers:
            store = self.context.store
            paper = store.papers.by_id(paper_id)
            code = [
                {"url": web(c.url), "official": bool(c.official)}
                for c in store.code.of_paper(paper_id)
            ]
            href = self.context.links.read(paper)
            self._papers[paper_id] = (paper.title, href, [c for c in code if c["url"]])
        return self._papers[paper_id]

    def code(self, entry: Entry | Brief) -> list[dict[str, Any]]:
        """Code of a row: its own, else its paper's."""
        links = entry.code_links
        if isinstance(entry, Brief):
            links = json.loads(links)
        found = (
            [c for c in links if isinstance(c, Mapping)] if isinstance(links, (list, tuple)) else []
        )
        own = [{"url": url, "official": False} for c in found if (url := web(c.get("url")))]
        if own or entry.paper_id is None or entry.kind in ("measured", "reproduced"):
            return own
        return self.paper(entry.paper_id)[2]

    def row(self, one: Standing, e: Entry, shared: bool) -> dict[str, Any]:
        """One line of the table, of the row read whole."""
        r = next(r for r in e.results if r.id == one.result.result_id)
        title, href = tidy(e.paper_title or "", 200), web(e.paper_url)
        if e.paper_id is not None:
            title, href, _ = self.paper(e.paper_id)
        code = self.code(e)
        return {
            "id": e.id,
            "rank": one.rank,
            "shared": shared,
            "tied": bool(one.ties_best) and one.rank != 1,
            "ties_above": bool(one.ties_above),
            "reason": one.reason,
            "model": tidy(e.model_name, 160),
            "detail": detail(e, r),
            "oracle": r.selection == "oracle",
            "href": self.context.links("rows", e.id),
            "kind": e.kind,
            "toy": e.toy,
            "raw": tidy(r.raw, 60),
            "value": r.value,
            "interval": interval(r),
            "extra": e.extra_data,
            "date": day(e.dated),
            "paper": tidy(title, 160),
            "paper_href": href,
            "code": code[0] if code else None,
            "source": source_label(e.source),
            "method": e.method_id or 0,
            "others": [self._other(e, m) for m in range(len(self.others))],
            "check": check_of(self.context, e, r, r.id in self.reproduced),
            "words": _haystack(one),
            "sort": self._keys(one, e),
        }

    others: tuple[str, ...] = ()

    def _other(self, entry: Entry, place: int) -> dict[str, Any]:
        name = self.others[place]
        found = next((r for r in entry.results if r.metric == name), None)
        if found is None:
            return {"raw": "", "key": f"m{place}"}
        return {"raw": tidy(found.raw, 40), "key": f"m{place}", "value": found.value}

    def _keys(self, one: Standing, entry: Entry) -> dict[str, Any]:
        """By what the browser sorts a row, in the order of the columns."""
        others = [self._other(entry, m) for m in range(len(self.others))]
        return {
            "rank": one.rank,
            "model": tidy(one.entry.model_name, 160).lower(),
            "value": one.result.value,
            **{o["key"]: o.get("value") for o in others},
            "kind": one.entry.kind,
            "extra": one.entry.extra_data,
            "date": one.entry.dated or None,
        }


def make_rows(
    context: PageContext, board_id: int, metric: Metric, rows: Sequence[Standing], *,
    query: Query | None = None, page: int = 1, size: int = PAGE, others: tuple[str, ...] = (),
) -> Rows:  # fmt: skip
    """A page of a board's table.

    Args:
        context: Of the page.
        board_id: Whose rows.
        metric: That ranks.
        rows: All of them, in order.
        query: What the reader asked for.
        page: From 1; a page that is not there is the last one.
        size: Rows of a page.
        others: Further metrics to show.
    """
    maker = Maker(context, board_id, metric)
    maker.others = others
    query = query or Query()
    kept = select(rows, query, lambda e: bool(maker.code(e)))
    pages = max(1, -(-len(kept) // size))
    page = min(max(page, 1), pages)
    times: dict[int, int] = {}
    for one in rows:
        if one.rank is not None:
            times[one.rank] = times.get(one.rank, 0) + 1
    part = kept[(page - 1) * size : page * size]
    whole = context.store.entries.several([r.entry.id for r in part])
    items = [
        maker.row(r, whole[r.entry.id], r.rank is not None and times[r.rank] > 1) for r in part
    ]
    return Rows(items, len(kept), page, pages)
