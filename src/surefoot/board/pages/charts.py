"""Charts of the board as SVG. No torch here.

Marks that lead somewhere are links with a name, so that keyboard and screen reader reach them; the
same numbers stand in a table on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ...drawing.axes import Frame
from ...drawing.labels import Box as Area
from ...drawing.labels import dodge, shorten, text_width
from ...drawing.marks import line, point, text
from ...drawing.scale import Linear, span
from ...drawing.svg import Node, el, figure, num, path
from ...report.charts import Series

__all__ = ["MOST", "Dot", "alpha_chart", "best_chart", "group_chart", "mark", "spark"]

WIDE, TALL = 980, 300
MOST = 300
"""Marks of results that were not the best of their time, about; more is not seen."""


@dataclass(frozen=True)
class Dot:
    """One result that leads to its row.

    Attributes:
        x: Across: a number, or days since 0001-01-01 in :func:`best_chart`.
        y: Up.
        label: Its model.
        tip: All about it.
        href: Its row's page; "" for none.
        hue: Colour and shape, 0 to 7.
        strong: Drawn large and labelled.
    """

    x: float
    y: float
    label: str
    tip: str
    href: str = ""
    hue: int = 0
    strong: bool = False


def group_chart(
    name: str, size: tuple[float, float], title: str, desc: str, parts: list[Node]
) -> Node:
    """As ``figure``, but a group: what is inside an image cannot be reached."""
    return el(
        "svg",
        el("title", title, id=f"{name}-title"),
        el("desc", desc, id=f"{name}-desc"),
        parts,
        class_="chart",
        viewBox=f"0 0 {num(size[0])} {num(size[1])}",
        width=size[0],
        height=size[1],
        role="group",
        aria_labelledby=f"{name}-title {name}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )


def mark(x: float, y: float, dot: Dot, r: float) -> Node:
    """A mark that leads to its row; only strong ones are stops of the keyboard."""
    shown = point(x, y, shape=dot.hue, r=r, hollow=not dot.strong)
    if not dot.href:
        return el("g", el("title", dot.tip), shown, class_=f"h{dot.hue}")
    return el(
        "a",
        shown,
        href=dot.href,
        aria_label=dot.tip,
        data_tip=dot.tip,
        class_=f"h{dot.hue}",
        tabindex=None if dot.strong else "-1",
    )


def _labels(frame: Frame, dots: Sequence[Dot], size: float = 12) -> list[Node]:
    """Names of dots above their marks, the best first, where they find room."""
    b = frame.box
    out: list[Node] = []
    taken: list[Area] = []
    for dot in reversed(dots):
        x, y = frame.x(dot.x), frame.y(dot.y) - 11
        words = shorten(dot.label, 230, size)
        wide = text_width(words, size)
        side = "end" if x + wide / 2 > b.right else "start" if x - wide / 2 < b.left else "middle"
        left = {"end": x - wide, "start": x, "middle": x - wide / 2}[side]
        area = Area(left - 4, y - size, left + wide + 4, y + 4)
        if any(area.overlap(t) > 0 for t in taken):
            continue
        taken.append(area)
        shift = {"end": 6, "start": -6, "middle": 0}[side]
        out.append(text(x + shift, y, words, anchor=side, style=f"name h{dot.hue}"))
    return out


def _dates(low: float, high: float) -> list[tuple[float, str]]:
    """Round dates: years, or quarters where there are too few."""
    first, last = date.fromordinal(int(low)).year, date.fromordinal(int(high)).year
    step = max(1, -(-(last - first + 1) // 9))
    years = [date(y, 1, 1) for y in range(first, min(last, 9998) + 2, step)]
    ticks = [(float(d.toordinal()), str(d.year)) for d in years]
    if sum(low <= t <= high for t, _ in ticks) < 3:
        months = [date(y, m, 1) for y in range(first, last + 1) for m in (1, 4, 7, 10)]
        ticks = [(float(d.toordinal()), f"{d:%b %Y}") for d in months]
    return [(t, words) for t, words in ticks if low <= t <= high]


def best_chart(
    name: str,
    title: str,
    axis: str,
    dots: Sequence[Dot],
    *,
    lower: bool = False,
    total: int | None = None,
) -> Node | None:
    """The best so far over time: a stair through the strong dots, the others hollow.

    Args:
        name: Unique on the page.
        title: For screen readers.
        axis: The metric, with its arrow.
        dots: ``x`` is the date's ordinal; strong ones were the best when they came.
        total: How many results there are, where only some are drawn.
        lower: Lower is better (only the words say so; the axis is not turned).

    Returns:
        None without at least two dates: one date has no course.
    """
    if len({d.x for d in dots}) < 2:
        return None
    best = [d for d in dots if d.strong]
    weak = [d for d in dots if not d.strong]
    days = [d.x for d in dots]
    pad = max(40.0, (max(days) - min(days)) * 0.04)
    across = Linear(min(days) - pad, max(days) + pad, 48, WIDE - 20)
    low, high = span([d.y for d in dots], least=1e-6, bounds=(-1e18, 1e18))
    frame = Frame(across, Linear(low, high, TALL - 36, 30))
    stair: list[tuple[float, float]] = []
    for dot in best:
        if stair:
            stair.append((frame.x(dot.x), stair[-1][1]))
        stair.append((frame.x(dot.x), frame.y(dot.y)))
    stair.append((frame.box.right, stair[-1][1]))
    last = best[-1]
    better = "Lower" if lower else "Higher"
    desc = (
        f"{total or len(dots)} dated results; the best so far went from {best[0].y:g} "
        f"({best[0].label}) to {last.y:g} ({last.label}). {better} is better."
    )
    days_shown = _dates(across.low, across.high)
    parts = [
        frame.grid_y(frame.y.ticks(5), lambda v: f"{v:g}"),
        frame.grid_x([d for d, _ in days_shown], lambda d: dict(days_shown)[d]),
        text(8, 14, axis, style="axis-name"),
        *[mark(frame.x(d.x), frame.y(d.y), d, 3.6) for d in weak],
        el("g", line(stair), class_="h2"),
        *[mark(frame.x(d.x), frame.y(d.y), d, 5.5) for d in best],
        *_labels(frame, best),
    ]
    return group_chart(name, (WIDE, TALL), title, desc, parts)


def spark(values: Sequence[float], width: float = 240, height: float = 34) -> Node:
    """All results of a board as ticks on a line, the first (best) one marked; decoration only."""
    low, high = min(values), max(values)
    scale = Linear(low, high, 6, width - 8) if high > low else Linear(low - 1, high + 1, 6, width)
    middle = height / 2
    step = max(1, len(values) // 150)
    ticks = [
        el("path", class_="tickmark", d=path([(scale(v), middle - 7), (scale(v), middle + 7)]))
        for v in values[::step]
    ]
    return el(
        "svg",
        el("path", class_="axis", d=path([(0, middle), (width, middle)])),
        ticks,
        el("g", point(scale(values[0]), middle, r=5.5), class_="h2"),
        class_="spark",
        preserveAspectRatio="xMinYMid",
        viewBox=f"0 0 {num(width)} {num(height)}",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )


def alpha_chart(name: str, title: str, lines: Sequence[Series], axis: str) -> Node:
    """Scores along the path from the pretrained (0) to the fine-tuned model (1).

    Args:
        name: Unique on the page.
        title: For screen readers.
        lines: One per data set, in the metric's own unit; the first is drawn strong.
        axis: The metric.
    """
    width, height = 680.0, 410.0
    right = width - 192
    values = [v for one in lines for v in one.y]
    low, high = span(values, least=1e-6, bounds=(-1e18, 1e18))
    frame = Frame(Linear(0, 1, 44, right), Linear(low, high, height - 44, 28))
    desc = "; ".join(
        f"{one.label}: {one.y[0]:g} at α = {one.x[0]:g}, best {max(one.y):g} at α = "
        f"{one.x[one.y.index(max(one.y))]:g}, {one.y[-1]:g} at α = {one.x[-1]:g}"
        for one in lines
    )
    ends = dodge([frame.y(one.y[-1]) for one in lines], 15, frame.box.top, frame.box.bottom)
    parts: list[Node] = [
        frame.grid_y(frame.y.ticks(6), lambda v: f"{v:g}"),
        frame.grid_x([0, 0.25, 0.5, 0.75, 1], lambda v: f"{v:g}"),
        text(8, 14, axis, style="axis-name"),
        text(44, height - 6, "α = 0: pretrained", style="axis-name"),
        text(right, height - 6, "fine-tuned: α = 1", anchor="end", style="axis-name"),
    ]
    for one, y in zip(lines, ends, strict=True):
        pixels = [(frame.x(a), frame.y(v)) for a, v in zip(one.x, one.y, strict=True)]
        top = one.y.index(max(one.y))
        tip = f"{one.label}: best {one.y[top]:g} at α = {one.x[top]:g}"
        name_at = text(frame.box.right + 12, y + 4, shorten(one.label, 164, 12), style="name")
        best = el("g", el("title", tip), point(*pixels[top], r=4.4, shape=one.hue))
        parts.append(
            el("g", line(pixels, "" if one is lines[0] else "thin"), best, name_at,
               class_=f"h{one.hue}")
        )  # fmt: skip
    return figure(name, width, height, title, desc, parts)
