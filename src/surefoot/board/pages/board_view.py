"""A board's page, and the page of one of its rows: what is known of it, its source, its history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from markupsafe import Markup

from ...drawing.svg import Node
from ..store.ranking import Standing, in_time
from ..store.results import Board, Entry, Result, Source
from ..store.rows import Revision
from .charts import MOST, Dot, best_chart
from .compare_view import partners
from .links import links_of, web
from .page_context import PageContext
from .ranked import BoardRows
from .table import PAGE, Query, make_rows
from .words import KIND_WORDS, arrow, day, metric_facts, tidy

__all__ = ["board_page", "has_checks", "row_page"]


def board_page(
    context: PageContext,
    board: Board,
    *,
    metric: str | None = None,
    query: Query | None = None,
    page: int = 1,
) -> dict[str, Any]:
    """A board's page as plain data.

    Args:
        context: Of the page.
        board: Which.
        metric: One of its metrics; the first where it has no such.
        query: Sorting and filters (live).
        page: Of the table.
    """
    name = metric if metric in board.metrics else next(iter(board.metrics), "")
    found = context.rows(board, name)
    others = tuple(m for m in board.metrics if m != name)[:4]
    query = query or Query()
    rows = make_rows(context, board.id, found.rows, query=query, page=page, others=others)
    protocol = context.store.protocols.describe(board.protocol)
    there = {r.row.kind for r in found.rows}
    return {
        "board": context.heading(board),
        "description": board.description,
        "protocol": {"name": protocol.name, "title": protocol.title, "text": protocol.description},
        "metric": metric_facts(found.metric),
        "metrics": [_choice(context, board, m, name) for m in board.metrics],
        "others": [metric_facts(context.store.metric(board, m)) for m in others],
        "rows": rows,
        "all": len(found.rows),
        "query": query,
        "best": found.best,
        "bound": found.bound,
        "chart": _over_time(context, found),
        "kinds": [k for k in KIND_WORDS if k in there],
        "methods": _methods(context, found.rows),
        "checks": has_checks(context, found),
        "ties": any(i["tied"] for i in rows.items),
        "oracle": any(i["result"].selection == "oracle" for i in rows.items),
        "partners": partners(context, board),
        "size": PAGE,
        "citations": links_of(board.dataset_links),
    }


def has_checks(context: PageContext, found: BoardRows) -> bool:
    """Whether any row of a board was run again, or runs one again."""
    if any(r.row.kind == "reproduced" for r in found.rows):
        return True
    return bool(context.reproduced(found.board.id))


def _choice(context: PageContext, board: Board, metric: str, now: str) -> dict[str, Any]:
    return {
        "name": tidy(metric, 80),
        "now": metric == now,
        "href": context.links("boards", board.slug, metric=metric),
    }


def _methods(context: PageContext, rows: Sequence[Standing]) -> list[tuple[int, str]]:
    ids = {r.row.method_id for r in rows if r.row.method_id is not None}
    if not 1 < len(ids) <= 60:
        return []
    named = [(i, context.store.methods.by_id(i).name) for i in ids]
    return sorted(((i, tidy(n, 60)) for i, n in named), key=lambda p: p[1].lower())


def _over_time(context: PageContext, found: BoardRows) -> Markup | None:
    """The best so far over time, drawn; kept, since 10,000 rows take half a second."""

    def make() -> Markup | None:
        node = _course(context, found)
        return None if node is None else Markup(node.render())  # every text in it is escaped

    key = (
        "course",
        found.board.id,
        found.metric.name,
        context.toy,
        context.live,
        context.links.depth,
    )
    return context.cache.get(key, make, lambda _: 20)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _course(context: PageContext, found: BoardRows) -> Node | None:
    dated = [(r, best) for r, best in in_time(found.rows, found.metric) if _is_day(r.row.dated)]
    step = max(1, -(-len(dated) // MOST))
    dots = []
    for i, (one, best) in enumerate(dated):
        if best or i % step == 0:
            entry, value = one.row, one.row.value or 0.0
            words = f"{tidy(entry.shown, 80)}, {tidy(entry.backbone, 60)}".rstrip(", ")
            tip = f"{words}: {value:g} ({day(entry.dated)})" + (", best so far" if best else "")
            when = date.fromisoformat(entry.dated[:10]).toordinal()
            href = context.links("rows", entry.id)
            dots.append(Dot(when, value, words, tip, href, 2 if best else 0, best))
    name, sign = tidy(found.metric.name, 60), arrow(found.metric)[0]
    lower = found.metric.direction == "lower"
    return best_chart(
        "best", f"Best {name} so far", f"{name} {sign}", dots, lower=lower, total=len(dated)
    )


# one row

_SOURCE_WORDS = {
    "citation": "Paper", "table": "Table", "row": "Row", "quality": "Read from", "file": "File",
    "sha256": "SHA-256", "json_path": "Place in the file", "run": "Run", "recipe": "Recipe hash",
    "printed_by": "Printed by",
    "version": "surefoot version", "machine": "Machine", "report": "Report",
    "note": "Note",
}  # fmt: skip
_QUALITY = {
    "primary": "the paper itself",
    "secondary": "a later paper that quotes it",
}


def row_page(context: PageContext, entry: Entry) -> dict[str, Any]:
    """A row's page as plain data."""
    store = context.store
    board = store.boards.by_id(entry.board_id)
    head = context.heading(board)
    cited = context.paper(entry.paper_id)
    return {
        "title": f"{tidy(entry.shown, 160)} on {head['dataset']}",
        "board": head,
        "entry": entry,
        "cited": cited.title if cited else entry.paper_title,
        "cited_at": context.links.read(cited) if cited else web(entry.paper_url),
        "method": None if entry.method_id is None else store.methods.by_id(entry.method_id),
        "code": links_of(entry.code_links),
        "models": links_of(entry.model_links),
        "results": [_result(context, board, entry, r) for r in entry.results],
        "checks": store.agreements(entry),
        "source": _source(entry.source),
        "history": [(r, _changes(r)) for r in _history(context, entry)],
    }


def _result(
    context: PageContext, board: Board, entry: Entry, result: Result
) -> tuple[Result, dict[str, Any], str]:
    """A number, its metric, and where it stands."""
    place = "" if entry.deleted else context.places(board, result.metric).words(entry.id)
    return result, metric_facts(context.store.metric(board, result.metric)), place


def _source(source: Source) -> list[tuple[str, str]]:
    told = replace(source, quality=_QUALITY.get(source.quality, source.quality))
    said = [(words, getattr(told, name)) for name, words in _SOURCE_WORDS.items()]
    return [(words, tidy(value, 500)) for words, value in said if value]


def _history(context: PageContext, entry: Entry) -> list[Revision]:
    lines = context.store.history("entry", entry.id)
    for result in entry.results:
        lines += context.store.history("result", result.id)
    return sorted(lines, key=lambda r: r.id)


def _changes(one: Revision) -> list[tuple[str, str, str]]:
    """Column, what it was, what it became."""
    if one.action not in ("update", "delete", "restore"):
        return []
    old, new = one.old or {}, one.new or {}
    return [(k, _short(old.get(k)), _short(new.get(k))) for k in sorted(new)]


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    return tidy(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 200)
