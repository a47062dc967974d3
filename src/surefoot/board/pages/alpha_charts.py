"""Scores along the path from the pretrained to the fine-tuned model. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from ...drawing.axes import Frame
from ...drawing.labels import dodge, shorten
from ...drawing.marks import line, point, text
from ...drawing.scale import Linear, span
from ...drawing.svg import Node, el, figure
from ...report.charts import Series

__all__ = ["alpha_chart"]


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
