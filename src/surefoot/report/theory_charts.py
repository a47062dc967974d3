"""Losses on logarithmic axes: over eps, and over time. Plain numbers in, SVG out. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..drawing.labels import dodge
from ..drawing.marks import band, line, point, text
from ..drawing.scale import Scale
from ..drawing.svg import clip, path
from .charts import Frame, Node, el, figure

__all__ = ["Line", "Log", "eps_chart", "geometric_mean", "power", "short", "time_chart"]

_TINY = 1e-40


@dataclass(frozen=True)
class Log(Scale):
    """An axis of powers of ten; 0 is drawn at 1e-40, far outside."""

    def straight(self, value: float) -> float:
        """The decimal logarithm."""
        return math.log10(max(value, _TINY))

    def ticks(self, count: int = 5) -> list[float]:
        """Powers of ten, every second or third of them where there are many."""
        first, last = math.ceil(self.straight(self.low)), math.floor(self.straight(self.high))
        step = max(1, math.ceil((last - first) / max(count, 1)))
        return [10.0**i for i in range(last, first - 1, -step)][::-1]


@dataclass(frozen=True)
class Line:
    """One method's losses.

    Attributes:
        label: Its name.
        hue: Colour number, 0 to 7.
        x: (p,) positions, eps or times.
        seeds: (s, p) losses, not negative.
    """

    label: str
    hue: int
    x: tuple[float, ...]
    seeds: tuple[tuple[float, ...], ...]

    @property
    def columns(self) -> list[tuple[float, ...]]:
        """The seeds' losses at each position."""
        return list(zip(*self.seeds, strict=True))

    @property
    def mean(self) -> list[float]:
        """Geometric means over seeds, (p,)."""
        return [geometric_mean(c) for c in self.columns]


def geometric_mean(values: Sequence[float]) -> float:
    """Exp of the mean log; what is 0 counts as 1e-40."""
    return math.exp(sum(math.log(max(v, _TINY)) for v in values) / len(values))


def power(value: float) -> str:
    """A power of ten as people write it: 10⁻⁸; 1 and 10 and 0.1 as they are."""
    exponent = round(math.log10(value))
    if -2 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def short(value: float) -> str:
    """A loss for people: "0.619", "1.7e-4"; what is fitted to 1e-14 is called 0."""
    if value < 1e-14:
        return "0"
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.1e}".replace("e-0", "e-")


def eps_chart(
    name: str,
    title: str,
    lines: Sequence[Line],
    y: tuple[float, float],
    *,
    guide: bool = False,
    width: float = 500,
    height: float = 330,
) -> Node:
    """Loss at the end against eps, both logarithmic, with eps = 0 apart at the left.

    Args:
        name: Unique on the page.
        title: For screen readers, and above the drawing.
        lines: One per method, all over the same eps, ascending.
        y: Ends of the loss axis; what lies below is cut off.
        guide: Draw a line with slope 2 to compare with.
        width: Pixels.
        height: Pixels.
    """
    positive = [e for e in lines[0].x if e > 0]
    frame = Frame(
        Log(positive[0] / 1.25, positive[-1] * 1.25, 104, width - 58),
        Log(*y, height - 44, 34),
    )
    place = _with_zero(frame)
    whole = Frame(Log(1, 10, 46, width - 58), frame.y)
    parts: list[Node] = [
        text(2, 16, title, style="panel-title"),
        whole.grid_y(frame.y.ticks(6), power),
        frame.grid_x(positive, "{:g}".format, lines=False),
        whole.floor(),
        _cut(name, whole),
        text((104 + width - 58) / 2, height - 8, "ε, distance of the pretrained features",
             anchor="middle", style="axis-name"),
    ]  # fmt: skip
    if 0 in lines[0].x:
        parts.append(text(place(0), frame.box.bottom + 18, "0", anchor="middle", style="tick"))
    drawn = [_guide(frame, lines)] if guide else []
    for one in lines:
        drawn += _over_eps(frame, one, place)
    parts.append(el("g", drawn, clip_path=f"url(#{name}-clip)"))
    parts += _gone(frame, lines, place) + _names(frame, lines)
    words = " ".join(
        f"{one.label}: "
        + ", ".join(f"{short(v)} at ε = {e:g}" for e, v in zip(one.x, one.mean, strict=True))
        + "."
        for one in lines
    )
    return figure(name, width, height, title, words, parts)


def _with_zero(frame: Frame) -> Callable[[float], float]:
    """The horizontal place of an eps; 0 stands apart."""
    return lambda eps: frame.x(eps) if eps > 0 else 72.0


def _cut(name: str, frame: Frame) -> Node:
    b = frame.box
    return clip(f"{name}-clip", b.left, b.top - 4, b.right + 8, b.bottom)


def _over_eps(frame: Frame, one: Line, place: Callable[[float], float]) -> list[Node]:
    """A method's line with its range over seeds, and a mark per eps."""
    spots = list(zip(one.x, one.mean, one.columns, strict=True))
    right = [(place(e), m, c) for e, m, c in spots if e > 0]
    xs = [x for x, _, _ in right]
    parts = [
        band(xs, [frame.y(min(c)) for *_, c in right], [frame.y(max(c)) for *_, c in right]),
        line([(x, frame.y(m)) for x, m, _ in right]),
    ]
    for e, m, c in spots:
        tip = f"{one.label}, ε = {e:g}: {short(m)}, seeds {short(min(c))} to {short(max(c))}"
        parts.append(point(place(e), frame.y(m), shape=one.hue, r=4.2, tip=tip))
    return [el("g", parts, class_=f"h{one.hue}")]


def _guide(frame: Frame, lines: Sequence[Line]) -> Node:
    """A dotted line of slope 2 a little below the lowest method's."""
    positive = [e for e in lines[0].x if e > 0]
    last = min(one.mean[-1] for one in lines) / 3
    ends = [(e, last * (e / positive[-1]) ** 2) for e in (positive[0], positive[-1])]
    middle = math.sqrt(positive[0] * positive[-1])
    y = frame.y(last * (middle / positive[-1]) ** 2)
    return el(
        "g",
        line([(frame.x(e), frame.y(v)) for e, v in ends], "equal"),
        text(frame.x(middle) + 8, y + 14, "slope 2", style="guide"),
    )


def _gone(frame: Frame, lines: Sequence[Line], place: Callable[[float], float]) -> list[Node]:
    """The names of those that lie below the axis at eps = 0, where they would be."""
    if lines[0].x[0] != 0:
        return []
    low = [one for one in lines if one.mean[0] < frame.y.low]
    out = []
    for i, one in enumerate(reversed(low)):
        tip = f"{one.label}, ε = 0: {short(one.mean[0])}"
        words = f"{one.label} ↓"
        out.append(
            el(
                "g",
                text(place(0), frame.box.bottom - 8 - 15 * i, words, anchor="middle", style="name"),
                class_=f"h{one.hue}",
                data_tip=tip,
            )
        )
    return out


def _names(frame: Frame, lines: Sequence[Line]) -> list[Node]:
    """Each line's name at its right end."""
    seen = [one for one in lines if one.mean[-1] >= frame.y.low]
    b = frame.box
    spots = dodge([frame.y(one.mean[-1]) for one in seen], 15, b.top + 4, b.bottom - 4)
    ends = [
        text(b.right + 12, y + 4, one.label, style=f"name h{one.hue}")
        for one, y in zip(seen, spots, strict=True)
    ]
    hidden = [one for one in lines if one not in seen]
    for i, one in enumerate(hidden):
        words = f"{one.label} ↓"
        ends.append(text(b.right + 12, b.bottom - 4 - 15 * i, words, style=f"name h{one.hue}"))
    return ends


def time_chart(
    name: str,
    title: str,
    lines: Sequence[Line],
    y: tuple[float, float],
    *,
    width: float = 214,
    height: float = 190,
) -> Node:
    """Loss against time, both logarithmic: one small drawing of many with the same axes.

    Args:
        name: Unique on the page.
        title: Above it.
        lines: One per method, over the same times, ascending.
        y: Ends of the loss axis; what lies below is cut off.
        width: Pixels.
        height: Pixels.
    """
    times = lines[0].x
    frame = Frame(Log(times[0], times[-1], 38, width - 6), Log(*y, height - 24, 30))
    b = frame.box
    drawn = []
    for one in lines:
        xs = [frame.x(t) for t in one.x]
        parts = [
            band(
                xs, [frame.y(min(c)) for c in one.columns], [frame.y(max(c)) for c in one.columns]
            ),
            line([(x, frame.y(v)) for x, v in zip(xs, one.mean, strict=True)], "thin"),
        ]
        drawn.append(el("g", parts, class_=f"h{one.hue}"))
    below = [one for one in lines if max(one.mean) < y[0]]
    words = " ".join(
        f"{one.label}: {short(one.mean[0])} at the start, {short(one.mean[-1])} at the end."
        for one in lines
    )
    return figure(
        name,
        width,
        height,
        title,
        words,
        text(2, 14, title, style="panel-title"),
        frame.grid_y(frame.y.ticks(4), power),
        frame.grid_x(frame.x.ticks(3), power, lines=False),
        el("path", class_="axis", d=path([(b.left, b.bottom), (b.right, b.bottom)])),
        _cut(name, frame),
        el("g", drawn, clip_path=f"url(#{name}-clip)"),
        [
            text(b.left + 6, b.bottom - 7 - 14 * i, f"{o.label} ↓", style=f"name h{o.hue}")
            for i, o in enumerate(below)
        ],
        style="mini",
    )
