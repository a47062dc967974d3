"""Differences with their intervals, one line each. Plain numbers in, SVG out. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..drawing import Linear, Node, el, figure
from ..drawing.marks import point, text
from ..drawing.scale import nice_step, span
from ..drawing.svg import path

__all__ = ["costs", "forest"]

_ROW = 30
_LABELLED = 48
_TOP = 14
_COST_ROW = 17


def forest(
    name: str,
    title: str,
    parts: Sequence[Mapping[str, Any]],
    width: float = 430,
    *,
    labelled: bool = False,
) -> Node:
    """One mark and interval per comparison, in points; the line of no difference drawn through.

    Args:
        name: Unique on the page.
        title: For screen readers.
        parts: Rows of a claim: ``text``, ``difference``, ``low``, ``high``, ``bound`` (fractions).
        width: Pixels.
        labelled: Write each comparison and its numbers above its line.
    """
    points = [[math.nan if p[k] is None else 100 * float(p[k])
               for k in ("low", "difference", "high")] for p in parts]  # fmt: skip
    flat = [v for row in points for v in row if v == v]
    low, high = span([0.0, *flat], least=4.0, bounds=(-100.0, 100.0))
    scale = Linear(low, high, 14, width - 14)
    each = _LABELLED if labelled else _ROW
    height = _TOP + each * len(parts) + 34
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
        y = _TOP + each * (i + (0.7 if labelled else 0.5))
        drawn += _line(scale, y, row, part)
        if labelled:
            drawn += _label(y - 17, width, row, part)
    return figure(name, width, height, title, _words(parts, points), *drawn, style="forest")


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
    tip = f"{part['text']}: {middle:+.1f} points, {_reach(low, high, '95 % ')}"
    out.append(el("g", point(scale(middle), y, hollow=not part["counts"], tip=tip), class_=hue))
    return out


def _label(y: float, width: float, row: Sequence[float], part: Mapping[str, Any]) -> list[Node]:
    low, middle, high = row
    numbers = f"{middle:+.1f}  ({_reach(low, high)})".replace("-", "−")
    aside = "" if part["counts"] else " (beside the claim)"
    return [
        text(14, y, part["text"] + aside, style="what"),
        text(width - 14, y, numbers, anchor="end", style="what tick"),
    ]


def _words(parts: Sequence[Mapping[str, Any]], points: Sequence[Sequence[float]]) -> str:
    return "; ".join(
        f"{part['text']}: {middle:+.1f} points ({_reach(low, high)})"
        for part, (low, middle, high) in zip(parts, points, strict=True)
    )


def _reach(low: float, high: float, kind: str = "") -> str:
    return f"{kind}{low:+.1f} to {high:+.1f}" if low <= high else "no interval"


def costs(name: str, title: str, rows: Sequence[Mapping[str, Any]], width: float = 760) -> Node:
    """Seconds, memory and prediction time of every method side by side; fine-tuning drawn through.

    Args:
        name: Unique on the page.
        title: For screen readers.
        rows: Of the cost table: ``method``, ``fit_seconds``, ``peak_mb``, ``predict_ms``; and
            ``fit_cpu_seconds`` and ``predict_cpu_ms``, which are drawn where every row has them.
        width: Pixels.
    """
    by_processor = all("fit_cpu_seconds" in r for r in rows)
    fit, predict = ("fit_cpu_seconds", "predict_cpu_ms") if by_processor else (
        "fit_seconds", "predict_ms")  # fmt: skip
    kind = "processor " if by_processor else ""
    rows = sorted(rows, key=lambda r: r[fit])
    panels = [
        (key, words, unit)
        for key, words, unit in (
            (fit, f"one fit, {kind}seconds", ".1f"),
            ("peak_mb", "peak memory, MiB", ".0f"),
            (predict, f"prediction, {kind}ms per image", ".2f"),
        )
        if all(r[key] is not None for r in rows)
    ]
    left, top = 178.0, 34.0
    wide = (width - left) / len(panels)
    height = top + _COST_ROW * len(rows) + 10
    drawn: list[Node] = [
        text(left - 12, top + _COST_ROW * (i + 0.5) + 4, _named(r["method"]), anchor="end",
             style="tick")
        for i, r in enumerate(rows)
    ]  # fmt: skip
    for p, (key, words, unit) in enumerate(panels):
        start = left + p * wide
        scale = Linear(0, max(float(r[key]) for r in rows) or 1.0, start, start + wide - 64)
        drawn.append(text(start, 16, words, style="panel-title"))
        drawn += _bars(rows, key, unit, scale, top)
        drawn += [
            el("path", class_="axis", d=path([(x, top - 4), (x, height - 6)]))
            for x in [scale(float(r[key])) for r in rows if r["method"] == "ft"]
        ]
    words = "; ".join(f"{r['method']}: {r[fit]:.1f} s" for r in rows)
    return figure(name, width, height, title, words, *drawn, style="costs")


def _named(method: str) -> str:
    return f"{method} (our reading)" if method == "token-replay" else method


def _bars(
    rows: Sequence[Mapping[str, Any]], key: str, unit: str, scale: Linear, top: float
) -> list[Node]:
    out: list[Node] = []
    for i, row in enumerate(rows):
        y, value = top + _COST_ROW * i, float(row[key])
        hue = {"ft": "h1", "wise-ft": "h3"}.get(row["method"], "h0")
        bar = max(scale(value) - scale.start, 0.5)
        out.append(el("rect", class_=f"off {hue}", x=scale.start, y=y + 3, width=bar,
                      height=_COST_ROW - 6))  # fmt: skip
        out.append(text(scale(value) + 6, y + _COST_ROW - 5, format(value, unit), style="tick"))
    return out
