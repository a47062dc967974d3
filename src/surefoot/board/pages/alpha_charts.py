"""Scores along the path from the pretrained to the fine-tuned model. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...drawing.axes import Frame
from ...drawing.labels import shorten
from ...drawing.marks import line, point, text
from ...drawing.scale import Linear, span
from ...drawing.svg import Node, el, figure

__all__ = ["LinePoints", "alpha_chart", "plane_chart"]


@dataclass(frozen=True)
class LinePoints:
    """One line over alpha."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    hue: int = 0
    strong: bool = False


def alpha_chart(name: str, title: str, lines: Sequence[LinePoints], axis: str) -> Node:
    """Scores along the path from the pretrained (0) to the fine-tuned model (1).

    Args:
        name: Unique on the page.
        title: For screen readers.
        lines: One per data set.
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
    ends = _spread([frame.y(one.y[-1]) for one in lines], 15.0, frame.box.top, frame.box.bottom)
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
            el("g", line(pixels, "" if one.strong else "thin"), best, name_at,
               class_=f"h{one.hue}")
        )  # fmt: skip
    return figure(name, width, height, title, desc, parts)


def plane_chart(
    name: str, title: str, axes: tuple[str, str], points: Sequence[tuple[float, float, float]]
) -> Node:
    """One path in the plane of two scores, from the pretrained to the fine-tuned model.

    Args:
        name: Unique on the page.
        title: For screen readers.
        axes: What is across and what is up.
        points: (alpha, across, up), in order of alpha.
    """
    width, height = 440.0, 330.0
    across = Linear(*_room([p[1] for p in points], 0.14), 46, width - 16)
    frame = Frame(across, Linear(*_room([p[2] for p in points], 0.14), height - 48, 30))
    pixels = [(frame.x(x), frame.y(y)) for _, x, y in points]
    marks: list[Node] = []
    ends = {0: "pretrained", len(points) - 1: "fine-tuned"}
    top = max(range(len(points)), key=lambda i: points[i][2])
    half = next((i for i, p in enumerate(points) if abs(p[0] - 0.5) < 1e-9), None)
    for i, (alpha, x, y) in enumerate(points):
        strong = i in ends or i in (half, top)
        tip = f"α = {alpha:g}: {x:g} and {y:g}"
        dot = point(*pixels[i], r=5.5 if strong else 2.6, hollow=i == 0)
        marks.append(el("g", el("title", tip), dot))
        words = ends.get(i) or (f"α = {alpha:g}" if i == half else "")
        if words:
            side = "end" if pixels[i][0] > width * 0.6 else "start"
            step = -10 if side == "end" else 10
            marks.append(
                text(pixels[i][0] + step, pixels[i][1] + 15, words, anchor=side, style="name")
            )
    first, last = points[0], points[-1]
    desc = (
        f"From {first[1]:g} and {first[2]:g} at α = {first[0]:g} over {points[top][1]:g} and "
        f"{points[top][2]:g} at α = {points[top][0]:g} to {last[1]:g} and {last[2]:g}."
    )
    parts = [
        frame.grid_y(frame.y.ticks(5), lambda v: f"{v:g}"),
        frame.grid_x(across.ticks(5), lambda v: f"{v:g}"),
        text(8, 14, shorten(f"↑ {axes[1]}", width - 10, 12), style="axis-name"),
        text(width - 16, height - 10, shorten(f"{axes[0]} →", width - 60, 12), anchor="end",
             style="axis-name"),
        el("g", line(pixels), marks, class_="h2"),
    ]  # fmt: skip
    return figure(name, width, height, title, desc, parts)


def _room(values: Sequence[float], pad: float) -> tuple[float, float]:
    return span(values, least=1e-6, pad=pad, bounds=(-1e18, 1e18))


def _spread(ys: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Heights moved apart to ``gap``, in the same order."""
    order = sorted(range(len(ys)), key=lambda i: ys[i])
    out = list(ys)
    for before, i in pairwise(order):
        out[i] = max(out[i], out[before] + gap)
    over = max(0.0, (out[order[-1]] if order else 0.0) - bottom)
    out = [y - over for y in out]
    for i, after in reversed(list(pairwise(order))):
        out[i] = min(out[i], out[after] - gap)
    return out
