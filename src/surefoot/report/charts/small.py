"""Word-sized graphics: intervals in table cells, seeds in a row. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...drawing.axes import Frame
from ...drawing.labels import shorten, text_width
from ...drawing.marks import point, text
from ...drawing.scale import Linear, span
from ...drawing.svg import Node, el, figure, path

__all__ = ["difference_bar", "interval_bar", "strip_chart"]


def interval_bar(
    value: float,
    low: float,
    high: float,
    domain: tuple[float, float],
    *,
    hollow: bool = False,
    width: float = 56,
) -> Node:
    """A dot on its interval, for a table cell; every cell of a column shares the domain.

    Args:
        value: The number.
        low: Lower end.
        high: Upper end.
        domain: Ends of the column's axis; a value outside is drawn as an arrow at its end.
        hollow: Chosen on the test set.
        width: Pixels.
    """
    scale, middle = Linear(*domain, 4, width - 4), 6.0
    off = -1 if value < domain[0] else 1 if value > domain[1] else 0
    if off:
        x = 2.0 if off < 0 else width - 2
        tip = [(x, middle), (x - 6 * off, middle - 4), (x - 6 * off, middle + 4)]
        return _bar(width, [el("path", class_="off", d=path(tip, close=True))])
    spots = [(scale(max(low, domain[0])), middle), (scale(min(high, domain[1])), middle)]
    reach = el("path", class_="reach", d=path(spots))
    return _bar(width, [reach, point(scale(value), middle, r=3, hollow=hollow)])


def _bar(width: float, parts: Sequence[Node]) -> Node:
    return el(
        "svg",
        parts,
        class_="bar",
        viewBox=f"0 0 {width:g} 12",
        width=width,
        height=12,
        aria_hidden="true",
        focusable="false",
    )


def difference_bar(
    value: float,
    low: float,
    high: float,
    domain: tuple[float, float],
    *,
    hollow: bool = False,
    width: float = 260,
) -> Node:
    """A difference on its interval with a line at zero; several share one domain.

    Args:
        value: The difference.
        low: Lower end.
        high: Upper end.
        domain: Ends of the axis, zero inside.
        hollow: The interval holds zero.
        width: Pixels.
    """
    scale, middle = Linear(*domain, 6, width - 6), 10.0
    parts = [
        el("path", class_="zero", d=path([(scale(0), 0), (scale(0), 20)])),
        el("path", class_="reach", d=path([(scale(low), middle), (scale(high), middle)])),
        point(scale(value), middle, r=4.5, hollow=hollow),
    ]
    return el(
        "svg",
        parts,
        class_="bar difference",
        viewBox=f"0 0 {width:g} 20",
        width=width,
        height=20,
        aria_hidden="true",
        focusable="false",
    )


def strip_chart(
    name: str,
    title: str,
    desc: str,
    rows: Sequence[tuple[str, int, Sequence[tuple[str, float]], tuple[float, float]]],
    *,
    width: float = 440,
    least: float = 0.04,
) -> Node:
    """One row per model: a mark per seed, a bar for the mean, a band for its sampling interval.

    At the right, the mean and the standard deviation over seeds.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: Likewise, with the numbers.
        rows: (label, hue, [(seed, value)], (low, high)).
        width: Pixels.
        least: Smallest width of the axis, in the values' unit.
    """
    labels = max((text_width(r[0], 13.5) for r in rows), default=40)
    left = min(labels + 14, width * 0.48)
    values = [v for r in rows for v in (*(x for _, x in r[2]), *r[3])]
    domain = span(values, least=least, bounds=(0, 1))
    height = 12 + 30 * len(rows) + 26
    frame = Frame(Linear(*domain, left, width - 84), Linear(0, 1, height - 26, 8))
    parts: list[Node] = [frame.grid_x(frame.x.ticks(5), unit=" %")]
    for i, (label, hue, seeds, reach) in enumerate(rows):
        y = 12 + 30 * i + 15
        mean = sum(v for _, v in seeds) / len(seeds)
        spread = math.sqrt(sum((v - mean) ** 2 for _, v in seeds) / max(len(seeds) - 1, 1))
        told = f"{100 * mean:.1f} ± {100 * spread:.1f}"
        parts.append(text(width, y + 4, told, anchor="end", style="tick"))
        wide = frame.x(reach[1]) - frame.x(reach[0])
        marks = [
            point(frame.x(v), y, r=3.4, hollow=True, tip=f"{label}, seed {s}: {100 * v:.1f} %")
            for s, v in seeds
        ]
        bar = el("path", class_="mean", d=path([(frame.x(mean), y - 9), (frame.x(mean), y + 9)]))
        block = el("rect", class_="band", x=frame.x(reach[0]), y=y - 7, width=wide, height=14, rx=2)
        parts.append(el("g", block, bar, marks, class_=f"h{hue}"))
        parts.append(
            text(
                left - 10,
                y + 4,
                shorten(label, left - 10, 13.5),
                anchor="end",
                style=f"name h{hue}",
            )
        )
    return figure(name, width, height, title, desc, parts)
