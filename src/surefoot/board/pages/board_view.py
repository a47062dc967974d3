"""A board's page, and one board against another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from ...drawing.svg import Node
from ..store.ranking import Standing, in_time
from ..store.rows import Board
from .charts import MOST, Dot, best_chart
from .compare_view import partners
from .headings import heading, metric_facts
from .links import web
from .page_context import PageContext
from .ranked import BoardRows
from .table import PAGE, Query, make_rows
from .words import KIND_WORDS, KINDS, arrow, day, tidy

__all__ = ["board_page", "has_checks"]


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
    rows = make_rows(context, board.id, found.metric, found.rows, query=query, page=page,
                     others=others)  # fmt: skip
    protocol = context.store.protocols.describe(board.protocol)
    there = {r.entry.kind for r in found.rows}
    kinds = [k for k in KINDS if k in there]
    return {
        "board": heading(context, board),
        "description": tidy(board.description, 600),
        "protocol": {"name": protocol.name, "title": protocol.title, "text": protocol.description},
        "metric": metric_facts(found.metric),
        "metrics": [_choice(context, board, m, name) for m in board.metrics],
        "others": [metric_facts(context.store.metrics.get(m)) for m in others],
        "rows": rows,
        "all": len(found.rows),
        "query": query,
        "best": found.best,
        "bound": found.bound,
        "chart": _over_time(context, found),
        "kinds": [{"name": k, "words": KIND_WORDS[k]} for k in kinds],
        "methods": _methods(context, found.rows),
        "checks": has_checks(context, found),
        "ties": any(i["tied"] for i in rows.items),
        "oracle": any(i["oracle"] for i in rows.items),
        "partners": partners(context, board),
        "size": PAGE,
        "citations": [c for c in map(_link, board.dataset_links) if c],
    }


def has_checks(context: PageContext, found: BoardRows) -> bool:
    """Whether any row of a board was run again, or runs one again."""
    if any(r.entry.kind == "reproduced" for r in found.rows):
        return True
    return bool(context.reproduced(found.board.id))


def _choice(context: PageContext, board: Board, metric: str, now: str) -> dict[str, Any]:
    return {
        "name": tidy(metric, 80),
        "now": metric == now,
        "href": context.links("boards", board.slug, metric=metric),
    }


def _link(data: Any) -> dict[str, str] | None:
    url = web(data.get("url")) if isinstance(data, dict) else None
    return {"url": url, "title": tidy(data.get("title") or url, 100)} if url else None


def _methods(context: PageContext, rows: Sequence[Standing]) -> list[tuple[int, str]]:
    ids = {r.entry.method_id for r in rows if r.entry.method_id is not None}
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
    dated = [(r, best) for r, best in in_time(found.rows, found.metric) if _is_day(r.entry.dated)]
    step = max(1, -(-len(dated) // MOST))
    dots = []
    for i, (one, best) in enumerate(dated):
        if best or i % step == 0:
            entry, value = one.entry, one.result.value or 0.0
            words = f"{tidy(entry.model_name, 80)}, {tidy(entry.backbone, 60)}".rstrip(", ")
            tip = f"{words}: {value:g} ({day(entry.dated)})" + (", best so far" if best else "")
            when = date.fromisoformat(entry.dated[:10]).toordinal()
            href = context.links("rows", entry.id)
            dots.append(Dot(when, value, words, tip, href, 2 if best else 0, best))
    name, sign = tidy(found.metric.name, 60), arrow(found.metric)[0]
    lower = found.metric.direction == "lower"
    return best_chart(
        "best", f"Best {name} so far", f"{name} {sign}", dots, lower=lower, total=len(dated)
    )
