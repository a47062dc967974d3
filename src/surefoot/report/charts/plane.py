"""Accuracy on ID against accuracy under shift, on logit axes. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...drawing.axes import Frame, percent
from ...drawing.labels import Box, Spot, place, shorten
from ...drawing.marks import cross, line, point, text, tick_dots
from ...drawing.scale import Logit, Scale, logit
from ...drawing.svg import Node, clip, el, figure
from .guides import Baseline, guides, line_boxes

__all__ = ["Baseline", "Dot", "Trail", "plane_chart"]


_FEW = 12


@dataclass(frozen=True)
class Dot:
    """One model.

    Attributes:
        label: Its name.
        x: ID accuracy and its interval (value, low, high), fractions.
        y: Accuracy under shift, likewise.
        hue: Colour number.
        members: (x, y) of single seeds.
    """

    label: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    hue: int = 0
    members: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Trail:
    """A path between two models: alphas (a,) and accuracies x, y (a,).

    A free one does not set the axes; what lies outside is cut off.
    """

    label: str
    alphas: tuple[float, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    hue: int = 0
    free: bool = False


def _domain(values: Sequence[tuple[float, float]], pad: float = 0.05) -> tuple[float, float]:
    """Ends in fractions that hold every (low, high), padded on the logit axis."""
    flat = [logit(v) for pair in values for v in pair]
    low, high = min(flat), max(flat)
    extra = max((high - low) * pad, (0.3 - (high - low)) / 2, 0.02)
    return 1 / (1 + math.exp(extra - low)), 1 / (1 + math.exp(-extra - high))


def plane_chart(
    name: str,
    title: str,
    desc: str,
    dots: Sequence[Dot],
    trails: Sequence[Trail],
    *,
    axes: tuple[str, str],
    baselines: Sequence[Baseline] = (),
    width: float = 860,
    height: float = 540,
    style: str = "",
) -> Node:
    """Models as points with whiskers, paths as lines with ticks of alpha, y = x for the eye.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: Likewise, with the numbers.
        dots: The models; the first ones get the best places for their labels.
        trails: The paths.
        axes: Names of the axis across and the axis down.
        baselines: Further lines.
        width: Pixels.
        height: Pixels.
        style: Classes of the ``<svg>``.
    """
    frame = _frame(dots, trails, width, height)
    lines = [[(frame.x(a), frame.y(b)) for a, b in zip(t.x, t.y, strict=True)] for t in trails]
    back, soft = guides(frame, baselines)
    soft += [b for pixels in lines for b in line_boxes(pixels)]
    parts: list[Node] = [_grid(frame, axes), *back]
    b = frame.box
    parts.append(clip(f"{name}-clip", b.left, b.top, b.right, b.bottom))
    inside = [_trail(t, pixels) for t, pixels in zip(trails, lines, strict=True)]
    inside += [_dot_back(frame, d) for d in dots]
    parts.append(el("g", inside, clip_path=f"url(#{name}-clip)"))
    parts += [_dot_front(frame, d) for d in dots]
    soft += [box for d in dots for box in _whiskers(frame, d)]
    parts += _names(frame, dots, trails, lines, soft)
    follow = [_follower(t, p) for t, p in zip(trails, lines, strict=True)]
    walkers = el("g", follow, clip_path=f"url(#{name}-clip)")
    return figure(name, width, height, title, desc, parts, walkers, style=style)


def _frame(dots: Sequence[Dot], trails: Sequence[Trail], width: float, height: float) -> Frame:
    """Scales around every value and whisker."""
    xs = [d.x[1:] for d in dots]
    ys = [d.y[1:] for d in dots]
    paths = [t for t in trails if not t.free or not dots]
    xs += [(min(t.x), max(t.x)) for t in paths] + [m for d in dots for m in _pairs(d, 0)]
    ys += [(min(t.y), max(t.y)) for t in paths] + [m for d in dots for m in _pairs(d, 1)]
    across: Scale = Logit(*_domain(xs), 46, width - 14)
    return Frame(across, Logit(*_domain(ys), height - 48, 26))


def _pairs(d: Dot, which: int) -> list[tuple[float, float]]:
    return [(m[which], m[which]) for m in d.members]


def _grid(frame: Frame, axes: tuple[str, str]) -> Node:
    b = frame.box
    wide = b.right - b.left > 500
    return el(
        "g",
        frame.grid_y(frame.y.ticks(7 if wide else 5), percent),
        frame.grid_x(frame.x.ticks(9 if wide else 5), percent),
        text(b.left - 40, 13, shorten(f"↑ {axes[1]}", b.right, 12), style="axis-name"),
        text(
            b.right,
            b.bottom + 38,
            shorten(f"{axes[0]} →", b.right, 12),
            anchor="end",
            style="axis-name",
        ),
    )


def _trail(t: Trail, pixels: Sequence[tuple[float, float]]) -> Node:
    """The line of a path, dots on it, a larger one at the half; at tenths if there are many."""
    few = len(t.alphas) <= _FEW
    tenths = [
        p
        for a, p in zip(t.alphas, pixels, strict=True)
        if 0 < a < 1 and (few or abs(a * 10 - round(a * 10)) < 1e-6)
    ]
    big = []
    for a, x, y, p in zip(t.alphas, t.x, t.y, pixels, strict=True):
        if abs(a - 0.5) < 1e-9:
            tip = f"{t.label}, α = 0.5: ID {100 * x:.1f} %, shift {100 * y:.1f} %"
            big.append(point(*p, r=4.2, hollow=True, tip=tip))
    return el("g", line(pixels), tick_dots(tenths), big, class_=f"trail h{t.hue}")


def _dot_back(frame: Frame, d: Dot) -> Node:
    x, y = frame.x(d.x[0]), frame.y(d.y[0])
    arms = cross(x, y, (frame.x(d.x[1]), frame.x(d.x[2])), (frame.y(d.y[1]), frame.y(d.y[2])))
    seeds = (
        [el("circle", class_="seed-dot", cx=frame.x(a), cy=frame.y(b), r=2.4) for a, b in d.members]
        if len(d.members) > 1
        else None
    )
    return el("g", arms, seeds, class_=f"h{d.hue}")


def _dot_front(frame: Frame, d: Dot) -> Node:
    tip = f"{d.label}: ID {_told(*d.x)}, shift {_told(*d.y)}"
    mark = point(frame.x(d.x[0]), frame.y(d.y[0]), shape=d.hue, r=6, tip=tip)
    return el("g", mark, class_=f"h{d.hue}")


def _told(value: float, low: float, high: float) -> str:
    """A value with its interval, where it has one."""
    ends = "" if low == high else f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f} %{ends}"


def _whiskers(frame: Frame, d: Dot) -> list[Box]:
    """What the whiskers of a mark cover."""
    x, y = frame.x(d.x[0]), frame.y(d.y[0])
    across = Box(frame.x(d.x[1]), y - 1, frame.x(d.x[2]), y + 1)
    return [across, Box(x - 1, frame.y(d.y[2]), x + 1, frame.y(d.y[1]))]


def _names(
    frame: Frame,
    dots: Sequence[Dot],
    trails: Sequence[Trail],
    lines: Sequence[Sequence[tuple[float, float]]],
    soft: Sequence[Box],
) -> list[Node]:
    """Names of the models, then of alpha = 0.5 on one path, which tells for all."""
    b = frame.box
    room = Box(b.left + 2, b.top + 2, b.right - 2, b.bottom - 2)
    marks = [
        Box(x - 8, y - 8, x + 8, y + 8)
        for x, y in ((frame.x(d.x[0]), frame.y(d.y[0])) for d in dots)
    ]
    wanted = [(frame.x(d.x[0]), frame.y(d.y[0]), d.label) for d in dots]
    wanted = [(x, y, shorten(words, 0.8 * (b.right - b.left), 13)) for x, y, words in wanted]
    spots = place(wanted, room, marks, lines=soft, size=13, away=11)
    out = [
        _name(s, w[2], f"name strong h{d.hue}") for s, w, d in zip(spots, wanted, dots, strict=True)
    ]
    taken = [*marks, *(s.box for s in spots)]
    for x, y, hue in _halves(room, trails, lines):
        near = (1, 1.6)
        (spot,) = place([(x, y, "α = 0.5")], room, taken, lines=soft, size=11, away=8, reaches=near)
        if not any(spot.box.overlap(box) for box in taken):
            out.append(_name(spot, "α = 0.5", f"name h{hue}"))
            break
    return out


def _halves(
    room: Box, trails: Sequence[Trail], lines: Sequence[Sequence[tuple[float, float]]]
) -> list[tuple[float, float, int]]:
    """(x, y, hue) of alpha = 0.5 on every path on which it is seen."""
    return [
        (x, y, t.hue)
        for t, pixels in zip(trails, lines, strict=True)
        for a, (x, y) in zip(t.alphas, pixels, strict=True)
        if abs(a - 0.5) < 1e-9 and room.left < x < room.right and room.top < y < room.bottom
    ]


def _name(s: Spot, words: str, style: str) -> Node:
    return text(s.x, s.y, words, anchor=s.anchor, style=style)


def _follower(t: Trail, pixels: Sequence[tuple[float, float]]) -> Node:
    """A mark that the page's alpha slider moves along the path; unseen until it is used."""
    spots = ";".join(
        f"{a:g},{x:.1f},{y:.1f},{100 * u:.1f},{100 * v:.1f}"
        for a, (x, y), u, v in zip(t.alphas, pixels, t.x, t.y, strict=True)
    )
    return el(
        "circle",
        class_=f"follow h{t.hue}",
        r=7,
        cx=pixels[0][0],
        cy=pixels[0][1],
        data_spots=spots,
        data_name=t.label,
        aria_hidden="true",
    )
