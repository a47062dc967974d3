"""Data sets, methods, papers: their lists and their pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...report.charts import Series
from ..store.rows import Curve, Dataset, Method
from .alpha_charts import alpha_chart
from .headings import metric_facts
from .lists import board_line
from .page_context import PageContext
from .queries import (
    datasets_page,
    method_counts,
    methods_page,
    paper_counts,
)
from .words import count, number, source_label, tidy

__all__ = [
    "LIST",
    "curve_facts",
    "dataset_page",
    "datasets_list",
    "method_page",
    "methods_list",
    "papers_list",
]

LIST = 100
"""Things of one page of a list."""

_TABLE = 100  # rows of a method's table


def _cut(total: int, page: int) -> dict[str, int]:
    pages = max(1, -(-total // LIST))
    return {"page": min(max(1, page), pages), "pages": pages, "total": total}


def datasets_list(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Data sets by name."""
    store = context.store
    total = store.db.count(
        "SELECT count(*) FROM dataset WHERE deleted IS NULL AND parent_id IS NULL AND toy <= ?",
        int(context.toy),
    )
    cut = _cut(total, page)
    boards: dict[int, int] = {}
    for board in context.boards():
        boards[board.dataset_id] = boards.get(board.dataset_id, 0) + 1
    some = datasets_page(store, LIST, (cut["page"] - 1) * LIST)
    return {"entries": [d for d in some if context.toy or not d.toy], "counts": boards, **cut}


def dataset_page(context: PageContext, data: Dataset) -> dict[str, Any]:
    """A data set: splits, licence, hashes, boards."""
    store = context.store
    parts = store.datasets.parts(data.id)
    boards = [b for d in (data, *parts) for b in context.shown(store.boards.of_dataset(d.id))]
    return {
        "data": data,
        "name": " › ".join(tidy(n, 120) for n in store.datasets.path(data.id)),
        "tasks": store.tasks.of_dataset(data.id),
        "paper": context.paper(data.paper_id),
        "splits": [_split(s) for s in data.splits if isinstance(s, Mapping)],
        "parts": parts,
        "lines": [board_line(context, b) for b in boards[:500]],
        "aliases": [tidy(a, 80) for a in store.datasets.aliases(data.id)][:20],
    }


def _split(split: Mapping[str, Any]) -> dict[str, str]:
    size = split.get("count")
    return {
        "name": tidy(split.get("name", ""), 80),
        "count": count(size) if isinstance(size, int) else tidy(size or "", 20),
        "hash": tidy(split.get("sha256") or split.get("hash") or "", 80),
    }


def methods_list(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Methods, those with results first."""
    cut = _cut(context.totals()["methods"], page)
    some = methods_page(context.store, LIST, (cut["page"] - 1) * LIST)
    return {"entries": some, "counts": method_counts(context.store), **cut}


def method_page(context: PageContext, method: Method) -> dict[str, Any]:
    """A method: what it is, its alpha curves, its results, papers."""
    store, names = context.store, context.names()
    curves = [c for c in store.curves.of_method(method.id) if context.toy or not c.toy]
    entries = [e for e in store.entries.of_method(method.id) if context.toy or not e.toy]
    lines = [(names[e.board_id], e, r) for e in entries if e.board_id in names for r in e.results]
    boards = [store.boards.by_id(i) for i in dict.fromkeys(e.board_id for e in entries)]
    return {
        "method": method,
        "paper": context.paper(method.paper_id),
        "collections": [tidy(c.get("collection", ""), 80) for c in method.collections
                        if isinstance(c, Mapping)],
        "curves": [curve_facts(c, i) for i, c in enumerate(curves[:24])],
        "lines": lines[:_TABLE],
        "total": len(lines),
        "boards": [board_line(context, b) for b in context.shown(boards)[:60]],
        "papers": store.papers.of_method(method.id, limit=30),
    }  # fmt: skip


def curve_facts(curve: Curve, index: int) -> dict[str, Any]:
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
    cells = {(p.metric, p.dataset, p.alpha): tidy(p.raw, 20) for p in curve.points}
    metrics = list(dict.fromkeys(m for m, _ in series))
    title = tidy(curve.title, 160)
    return {
        "title": title,
        "kind": curve.kind,
        "toy": curve.toy,
        "source": source_label(curve.source),
        "citation": tidy(curve.source.citation or curve.source.run, 100),
        "note": tidy(curve.source.note, 200),
        "chart": alpha_chart(f"curve-{index}", title, lines, " / ".join(metrics)[:60])
        if lines else None,
        "alphas": [number(a, 2) for a in alphas],
        "table": [(tidy(d, 60), tidy(m, 60), [cells.get((m, d, a), "") for a in alphas])
                  for m, d in series],
        "told": [_told(one) for one in lines],
    }  # fmt: skip


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
    cut = _cut(context.totals()["papers"] if context.live else len(context.listed_papers()), page)
    start = (cut["page"] - 1) * LIST
    if context.live:
        papers = store.papers.newest(limit=LIST, offset=start)
    else:
        papers = [store.papers.by_id(i) for i in context.listed_papers()[start : start + LIST]]
    tasks = {p.id: store.tasks.of_paper(p.id)[:4] for p in papers}
    counts = paper_counts(store, [p.id for p in papers])
    return {"entries": papers, "counts": counts, "tasks": tasks, **cut}


def facts_of_curves(context: PageContext, paper_id: int) -> list[dict[str, Any]]:
    """Curves that a paper publishes, drawn."""
    curves = [c for c in context.store.curves.of_paper(paper_id) if context.toy or not c.toy]
    return [curve_facts(c, i) for i, c in enumerate(curves[:6])]


def declared(context: PageContext) -> list[dict[str, Any]]:
    """The metrics that results use, as the registry has them."""
    return [metric_facts(m) for m in context.metrics()]
