"""Models above a baseline line on logit axes, with their distance from it. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...drawing.axes import Frame, percent
from ...drawing.labels import Box, place, shorten
from ...drawing.marks import cross, point, text
from ...drawing.scale import Logit, logit
from ...drawing.svg import Node, clip, el, figure, path
from .guides import Baseline, guides, line_boxes
from .plane import Dot

__all__ = ["Above", "robust_chart"]


@dataclass(frozen=True)
class Above:
    """A model with its distance from the line.

    Attributes:
        dot: Where it is, fractions with their intervals.
        foot: What the line predicts at its ID accuracy, a fraction.
        words: The distance: "+8.3".
    """

    dot: Dot
    foot: float
    words: str


def robust_chart(
    name: str,
    title: str,
    desc: str,
    models: Sequence[Above],
    crowd: Sequence[tuple[str, float, float]],
    baseline: Baseline,
    *,
    axes: tuple[str, str],
    width: float = 860,
    height: float = 540,
) -> Node:
    """Faint dots for the baseline's models, its line, and each model with a drop to the line.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: Likewise, with the numbers.
        models: Ours.
        crowd: (name, x, y) of the baseline's models, fractions.
        baseline: The line through them.
        axes: Names of the axis across and the axis down.
        width: Pixels.
        height: Pixels.
    """
    xs = [v for m in models for v in m.dot.x] + [x for _, x, _ in crowd]
    ys = [v for m in models for v in m.dot.y] + [y for _, _, y in crowd]
    ys += [m.foot for m in models]
    frame = Frame(Logit(*_ends(xs), 46, width - 14), Logit(*_ends(ys), height - 48, 26))
    b = frame.box
    back, soft = guides(frame, [baseline])
    for m in models:
        x = frame.x(m.dot.x[0])
        soft += line_boxes([(x, frame.y(m.dot.y[0])), (x, frame.y(m.foot))])
    faint = [
        el("circle", el("title", f"{who}: ID {100 * x:.1f} %, shift {100 * y:.1f} %"),
           cx=frame.x(x), cy=frame.y(y), r=2.4)
        for who, x, y in crowd
    ]  # fmt: skip
    return figure(
        name, width, height, title, desc,
        el(
            "g",
            frame.grid_y(frame.y.ticks(7), percent),
            frame.grid_x(frame.x.ticks(9), percent),
            text(b.left - 40, 13, shorten(f"↑ {axes[1]}", b.right, 12), style="axis-name"),
            text(b.right, b.bottom + 38, f"{axes[0]} →", anchor="end", style="axis-name"),
        ),
        el("g", faint, class_="crowd", fill="var(--faint)", opacity=0.55),
        back,
        clip(f"{name}-clip", b.left, b.top, b.right, b.bottom),
        [_drop(frame, m) for m in models],
        _names(frame, models, soft),
    )  # fmt: skip


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """A domain around fractions, padded on the logit axis."""
    flat = [logit(v) for v in values]
    extra = max(0.05 * (max(flat) - min(flat)), 0.1)
    low, high = min(flat) - extra, max(flat) + extra
    return 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))


def _drop(frame: Frame, m: Above) -> Node:
    """The mark with its whiskers, and the way down to the line."""
    d = m.dot
    x, y = frame.x(d.x[0]), frame.y(d.y[0])
    tip = f"{d.label}: ID {100 * d.x[0]:.1f} %, shift {100 * d.y[0]:.1f} %, {m.words} points"
    return el(
        "g",
        el("path", class_="line thin dashed", d=path([(x, y), (x, frame.y(m.foot))])),
        cross(x, y, (frame.x(d.x[1]), frame.x(d.x[2])), (frame.y(d.y[1]), frame.y(d.y[2]))),
        point(x, y, shape=d.hue, r=6, tip=tip),
        class_=f"h{d.hue}",
    )


def _names(frame: Frame, models: Sequence[Above], soft: Sequence[Box]) -> list[Node]:
    b = frame.box
    room = Box(b.left + 2, b.top + 2, b.right - 2, b.bottom - 2)
    spots = [(frame.x(m.dot.x[0]), frame.y(m.dot.y[0])) for m in models]
    marks = [Box(x - 8, y - 8, x + 8, y + 8) for x, y in spots]
    wanted = [
        (x, y, shorten(f"{m.dot.label}  {m.words}", 0.8 * (b.right - b.left), 13))
        for (x, y), m in zip(spots, models, strict=True)
    ]
    found = place(wanted, room, marks, lines=soft, size=13, away=11)
    return [
        text(s.x, s.y, w[2], anchor=s.anchor, style=f"name strong h{m.dot.hue}")
        for s, w, m in zip(found, wanted, models, strict=True)
    ]
