"""Points, lines, bands and whiskers. Colours come from CSS classes ``h0`` to ``h7``. No torch here.

Series differ in shape as well as in colour, so that a print in grey still reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .svg import Node, el, path

__all__ = ["SHAPES", "band", "cross", "line", "point", "text", "tick_dots"]

SHAPES = ("circle", "square", "diamond", "triangle", "down", "plus", "hexagon", "bar")
"""Shape number -> name."""


def _outline(shape: str, x: float, y: float, r: float) -> str:
    if shape == "plus":
        a, b = r * 1.15, r * 0.42
        turn = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b)]
        turn += [(b, a), (-b, a), (-b, b), (-a, b), (-a, -b), (-b, -b)]
        return path([(x + dx, y + dy) for dx, dy in turn], close=True)
    sides, start, grow = {
        "square": (4, 45.0, 1.25),
        "diamond": (4, 0.0, 1.3),
        "triangle": (3, -90.0, 1.3),
        "down": (3, 90.0, 1.3),
        "hexagon": (6, 0.0, 1.1),
        "bar": (4, 45.0, 1.25),
    }[shape]
    turns = [math.radians(start + 360 * i / sides) for i in range(sides)]
    squeeze = 0.5 if shape == "bar" else 1
    spots = [(x + squeeze * r * grow * math.cos(a), y + r * grow * math.sin(a)) for a in turns]
    return path(spots, close=True)


def point(
    x: float,
    y: float,
    *,
    shape: int = 0,
    r: float = 5,
    hollow: bool = False,
    tip: str = "",
    style: str = "",
) -> Node:
    """One mark; ``tip`` is its text for pointers, keyboards and screen readers."""
    name = SHAPES[shape % len(SHAPES)]
    classes = " ".join(filter(None, ("mark", "hollow" if hollow else "", style)))
    about = {"tabindex": "0", "role": "img", "aria_label": tip, "data_tip": tip} if tip else {}
    if name == "circle":
        return el("circle", class_=classes, cx=x, cy=y, r=r, **about)
    return el("path", class_=classes, d=_outline(name, x, y, r), **about)


def line(points: Sequence[tuple[float, float]], style: str = "") -> Node:
    """A line through points."""
    return el("path", class_=f"line {style}".strip(), d=path(points))


def band(xs: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> Node:
    """A filled band between two lines, all in pixels."""
    ring = [*zip(xs, highs, strict=True), *reversed(list(zip(xs, lows, strict=True)))]
    return el("path", class_="band", d=path(ring, close=True))


def cross(x: float, y: float, xs: tuple[float, float], ys: tuple[float, float]) -> Node:
    """Whiskers through (x, y): across from xs[0] to xs[1], down from ys[0] to ys[1]."""
    across = path([(xs[0], y), (xs[1], y)])
    down = path([(x, ys[0]), (x, ys[1])])
    return el("path", class_="whisker", d=across + down)


def tick_dots(points: Sequence[tuple[float, float]]) -> Node:
    """Small dots along a path."""
    return el("g", [el("circle", cx=x, cy=y, r=1.8) for x, y in points], class_="dots")


def text(
    x: float, y: float, words: str, *, anchor: str = "start", style: str = "", turn: float = 0
) -> Node:
    """A text, its baseline at y."""
    rotate = f"rotate({turn:g} {x:.1f} {y:.1f})" if turn else None
    end = None if anchor == "start" else anchor
    return el("text", words, x=x, y=y, text_anchor=end, class_=style or None, transform=rotate)
