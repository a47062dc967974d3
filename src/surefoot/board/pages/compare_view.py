"""One board against another: which pairs, and the models that both have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...drawing.axes import Frame
from ...drawing.labels import shorten
from ...drawing.marks import line, text
from ...drawing.scale import Linear, Logit, Scale, span
from ...drawing.svg import Node, clip, el
from ..store.ranking import Standing
from ..store.results import Board, Brief
from .charts import Dot, group_chart, mark
from .page_context import PageContext
from .queries import shared_models
from .words import alpha_words, detail, metric_facts, plural, tidy

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
            "board": context.heading(other),
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


def _one_model(one: Standing) -> bool:
    """Whether a row says which model it is: an oracle takes another alpha on every data set."""
    r = one.row
    return r.value is not None and (r.selection != "oracle" or r.alpha is not None)


def _named(head: dict[str, Any]) -> str:
    """A board in few words: "Pictograms sketch, kNN"."""
    return " ".join(w for w in (head["dataset"], head["variant"]) if w)


def compare_page(context: PageContext, across: Board, up: Board) -> dict[str, Any]:
    """Every model that both boards have, with links to its row on the second."""
    a, b = context.rows(across), context.rows(up)
    xs = {_same(r.row, alpha_words(r.row)): r for r in a.rows if _one_model(r)}
    both = [(xs.get(_same(r.row, alpha_words(r.row))), r) for r in b.rows if _one_model(r)]
    pairs = [(x, y) for x, y in both if x is not None]
    oracle = any(r.row.selection == "oracle" and not _one_model(r) for r in b.rows)
    names: dict[str, int] = {}
    for _, r in pairs:
        names[r.row.model_name] = names.get(r.row.model_name, 0) + 1
    hues = {n: i + 1 for i, n in enumerate(sorted(names, key=lambda n: (-names[n], n))[:6])}
    dots = []
    for x, y in pairs:
        words = f"{tidy(y.row.shown, 80)} ({detail(y.row, y.row)})"
        tip = f"{words}: {tidy(x.row.raw, 20)} and {tidy(y.row.raw, 20)}"
        href = context.links("rows", y.row.id)
        a_value, b_value = x.row.value or 0.0, y.row.value or 0.0
        hue = hues.get(y.row.model_name, 0)
        dots.append(Dot(a_value, b_value, words, tip, href, hue, True))
    head_x, head_y = context.heading(across), context.heading(up)
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


def scatter_chart(
    name: str, title: str, axes: tuple[str, str], dots: Sequence[Dot], *, odds: bool
) -> Node:
    """One board against another; every mark leads to its row.

    Args:
        name: Unique on the page.
        title: For screen readers.
        axes: What is across and what is up.
        dots: With x and y; in points of a hundred where ``odds``.
        odds: Axes of log odds, on which accuracies of like models fall on a line.
    """
    width, height = 860.0, 560.0
    x_scale = _axis([d.x for d in dots], 54, width - 20, odds)
    y_scale = _axis([d.y for d in dots], height - 54, 34, odds)
    frame = Frame(x_scale, y_scale)
    b = frame.box
    unit = 100 if odds else 1
    low = max(x_scale.low, y_scale.low)
    high = min(x_scale.high, y_scale.high)
    equal: list[Node] = []
    if high > low:
        steps = [low + (high - low) * i / 60 for i in range(61)]
        equal = [line([(frame.x(v), frame.y(v)) for v in steps], "equal")]
        spot = (frame.x(steps[54]), frame.y(steps[54]))
        equal.append(text(spot[0] - 8, spot[1] - 6, "equal", anchor="end", style="guide"))

    def show(value: float) -> str:
        return f"{unit * value:.6g}"

    shift = [Dot(d.x / unit, d.y / unit, d.label, d.tip, d.href, d.hue, True) for d in dots]
    parts = [
        frame.grid_y(y_scale.ticks(6), show),
        frame.grid_x(x_scale.ticks(8), show),
        text(8, 16, shorten(f"↑ {axes[1]}", width - 20, 12), style="axis-name"),
        text(b.right, height - 10, shorten(f"{axes[0]} →", width - 60, 12), anchor="end",
             style="axis-name"),
        clip(f"{name}-clip", b.left, b.top, b.right, b.bottom),
        el("g", equal, clip_path=f"url(#{name}-clip)"),
        *[mark(frame.x(d.x), frame.y(d.y), d, 5) for d in shift],
    ]  # fmt: skip
    desc = f"{len(dots)} models; each mark leads to its row. The table below has the numbers."
    return group_chart(name, (width, height), title, desc, parts)


def _axis(values: Sequence[float], start: float, stop: float, odds: bool) -> Scale:
    if odds:
        return Logit(*span([v / 100 for v in values], least=0.02, bounds=(0, 1)), start, stop)
    return Linear(*span(values, least=1e-6, bounds=(-1e18, 1e18)), start, stop)
