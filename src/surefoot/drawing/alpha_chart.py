"""Scores along a path: stacked panels over one alpha axis. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .axes import Frame, percent
from .labels import dodge, lanes, shorten, text_width
from .marks import band, line, point, text
from .scale import Linear, span
from .svg import Node, clip, el, figure, path

__all__ = ["Panel", "Pick", "Series", "alpha_chart", "mini_chart", "pick_rows"]

_WIDTH = 440.0
_PANEL = 150.0
"""Width of a chart and height of one of its panels, pixels."""

_LEAST = 0.06
"""Smallest height of a panel in the values' unit."""


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        label: Its name.
        x: (a,) positions.
        y: (a,) values, fractions.
        low: (a,) lower ends of the band; empty: no band.
        high: (a,) upper ends.
        hue: Colour number, 0 to 7.
        dashed: Draw it dashed.
        members: Lines of single seeds, each (a,).
        free: It does not set the axis, only its end does; what lies outside is cut off.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    hue: int = 0
    dashed: bool = False
    members: tuple[tuple[float, ...], ...] = ()
    free: bool = False

    def at(self, x: float) -> float:
        """The value at a position, linear between the points."""
        pairs = list(zip(self.x, self.y, strict=True))
        for (x0, y0), (x1, y1) in pairwise(pairs):
            if x0 <= x <= x1:
                return y0 + (y1 - y0) * ((x - x0) / (x1 - x0) if x1 > x0 else 0)
        return pairs[0][1] if x < pairs[0][0] else pairs[-1][1]


@dataclass(frozen=True)
class Pick:
    """A chosen position, marked on every panel.

    Attributes:
        x: Where.
        label: By what rule.
        hollow: It was chosen on the test set.
    """

    x: float
    label: str
    hollow: bool = False


@dataclass(frozen=True)
class Panel:
    """One row of a chart: a heading and its lines.

    Attributes:
        label: The heading.
        series: The lines.
        picks: Chosen positions.
        fractions: The values are in [0, 1] and read as percent.
    """

    label: str
    series: tuple[Series, ...]
    picks: tuple[Pick, ...] = field(default=())
    fractions: bool = True

    @property
    def bounds(self) -> tuple[float, float]:
        """Beyond which the axis does not go."""
        return (0, 1) if self.fractions else (0, 1e9)

    def said(self, value: float) -> str:
        """A value as people read it."""
        return f"{100 * value:.1f}" if self.fractions else f"{value:.3f}"


def _values(series: Sequence[Series]) -> list[float]:
    out = []
    for s in series:
        rows = (s.y, s.low, s.high, *s.members)
        out += [v for row in rows for v in (row[-1:] if s.free else row)]
    return out


def _draw(frame: Frame, s: Series, *, thin: bool = False) -> list[Node]:
    """Band, single seeds, line."""
    xs = [frame.x(a) for a in s.x]
    out = []
    if s.low and s.high:
        out.append(band(xs, [frame.y(v) for v in s.low], [frame.y(v) for v in s.high]))
    if len(s.members) > 1:
        out += [
            line([(x, frame.y(v)) for x, v in zip(xs, m, strict=True)], "seed") for m in s.members
        ]
    style = ("dashed " if s.dashed else "") + ("thin" if thin else "")
    out.append(line([(x, frame.y(v)) for x, v in zip(xs, s.y, strict=True)], style.strip()))
    return [el("g", out, class_=f"h{s.hue}")]


def _merge(picks: Sequence[Pick]) -> list[Pick]:
    """Picks at one position become one, unless one of them used the test set."""
    found: dict[tuple[float, bool], list[str]] = {}
    for p in picks:
        names = found.setdefault((round(p.x, 6), p.hollow), [])
        if p.label not in names:
            names.append(p.label)
    return sorted(
        (Pick(x, " · ".join(n), h) for (x, h), n in found.items()), key=lambda p: (p.x, p.hollow)
    )


def _alpha(x: float) -> str:
    return f"{x:.2g}"


def _placed(frame: Frame, picks: Sequence[Pick]) -> list[tuple[str, float, float, int]]:
    """For each pick the name above the panels, its left edge and width, and its row from below."""
    names = [f"{p.label} {_alpha(p.x)}" for p in picks]
    widths = [text_width(name, 12) for name in names]
    lefts = [
        min(max(frame.x(p.x) - w / 2, frame.box.left - 30), frame.box.right + 20 - w)
        for p, w in zip(picks, widths, strict=True)
    ]
    rows = lanes([(a, a + w) for a, w in zip(lefts, widths, strict=True)])
    return list(zip(names, lefts, widths, rows, strict=True))


def _pick_labels(frame: Frame, picks: Sequence[Pick], top: float, row_height: float) -> list[Node]:
    """Names of the picks above the panels, in as many rows as they need, with their stems."""
    placed = _placed(frame, picks)
    deepest = max((row for *_, row in placed), default=0)
    stems: list[Node] = []
    words: list[Node] = []
    for p, (name, left, width, row) in zip(picks, placed, strict=True):
        y = top + (deepest - row) * row_height
        style = "pick oracle" if p.hollow else "pick"
        stem = [(frame.x(p.x), y + 5), (frame.x(p.x), frame.box.bottom)]
        stems.append(el("path", class_=f"stem {style}", d=path(stem)))
        words.append(text(left + width / 2, y, name, anchor="middle", style=style))
    return [*stems, *words]  # names above all stems, so that none is crossed out


def _across(panels: Sequence[Panel] = ()) -> Linear:
    """The axis of alpha, from 0 to 1 and as far beyond as lines go."""
    xs = [x for p in panels for s in p.series for x in s.x]
    return Linear(min([0, *xs]), max([1, *xs]), 44, _WIDTH - 52)


def pick_rows(picks: Sequence[Pick]) -> int:
    """How many rows the names of the picks need."""
    placed = _placed(Frame(_across(), Linear(0, 1, 10, 0)), _merge(picks))
    return max((row for *_, row in placed), default=-1) + 1


def alpha_chart(
    name: str, title: str, desc: str, panels: Sequence[Panel], *, rows: int = 0
) -> Node:
    """Panels over one alpha axis, from the pretrained end at 0 to the tuned end at 1.

    Args:
        name: Unique on the page.
        title: For screen readers.
        desc: For screen readers, with the numbers.
        panels: Top to bottom; each has its own vertical axis, all equally long in points.
        rows: Room for this many rows of picks, so that charts side by side line up.
    """
    merged = _merge([p for panel in panels for p in panel.picks])
    head = 18 * max(rows, pick_rows(merged)) + 8
    across = _across(panels)
    spans = [span(_values(p.series), least=_LEAST, bounds=p.bounds) for p in panels]
    tallest = max((high - low for low, high in spans), default=_LEAST)
    parts: list[Node] = []
    for i, panel in enumerate(panels):
        top = head + 22 + i * (_PANEL + 34)
        domain = span(_values(panel.series), least=tallest, pad=0, bounds=panel.bounds)
        frame = Frame(across, Linear(*domain, top + _PANEL, top))
        if i == 0:
            down = Linear(0, 1, head + 22 + len(panels) * (_PANEL + 34) - 34, top)
            parts += _pick_labels(Frame(across, down), merged, 14, 18)
        parts += _panel(frame, panel, last=i == len(panels) - 1)
    height = head + 22 + len(panels) * (_PANEL + 34) + 6
    return figure(name, _WIDTH, height, title, desc, parts)


def _panel(frame: Frame, panel: Panel, *, last: bool) -> list[Node]:
    """One row: grid, lines, marks, names at the right end."""
    b = frame.box
    heading = shorten(panel.label, b.right - b.left + 40, 13.5)
    show, unit = (percent, " %") if panel.fractions else ("{:g}".format, "")
    out = [
        text(b.left, b.top - 8, heading, style="panel-title"),
        frame.grid_y(frame.y.ticks(5), show, unit),
        frame.floor(),
    ]
    if last:
        ends = {frame.x.low, frame.x.high} - {0, 1}
        ticks = sorted({0, 0.25, 0.5, 0.75, 1} | ends)
        out.append(frame.grid_x(ticks, "{:g}".format, lines=False))
        out.append(text((b.left + b.right) / 2, b.bottom + 33, "α", anchor="middle", style="tick"))
    for s in panel.series:
        out += _draw(frame, s)
    for s in panel.series:
        # Hollow rings lie beneath and are larger, so that a pick at the same place shows in them.
        merged = sorted(_merge(panel.picks), key=lambda p: not p.hollow)
        out.append(el("g", [_mark(frame, panel, s, p) for p in merged], class_=f"h{s.hue}"))
    spots = dodge([frame.y(s.y[-1]) for s in panel.series], 14, b.top + 4, b.bottom - 2)
    for s, y in zip(panel.series, spots, strict=True):
        words = f"{s.label} {panel.said(s.y[-1])}".strip()
        out.append(text(b.right + 9, y + 4, words, style=f"name h{s.hue}"))
    return out


def _mark(frame: Frame, panel: Panel, s: Series, p: Pick) -> Node:
    value = s.at(p.x)
    unit = " %" if panel.fractions else ""
    tip = f"{p.label}, α = {_alpha(p.x)}: {s.label} {panel.said(value)}{unit}"
    return point(frame.x(p.x), frame.y(value), r=7 if p.hollow else 4.2, hollow=p.hollow, tip=tip)


def mini_chart(name: str, title: str, desc: str, panel: Panel, *, note: str = "") -> Node:
    """A small panel, one of many: title, note, several lines against alpha."""
    width, height = 232.0, 170.0
    domain = span(_values(panel.series), least=_LEAST, bounds=(0, 1))
    frame = Frame(Linear(0, 1, 34, width - 12), Linear(*domain, height - 24, 44))
    out: list[Node] = [
        text(2, 14, shorten(panel.label, 210, 13), style="panel-title"),
        text(2, 30, note, style="tick"),
        frame.grid_y(frame.y.ticks(3), percent),
        frame.grid_x([0, 0.5, 1], _alpha, lines=False),
        frame.floor(),
        clip(f"{name}-clip", frame.box.left - 3, 36, frame.box.right + 6, frame.box.bottom),
    ]
    lines = [part for s in panel.series for part in _draw(frame, s, thin=True)]
    out.append(el("g", lines, clip_path=f"url(#{name}-clip)"))
    for s in panel.series:
        x, y = frame.x(s.x[-1]), frame.y(s.y[-1])
        tip = f"{s.label}: {100 * s.y[0]:.1f} % at α = 0, {100 * s.y[-1]:.1f} % at α = 1"
        out.append(el("g", point(x, y, shape=s.hue, r=3.6, tip=tip), class_=f"h{s.hue}"))
    return figure(name, width, height, title, desc, out, style="mini")
