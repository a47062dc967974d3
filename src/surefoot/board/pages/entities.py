"""Data sets, methods, papers: their lists and their pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...report.charts import Series
from ..store.rows import Curve, Dataset, Method, Paper
from .alpha_charts import alpha_chart
from .headings import metric_facts
from .links import web
from .lists import board_line
from .page_context import PageContext
from .queries import (
    datasets_page,
    method_counts,
    methods_page,
    paper_counts,
)
from .words import count, day, detail, number, plural, source_label, tidy

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
    items = [
        {
            "name": tidy(d.name, 120),
            "full": tidy(d.full_name, 160),
            "href": context.links("datasets", d.slug),
            "text": tidy(d.description, 240),
            "licence": tidy(d.licence_name, 120),
            "modalities": [tidy(m, 30) for m in d.modalities][:4],
            "boards": boards.get(d.id, 0),
            "toy": d.toy,
        }
        for d in datasets_page(store, LIST, (cut["page"] - 1) * LIST)
        if context.toy or not d.toy
    ]
    return {"entries": items, **cut}


def dataset_page(context: PageContext, data: Dataset) -> dict[str, Any]:
    """A data set: splits, licence, hashes, boards."""
    store = context.store
    paper = store.papers.by_id(data.paper_id) if data.paper_id is not None else None
    parts = store.datasets.parts(data.id)
    boards = context.shown(store.boards.of_dataset(data.id))
    for part in parts:
        boards += context.shown(store.boards.of_dataset(part.id))
    return {
        "name": " › ".join(tidy(n, 120) for n in store.datasets.path(data.id)),
        "full": tidy(data.full_name, 200),
        "text": tidy(data.description, 4000),
        "toy": data.toy,
        "homepage": web(data.homepage),
        "licence": tidy(data.licence_name, 200),
        "licence_url": web(data.licence_url),
        "introduced": tidy(data.introduced, 40),
        "modalities": [tidy(m, 40) for m in data.modalities][:12],
        "tasks": [{"name": tidy(t.name), "href": context.links("tasks", t.slug)}
                  for t in store.tasks.of_dataset(data.id)],
        "paper": None if paper is None else {
            "title": tidy(paper.title), "href": context.links.paper(paper.id, paper.slug)},
        "splits": [_split(s) for s in data.splits if isinstance(s, Mapping)],
        "parts": [{"name": tidy(p.name), "href": context.links("datasets", p.slug)} for p in parts],
        "lines": [board_line(context, b) for b in boards[:500]],
        "own_licence": data.licence,
        "aliases": [tidy(a, 80) for a in store.datasets.aliases(data.id)][:20],
    }  # fmt: skip


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
    counts = method_counts(context.store)
    items = [
        {
            "name": tidy(m.name, 120),
            "full": tidy(m.full_name, 160),
            "href": context.links("methods", m.slug),
            "text": tidy(m.description, 240),
            "year": m.introduced,
            "results": counts.get(m.id, (0, 0))[0],
            "curves": counts.get(m.id, (0, 0))[1],
            "registry": m.registry_name,
            "reading": m.reading,
        }
        for m in methods_page(context.store, LIST, (cut["page"] - 1) * LIST)
    ]
    return {"entries": items, **cut}


def method_page(context: PageContext, method: Method) -> dict[str, Any]:
    """A method: what it is, its alpha curves, its results, papers."""
    store = context.store
    paper = store.papers.by_id(method.paper_id) if method.paper_id is not None else None
    curves = [c for c in store.curves.of_method(method.id) if context.toy or not c.toy]
    entries = [e for e in store.entries.of_method(method.id) if context.toy or not e.toy]
    names = context.names()
    lines = [
        {
            "task": tidy(names[e.board_id].task, 80),
            "dataset": tidy(names[e.board_id].dataset, 80),
            "href": context.links("rows", e.id),
            "metric": tidy(r.metric, 60),
            "raw": tidy(r.raw, 40),
            "value": r.value,
            "model": tidy(e.model_name, 80),
            "detail": detail(e, r),
            "kind": e.kind,
        }
        for e in entries
        if e.board_id in names
        for r in e.results
    ]
    return {
        "name": tidy(method.name, 160),
        "full": tidy(method.full_name, 200),
        "text": tidy(method.description, 4000),
        "year": method.introduced,
        "registry": method.registry_name,
        "reading": method.reading,
        "paper": None if paper is None else {
            "title": tidy(paper.title), "href": context.links.paper(paper.id, paper.slug)},
        "source": web(method.source_url),
        "source_title": tidy(method.source_title, 160),
        "code": web(method.code_url),
        "collections": [tidy(c.get("collection", ""), 80) for c in method.collections
                        if isinstance(c, Mapping)],
        "curves": [curve_facts(c, i) for i, c in enumerate(curves[:24])],
        "lines": lines[:_TABLE],
        "total": len(lines),
        "boards": [board_line(context, b) for b in context.shown(
            [store.boards.by_id(i) for i in dict.fromkeys(e.board_id for e in entries)])[:60]],
        "papers": [_paper(context, p, (0, 0)) for p in store.papers.of_method(method.id, limit=30)],
        "licence": method.licence,
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
    counts = paper_counts(context.store, [p.id for p in papers])
    return {"entries": [_paper(context, p, counts[p.id]) for p in papers], **cut}


def _paper(context: PageContext, paper: Paper, counts: tuple[int, int]) -> dict[str, Any]:
    authors = [tidy(a, 80) for a in paper.authors]
    who = ", ".join(authors[:3]) + (f" and {len(authors) - 3} more" if len(authors) > 3 else "")
    return {
        "title": tidy(paper.title, 300),
        "href": context.links.paper(paper.id, paper.slug) or web(paper.url_abs),
        "authors": who,
        "date": day(paper.date),
        "venue": tidy(paper.venue, 80),
        "text": tidy(paper.abstract, 260),
        "results": plural(counts[0], "result") if counts[0] else "",
        "code": counts[1],
        "tasks": [tidy(t.name, 60) for t in context.store.tasks.of_paper(paper.id)][:4],
    }


def facts_of_curves(context: PageContext, paper_id: int) -> list[dict[str, Any]]:
    """Curves that a paper publishes, drawn."""
    curves = [c for c in context.store.curves.of_paper(paper_id) if context.toy or not c.toy]
    return [curve_facts(c, i) for i, c in enumerate(curves[:6])]


def declared(context: PageContext) -> list[dict[str, Any]]:
    """The metrics that results use, as the registry has them."""
    return [metric_facts(m) for m in context.metrics()]
