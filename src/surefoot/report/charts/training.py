"""How a training went: what was logged at steps, and validation after epochs. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...drawing.axes import Frame, percent
from ...drawing.marks import band, line, point, text
from ...drawing.scale import Linear, nice_step, span
from ...drawing.svg import Node, el, figure, path

__all__ = ["Validated", "log_chart", "validation_chart"]

_MOST_MARKS = 24
"""Epochs that get a mark of their own; each is a stop of the keyboard."""


@dataclass(frozen=True)
class Validated:
    """Accuracy after one epoch.

    Attributes:
        epoch: From 1.
        step: Optimiser steps until then.
        value: A fraction.
        reach: Its 95 % interval; None where the number of images is not known.
    """

    epoch: int
    step: float
    value: float
    reach: tuple[float, float] | None = None

    def told(self) -> str:
        """In words."""
        ends = "" if self.reach is None else f", 95 % CI {_points(*self.reach)}"
        return f"epoch {self.epoch}, step {self.step:g}: {100 * self.value:.1f} %{ends}"


def _points(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _thin(points: Sequence[tuple[float, float]], most: int = 160) -> list[tuple[float, float]]:
    """At most so many points, means of equal runs; the last one stays."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / most)
    out = []
    for i in range(0, len(points), size):
        part = points[i : i + size]
        out.append((part[-1][0], sum(v for _, v in part) / len(part)))
    return out


def log_chart(
    name: str,
    title: str,
    desc: str,
    points: Sequence[tuple[float, float]],
    *,
    label: str,
    hue: int = 0,
    width: float = 320,
    height: float = 132,
) -> Node:
    """One logged quantity against the step.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: Likewise.
        points: (step, value), finite, ascending; at least two.
        label: Above the drawing.
        hue: Colour number.
        width: Pixels.
        height: Pixels.
    """
    thin = _thin(points)
    top = max(v for _, v in thin)
    low, high = min(0.0, min(v for _, v in thin)), top * 1.05 if top > 0 else 1.0
    step = nice_step(high - low, 3)
    digits = max(0, -math.floor(math.log10(step)))
    frame = Frame(
        Linear(thin[0][0], thin[-1][0], 44, width - 8), Linear(low, high, height - 22, 28)
    )

    def show(v: float) -> str:
        if v == 0:
            return "0"
        return f"{v:.0e}".replace("e-0", "e-") if digits > 3 else f"{v:.{min(digits, 3)}f}"

    curve = line([(frame.x(x), frame.y(v)) for x, v in thin], "thin")
    parts = _axes(frame, label, frame.grid_y(frame.y.ticks(3), show), hue, [curve])
    return figure(name, width, height, title, desc, parts, style="mini")


def _axes(frame: Frame, label: str, grid: Node, hue: int, drawn: Sequence[Node]) -> list[Node]:
    """What is drawn, in its frame: the label above, steps below."""
    b = frame.box
    first, last = (f"{step:g}" for step in (frame.x.low, frame.x.high))
    return [
        text(2, 14, label, style="panel-title"),
        grid,
        frame.floor(),
        text(b.left, b.bottom + 15, f"step {first}", style="tick"),
        text(b.right, b.bottom + 15, last, anchor="end", style="tick"),
        el("g", drawn, class_=f"h{hue}"),
    ]


def validation_chart(
    name: str,
    title: str,
    desc: str,
    epochs: Sequence[Validated],
    steps: tuple[float, float],
    *,
    label: str,
    hue: int = 0,
    width: float = 320,
    height: float = 132,
) -> Node:
    """Accuracy on ID validation after every epoch, below the same steps as the loss.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: Likewise, with the numbers.
        epochs: Ascending; at least one.
        steps: Ends of the axis.
        label: Above the drawing.
        hue: Colour number.
        width: Pixels.
        height: Pixels.
    """
    ends = [v for e in epochs for v in (e.value, *(e.reach or ()))]
    low, high = span(ends, least=0.1, bounds=(0, 1))
    frame = Frame(Linear(*steps, 44, width - 8), Linear(low, high, height - 22, 28))
    spots = [(frame.x(e.step), frame.y(e.value)) for e in epochs]
    known = [(frame.x(e.step), *map(frame.y, e.reach)) for e in epochs if e.reach is not None]
    parts: list[Node] = []
    if len(known) == 1:
        x, *reach = known[0]
        parts.append(el("path", class_="whisker", d=path([(x, y) for y in reach])))
    elif known:
        xs, lows, highs = zip(*known, strict=True)
        parts.append(band(xs, lows, highs))
    if len(spots) > 1:
        parts.append(line(spots, "thin"))
    every = math.ceil(len(epochs) / _MOST_MARKS)
    for e, (x, y) in zip(epochs, spots, strict=True):
        if (epochs[-1].epoch - e.epoch) % every == 0:
            parts.append(point(x, y, r=3.4, tip=f"{label.partition(',')[0]}, {e.told()}"))
    grid = frame.grid_y(frame.y.ticks(3), percent, unit=" %")
    held = _axes(frame, label, grid, hue, parts)
    return figure(name, width, height, title, desc, held, style="mini validation")
