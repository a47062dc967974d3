"""One board against another: which pairs, and the models that both have."""

from __future__ import annotations

from typing import Any

from ..store.ranking import Standing
from ..store.rows import Board, Brief
from .charts import Dot
from .headings import heading, metric_facts
from .page_context import PageContext
from .queries import shared_models
from .scatter import scatter_chart
from .words import alpha_words, detail, plural, tidy

__all__ = ["compare_page", "is_id", "order", "partners"]

_SHARED_LIMIT = 2000  # rows: of a larger board the other boards of its models are not looked for


def partners(context: PageContext, board: Board, most: int = 8) -> list[dict[str, Any]]:
    """Boards that hold the same models, for a scatter: in-distribution ones first."""
    if context.sizes().get(board.id, 0) > _SHARED_LIMIT:
        return []
    found: list[dict[str, Any]] = []
    alive = {b.id: b for b in context.shown([context.store.boards.by_id(i) for i, _ in
                                          shared_models(context.store, board.id)])}  # fmt: skip
    for other_id, n in shared_models(context.store, board.id):
        if other_id not in alive or n < 4:
            continue
        other = alive[other_id]
        x, y = order(context, board, other)
        found.append({
            "board": heading(context, other),
            "n": n,
            "id_first": is_id(context, other) and not is_id(context, board),
            "pair": (x.id, y.id),
            "href": context.links("compare", f"{x.id}-{y.id}"),
        })  # fmt: skip
    found.sort(key=lambda p: (not p["id_first"], -p["n"]))
    return found[:most]


def is_id(context: PageContext, board: Board) -> bool:
    """Whether a board measures in distribution, as far as its split and its data set tell."""
    words = set(board.split.replace("-", " ").split())
    if words & {"ID"}:
        return True
    if words & {"OOD"}:
        return False
    tags = {t.fold for t in context.store.tasks.of_dataset(board.dataset_id)}
    if "domain generalization" in tags:
        # Of our own runs the shifts are splits of one data set: its test split is in distribution.
        return board.split in ("test", "val") and f"-{board.split}-" in board.protocol
    return True


def order(context: PageContext, one: Board, two: Board) -> tuple[Board, Board]:
    """The in-distribution board across, the other up."""
    if is_id(context, one) != is_id(context, two):
        return (one, two) if is_id(context, one) else (two, one)
    return (one, two) if one.id < two.id else (two, one)


def _same(entry: Brief, words: str) -> tuple[Any, ...]:
    """What makes two rows of different boards the same model."""
    run = (entry.run, entry.recipe)
    return (entry.kind, entry.paper_id, entry.model_name, entry.backbone, entry.setting, words, run)


def _one_model(row: Standing) -> bool:
    """Whether a row says which model it is: an oracle takes another alpha on every data set."""
    r = row.result
    return r.value is not None and (r.selection != "oracle" or r.alpha is not None)


def _named(head: dict[str, Any]) -> str:
    """A board in few words: "Pictograms sketch, kNN"."""
    return " ".join(w for w in (head["dataset"], head["variant"]) if w)


def compare_page(context: PageContext, across: Board, up: Board) -> dict[str, Any]:
    """Every model that both boards have, with links to its row on the second."""
    a, b = context.rows(across), context.rows(up)
    xs = {_same(r.entry, alpha_words(r.result)): r for r in a.rows if _one_model(r)}
    both = [(xs.get(_same(r.entry, alpha_words(r.result))), r) for r in b.rows if _one_model(r)]
    pairs = [(x, y) for x, y in both if x is not None]
    oracle = any(r.result.selection == "oracle" and not _one_model(r) for r in b.rows)
    names: dict[str, int] = {}
    for _, r in pairs:
        names[r.entry.model_name] = names.get(r.entry.model_name, 0) + 1
    hues = {n: i + 1 for i, n in enumerate(sorted(names, key=lambda n: (-names[n], n))[:6])}
    dots = []
    for x, y in pairs:
        words = f"{tidy(y.entry.model_name, 80)} ({detail(y.entry, y.result)})"
        tip = f"{words}: {tidy(x.result.raw, 20)} and {tidy(y.result.raw, 20)}"
        href = context.links("rows", y.entry.id)
        a_value, b_value = x.result.value or 0.0, y.result.value or 0.0
        hue = hues.get(y.entry.model_name, 0)
        dots.append(Dot(a_value, b_value, words, tip, href, hue, True))
    head_x, head_y = heading(context, across), heading(context, up)
    odds = all(m.metric.unit == "%" for m in (a, b)) and all(1 < v < 99 for d in dots
                                                            for v in (d.x, d.y))  # fmt: skip
    axes = (f"{_named(head_x)}, {a.metric.name}", f"{_named(head_y)}, {b.metric.name}")
    title = f"{_named(head_y)} against {_named(head_x)}"
    return {
        "x": {**head_x, "named": _named(head_x)},
        "y": {**head_y, "named": _named(head_y)},
        "x_metric": metric_facts(a.metric),
        "y_metric": metric_facts(b.metric),
        "chart": scatter_chart("scatter", title, axes, dots, odds=odds) if len(dots) > 1 else None,
        "key": [{"name": tidy(n, 60), "hue": h} for n, h in hues.items()],
        "more": len(names) > len(hues),
        "lines": pairs,
        "title": title,
        "odds": odds,
        "oracle": oracle,
        "told": plural(len(pairs), "model"),
    }
