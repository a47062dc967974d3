"""A board's page, and one board against another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ...drawing.svg import Node
from ..metrics_registry import Metric
from ..ranking import Ranked, best_so_far
from ..rows import Board, Entry
from .charts import Dot, best_chart, scatter_chart
from .face import Face
from .links import web
from .queries import reproduced_ids, shared_models
from .ranked import BoardRows
from .table import PAGE, Query, make_rows
from .words import KIND_WORDS, KINDS, alpha_words, arrow, day, detail, plural, tidy

__all__ = ["board_page", "compare_page", "has_checks", "heading", "partners"]

_SHARED_LIMIT = 2000  # rows: of a larger board the other boards of its models are not looked for
_UNSAID = "unspecified"


def heading(face: Face, board: Board) -> dict[str, Any]:
    """What a board is called, with links."""
    name = face.names()[board.id]
    return {
        "id": board.id,
        "slug": board.slug,
        "href": face.links("boards", board.slug),
        "task": tidy(name.task),
        "task_href": face.links("tasks", name.task_slug),
        "dataset": tidy(name.dataset),
        "dataset_href": face.links("datasets", name.dataset_slug),
        "split": "" if board.split == _UNSAID else tidy(board.split, 60),
        "protocol": "" if board.protocol == _UNSAID else tidy(board.protocol, 80),
        "title": f"{tidy(name.task)} on {tidy(name.dataset)}",
    }


def board_page(
    face: Face,
    board: Board,
    *,
    metric: str | None = None,
    query: Query | None = None,
    page: int = 1,
) -> dict[str, Any]:
    """A board's page as plain data.

    Args:
        face: Of the page.
        board: Which.
        metric: One of its metrics; the first where it has no such.
        query: Sorting and filters (live).
        page: Of the table.
    """
    name = metric if metric in board.metrics else next(iter(board.metrics), "")
    found = face.rows(board, name)
    others = tuple(m for m in board.metrics if m != name)[:4]
    query = query or Query()
    rows = make_rows(face, board.id, found.metric, found.rows, query=query, page=page,
                     others=others)  # fmt: skip
    protocol = face.store.protocols.describe(board.protocol)
    kinds = [k for k in KINDS if any(r.entry.kind == k for r in found.rows)]
    return {
        "board": heading(face, board),
        "description": tidy(board.description, 600),
        "protocol": {"name": protocol.name, "title": protocol.title, "text": protocol.description},
        "metric": metric_facts(found.metric),
        "metrics": [_choice(face, board, m, name) for m in board.metrics],
        "others": [metric_facts(face.store.metrics.get(m)) for m in others],
        "rows": rows,
        "all": len(found.rows),
        "query": query,
        "best": _best(face, found.best),
        "chart": _over_time(face, found.rows, found.metric),
        "kinds": [{"name": k, "words": KIND_WORDS[k]} for k in kinds],
        "methods": _methods(face, found.rows),
        "checks": has_checks(face, found),
        "ties": any(i["tied"] for i in rows.items),
        "oracle": any(i["oracle"] for i in rows.items),
        "partners": partners(face, board),
        "size": PAGE,
        "citations": [c for c in map(_link, board.dataset_links) if c],
    }


def has_checks(face: Face, found: BoardRows) -> bool:
    """Whether any row of a board was run again, or runs one again."""
    if any(r.entry.kind == "reproduced" for r in found.rows):
        return True
    return bool(reproduced_ids(face.store, found.board.id))


def _choice(face: Face, board: Board, metric: str, now: str) -> dict[str, Any]:
    return {
        "name": tidy(metric, 80),
        "now": metric == now,
        "href": face.links("boards", board.slug, metric=metric),
    }


def _link(data: Any) -> dict[str, str] | None:
    url = web(data.get("url")) if isinstance(data, dict) else None
    return {"url": url, "title": tidy(data.get("title") or url, 100)} if url else None


def metric_facts(metric: Metric) -> dict[str, Any]:
    """A metric for a column's head."""
    sign, words = arrow(metric)
    return {
        "name": tidy(metric.name, 80),
        "arrow": sign,
        "direction": words,
        "unit": metric.unit,
        "known_from": metric.known_from,
        "note": metric.note,
        "ranked": metric.ranked,
    }


def _best(face: Face, best: Ranked | None) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "model": tidy(best.entry.model_name, 120),
        "detail": detail(best.entry, best.result),
        "raw": tidy(best.result.raw, 40),
        "kind": best.entry.kind,
        "href": face.links("rows", best.entry.id),
    }


def _methods(face: Face, rows: Sequence[Ranked]) -> list[tuple[int, str]]:
    ids = {r.entry.method_id for r in rows if r.entry.method_id is not None}
    if not 1 < len(ids) <= 60:
        return []
    named = [(i, face.store.methods.by_id(i).name) for i in ids]
    return sorted(((i, tidy(n, 60)) for i, n in named), key=lambda p: p[1].lower())


def _over_time(face: Face, rows: Sequence[Ranked], metric: Metric) -> Node | None:
    dots = []
    for p in best_so_far([r for r in rows if r.rank is not None], metric):
        try:
            when = date.fromisoformat(p.date[:10]).toordinal()
        except ValueError:
            continue
        words = f"{tidy(p.entry.model_name, 80)}, {tidy(p.entry.backbone, 60)}".rstrip(", ")
        tip = f"{words}: {p.value:g} ({day(p.date)})" + (", best so far" if p.best else "")
        href = face.links("rows", p.entry.id)
        dots.append(Dot(when, p.value, words, tip, href, 2 if p.best else 0, p.best))
    sign, _ = arrow(metric)
    return best_chart("best", f"Best {tidy(metric.name, 60)} so far", f"{tidy(metric.name, 60)} "
                      f"{sign}", dots, lower=metric.direction == "lower")  # fmt: skip


# one board against another


def partners(face: Face, board: Board, most: int = 8) -> list[dict[str, Any]]:
    """Boards that hold the same models, for a scatter: in-distribution ones first."""
    if face.sizes().get(board.id, 0) > _SHARED_LIMIT:
        return []
    found = []
    alive = {b.id: b for b in face.shown([face.store.boards.by_id(i) for i, _ in
                                          shared_models(face.store, board.id)])}  # fmt: skip
    for other_id, n in shared_models(face.store, board.id):
        if other_id not in alive or n < 4:
            continue
        other = alive[other_id]
        x, y = order(face, board, other)
        found.append({
            "board": heading(face, other),
            "n": n,
            "id_first": is_id(face, other) and not is_id(face, board),
            "pair": (x.id, y.id),
            "href": face.links("compare", f"{x.id}-{y.id}"),
        })  # fmt: skip
    found.sort(key=lambda p: (not p["id_first"], -p["n"]))
    return found[:most]


def is_id(face: Face, board: Board) -> bool:
    """Whether a board measures in distribution, as far as its split and its data set tell."""
    words = set(board.split.replace("-", " ").split())
    if words & {"ID"}:
        return True
    if words & {"OOD"}:
        return False
    tags = {t.fold for t in face.store.tasks.of_dataset(board.dataset_id)}
    if "domain generalization" in tags:
        # Of our own runs the shifts are splits of one data set: its test split is in distribution.
        return board.split in ("test", "val") and f"-{board.split}-" in board.protocol
    return True


def order(face: Face, one: Board, two: Board) -> tuple[Board, Board]:
    """The in-distribution board across, the other up."""
    if is_id(face, one) != is_id(face, two):
        return (one, two) if is_id(face, one) else (two, one)
    return (one, two) if one.id < two.id else (two, one)


def _same(entry: Entry, words: str) -> tuple[Any, ...]:
    """What makes two rows of different boards the same model."""
    run = (entry.source.run, entry.source.recipe)
    return (entry.kind, entry.paper_id, entry.model_name, entry.backbone, entry.setting, words, run)


def compare_page(face: Face, across: Board, up: Board) -> dict[str, Any]:
    """Every model that both boards have, with links to its row on the second."""
    a, b = face.rows(across), face.rows(up)
    xs = {_same(r.entry, alpha_words(r.result)): r for r in a.rows if r.result.value is not None}
    pairs = [
        (xs[key], r)
        for r in b.rows
        if r.result.value is not None and (key := _same(r.entry, alpha_words(r.result))) in xs
    ]
    names: dict[str, int] = {}
    for _, r in pairs:
        names[r.entry.model_name] = names.get(r.entry.model_name, 0) + 1
    hues = {n: i + 1 for i, n in enumerate(sorted(names, key=lambda n: (-names[n], n))[:6])}
    dots, lines = [], []
    for x, y in pairs:
        words = f"{tidy(y.entry.model_name, 80)} ({detail(y.entry, y.result)})"
        tip = f"{words}: {tidy(x.result.raw, 20)} and {tidy(y.result.raw, 20)}"
        href = face.links("rows", y.entry.id)
        assert x.result.value is not None and y.result.value is not None
        hue = hues.get(y.entry.model_name, 0)
        dots.append(Dot(x.result.value, y.result.value, words, tip, href, hue, True))
        lines.append({"model": tidy(y.entry.model_name, 120), "detail": detail(y.entry, y.result),
                      "x": tidy(x.result.raw, 40), "y": tidy(y.result.raw, 40), "href": href,
                      "x_key": x.result.value, "y_key": y.result.value, "kind": y.entry.kind,
                      "x_href": face.links("rows", x.entry.id)})  # fmt: skip
    head_x, head_y = heading(face, across), heading(face, up)
    odds = all(m.metric.unit == "%" for m in (a, b)) and all(1 < v < 99 for d in dots
                                                            for v in (d.x, d.y))  # fmt: skip
    axes = (f"{head_x['dataset']} {head_x['split']}, {a.metric.name}",
            f"{head_y['dataset']} {head_y['split']}, {b.metric.name}")  # fmt: skip
    title = f"{head_y['dataset']} against {head_x['dataset']}"
    return {
        "x": head_x,
        "y": head_y,
        "x_metric": metric_facts(a.metric),
        "y_metric": metric_facts(b.metric),
        "chart": scatter_chart("scatter", title, axes, dots, odds=odds) if len(dots) > 1 else None,
        "key": [{"name": tidy(n, 60), "hue": h} for n, h in hues.items()],
        "more": len(names) > len(hues),
        "lines": lines,
        "title": title,
        "odds": odds,
        "told": plural(len(lines), "model"),
    }
