"""Data sets, methods, papers: their lists and their pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...report.charts import Series
from ..store.entries import PaperResult
from ..store.results import Curve
from ..store.rows import Dataset, Method, Paper
from .charts import alpha_chart
from .links import web
from .lists import board_line
from .page_context import PageContext, Places, cut
from .queries import BoardName, datasets_page, method_counts, methods_page, paper_counts
from .words import number, tidy

__all__ = ["LIST", "dataset_page", "datasets_list", "method_page", "methods_list", "paper_page",
           "papers_list"]  # fmt: skip

LIST = 100
"""Things of one page of a list."""

_TABLE = 100  # rows of a method's table
_MOST = 2000  # lines of a paper's full table


def datasets_list(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Data sets by name."""
    store = context.store
    total = store.db.count(
        "SELECT count(*) FROM dataset WHERE deleted IS NULL AND parent_id IS NULL AND toy <= ?",
        int(context.toy),
    )
    part, told = cut(total, page, LIST)
    some = datasets_page(store, LIST, part.start)
    boards = Counter(b.dataset_id for b in context.boards())
    return {"entries": [d for d in some if context.toy or not d.toy], "counts": boards, **told}


def dataset_page(context: PageContext, data: Dataset) -> dict[str, Any]:
    """A data set: splits, licence, hashes, boards."""
    store = context.store
    parts = store.datasets.of(parent_id=data.id)
    splits = [s for s in data.splits if isinstance(s, Mapping)]
    boards = [b for d in (data, *parts) for b in context.shown(store.boards.of(dataset_id=d.id))]
    return {
        "data": data,
        "name": " › ".join(tidy(n, 120) for n in store.datasets.path(data.id)),
        "tasks": store.tasks.of_dataset(data.id),
        "paper": context.paper(data.paper_id),
        "splits": splits,
        "hashed": any(s.get("sha256") or s.get("hash") for s in splits),
        "parts": parts,
        "lines": [board_line(context, b) for b in boards[:500]],
        "aliases": store.datasets.aliases(data.id)[:20],
    }


def methods_list(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Methods, those with results first."""
    part, told = cut(context.totals()["methods"], page, LIST)
    some = methods_page(context.store, LIST, part.start)
    return {"entries": some, "counts": method_counts(context.store), **told}


def method_page(context: PageContext, method: Method) -> dict[str, Any]:
    """A method: what it is, its alpha curves, its results, papers."""
    store, names = context.store, context.names()
    entries = [e for e in store.entries.of(method_id=method.id) if context.toy or not e.toy]
    lines = [(names[e.board_id], e, r) for e in entries if e.board_id in names for r in e.results]
    boards = [store.boards.by_id(i) for i in dict.fromkeys(e.board_id for e in entries)]
    return {
        "method": method,
        "paper": context.paper(method.paper_id),
        "curves": _curves(context, store.curves.of(method_id=method.id), 24),
        "lines": lines[:_TABLE],
        "total": len(lines),
        "boards": [board_line(context, b) for b in context.shown(boards)[:60]],
        "papers": store.papers.of_method(method.id, limit=30),
    }


def _curves(context: PageContext, curves: Sequence[Curve], most: int) -> list[dict[str, Any]]:
    shown = [c for c in curves if context.toy or not c.toy]
    return [_curve(c, f"curve-{i}") for i, c in enumerate(shown[:most])]


def _curve(curve: Curve, name: str) -> dict[str, Any]:
    """A curve: drawn per metric, with its table."""
    series: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for p in curve.points:
        series.setdefault((p.metric, p.dataset), []).append((p.alpha, p.value, p.raw))
    lines = [
        Series(tidy(dataset, 60), tuple(p[0] for p in points), tuple(p[1] for p in points))
        for (_, dataset), points in ((k, sorted(v)) for k, v in series.items())
    ]
    lines = [replace(one, hue=i % 8) for i, one in enumerate(lines[:12])]
    alphas = sorted({p.alpha for p in curve.points})
    cells = {(p.metric, p.dataset, p.alpha): p.raw for p in curve.points}
    metrics = list(dict.fromkeys(m for m, _ in series))
    title = tidy(curve.title, 160)
    return {
        "curve": curve,
        "title": title,
        "chart": alpha_chart(name, title, lines, " / ".join(metrics)[:60]) if lines else None,
        "alphas": [number(a, 2) for a in alphas],
        "table": [(d, m, [cells.get((m, d, a), "") for a in alphas]) for m, d in series],
        "told": [_told(one) for one in lines],
    }


def _told(one: Series) -> dict[str, Any]:
    top = max(range(len(one.y)), key=lambda i: one.y[i])
    return {
        "label": one.label,
        "hue": one.hue,
        "start": number(one.y[0], 1) if one.x[0] == 0 else "",
        "best": number(one.y[top], 1),
        "at": number(one.x[top], 2),
        "end": number(one.y[-1], 1) if one.x[-1] == 1 else "",
    }


def papers_list(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Papers, newest first; of a site, those that have a page."""
    store = context.store
    if context.live:
        part, told = cut(context.totals()["papers"], page, LIST)
        papers = store.papers.newest(limit=LIST, offset=part.start)
    else:
        listed = context.listed_papers()
        part, told = cut(len(listed), page, LIST)
        papers = [store.papers.by_id(i) for i in listed[part]]
    tasks = {p.id: store.tasks.of_paper(p.id)[:4] for p in papers}
    counts = paper_counts(store, [p.id for p in papers])
    return {"entries": papers, "counts": counts, "tasks": tasks, **told}


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
        "datasets": store.datasets.of(paper_id=paper.id),
        "code": [c for c in store.code.of(paper_id=paper.id)[:8] if web(c.url)],
        "summary": "summary" in str(paper.extra.get("abstract_is", "")),
        "in_short": tidy(paper.extra.get("summary", ""), 2000),
        "short": [_line(context, r) for r in short],
        "lines": [_line(context, r) for r in table[:_MOST]] if len(table) > len(short) else [],
        "oracle": any(r.result.selection == "oracle" for r in short),
        "total": len(table),
        "left_out": max(0, len(table) - _MOST),
        "curves": _curves(context, store.curves.of(paper_id=paper.id), 6),
        "related": store.papers.related(paper.id),
    }


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
