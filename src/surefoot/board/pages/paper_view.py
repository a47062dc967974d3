"""A paper's page: the one that people knew, with ranks and sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..store.entries import PaperResult
from ..store.rows import Paper
from .entities import facts_of_curves
from .links import web
from .page_context import BoardName, PageContext, Places
from .words import tidy

__all__ = ["paper_page"]

_MOST = 2000  # lines of the full table


def paper_page(context: PageContext, paper: Paper) -> dict[str, Any]:
    """A paper's page as plain data."""
    store = context.store
    table = [r for r in store.entries.paper_table(paper.id) if context.toy or not r.entry.toy]
    own = {m.id for m in store.methods.of_paper(paper.id) if m.paper_id == paper.id}
    short = _short(table, own, lambda m: store.metrics.get(m).direction == "lower")
    return {
        "paper": paper,
        "tasks": store.tasks.of_paper(paper.id),
        "methods": store.methods.of_paper(paper.id),
        "own": own,
        "datasets": store.datasets.of_paper(paper.id),
        "paper_links": _links(context, paper),
        "summary": "summary" in str(paper.extra.get("abstract_is", "")),
        "short": [_line(context, r) for r in short],
        "lines": [_line(context, r) for r in table[:_MOST]] if len(table) > len(short) else [],
        "oracle": any(r.result.selection == "oracle" for r in short),
        "total": len(table),
        "left_out": max(0, len(table) - _MOST),
        "curves": facts_of_curves(context, paper.id),
        "related": store.papers.related(paper.id),
    }


def _links(context: PageContext, paper: Paper) -> list[dict[str, Any]]:
    links = [
        {"words": "Paper", "url": web(paper.url_abs), "style": "main", "title": ""},
        {"words": "PDF", "url": web(paper.url_pdf), "style": "", "title": ""},
    ]
    for code in context.store.code.of_paper(paper.id)[:8]:
        words = "Code (official)" if code.official else "Code"
        told = tidy(code.url, 100).partition("://")[2]
        told += f", {tidy(code.framework, 30)}" if code.framework else ""
        style = "code official" if code.official else "code"
        links.append({"words": words, "url": web(code.url), "style": style, "title": told})
    return [one for one in links if one["url"]]


def _short(
    table: list[PaperResult], own: Iterable[int], lower: Callable[[str], bool]
) -> list[PaperResult]:
    """One line per board: the headline where there is one, else the paper's own best there.

    Rows with the headline's backbone and setting go first, so that the short table speaks of one
    model where it can.
    """
    heads = [r for r in table if r.result.headline]
    model = {_model(r) for r in heads}
    like = {r.result.selection for r in heads}
    own = set(own)
    boards: dict[int, list[PaperResult]] = {}
    for r in table:
        boards.setdefault(r.board.id, []).append(r)
    found = list(heads)
    for board_id, rows in boards.items():
        if any(h.board.id == board_id for h in heads):
            continue
        known = [r for r in rows if r.result.value is not None]
        same = [r for r in known if _model(r) in model]
        for some in (
            [r for r in same if r.result.selection in like],
            same,
            [r for r in known if r.entry.method_id in own],
        ):
            if some:
                sign = -1 if lower(some[0].metric) else 1
                found.append(max(some, key=lambda r: sign * (r.result.value or 0.0)))
                break
    return found


def _model(one: PaperResult) -> tuple[str, str, str]:
    return one.entry.model_name, one.entry.backbone, one.entry.setting


def _line(context: PageContext, one: PaperResult) -> tuple[PaperResult, BoardName, Places]:
    return one, context.names()[one.board.id], context.places(one.board, one.metric)
