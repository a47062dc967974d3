"""Differences with their intervals, one line each. Plain numbers in, SVG out. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..drawing import Linear, Node, el, figure
from ..drawing.marks import point, text
from ..drawing.scale import nice_step, span
from ..drawing.svg import path

__all__ = ["forest"]

_ROW = 30
_TOP = 14


def forest(name: str, title: str, parts: Sequence[Mapping[str, Any]], width: float = 430) -> Node:
    """One mark and interval per comparison, in points; the line of no difference drawn through.

    Args:
        name: Unique on the page.
        title: For screen readers.
        parts: Rows of a claim: ``text``, ``difference``, ``low``, ``high``, ``bound`` (fractions).
        width: Pixels.
    """
    points = [[100 * float(p[k]) for k in ("low", "difference", "high")] for p in parts]
    flat = [v for row in points for v in row if v == v]
    low, high = span([0.0, *flat], least=4.0, bounds=(-100.0, 100.0))
    scale = Linear(low, high, 14, width - 14)
    height = _TOP + _ROW * len(parts) + 34
    floor = height - 28
    step = nice_step(high - low, 6)
    ticks = [step * i for i in range(round(low / step) - 1, round(high / step) + 2)]
    drawn: list[Node] = []
    for tick in (t for t in ticks if low <= t <= high):
        x = scale(tick)
        drawn.append(el("path", class_="grid" if tick else "axis", d=path([(x, 6), (x, floor)])))
        label = f"{tick:+g}".replace("-", "−") if tick else "0"
        drawn.append(text(x, height - 12, label, anchor="middle", style="tick"))
    for i, (row, part) in enumerate(zip(points, parts, strict=True)):
        drawn += _line(scale, _TOP + _ROW * (i + 0.5), row, part)
    return figure(name, width, height, title, _words(parts), *drawn, style="forest")


def _line(scale: Linear, y: float, row: Sequence[float], part: Mapping[str, Any]) -> list[Node]:
    low, middle, high = row
    sure = low > 100 * part["bound"] or high < 100 * part["bound"]
    hue = ("h2" if low > 100 * part["bound"] else "h1") if sure else "h0"
    out: list[Node] = []
    if part["bound"]:
        x = scale(100 * part["bound"])
        out.append(el("path", class_="line margin", d=path([(x, y - 11), (x, y + 11)])))
    if low == low:
        ends = path([(scale(low), y), (scale(high), y)])
        out.append(el("path", class_=f"line {hue}", d=ends))
    tip = f"{part['text']}: {middle:+.1f} points, 95 % {low:+.1f} to {high:+.1f}"
    out.append(el("g", point(scale(middle), y, hollow=not part["counts"], tip=tip), class_=hue))
    return out


def _words(parts: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{p['text']}: {100 * p['difference']:+.1f} points "
        f"({100 * p['low']:+.1f} to {100 * p['high']:+.1f})"
        for p in parts
    )
