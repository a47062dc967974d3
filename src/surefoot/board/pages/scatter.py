"""One board against another as a scatter. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from ...drawing.axes import Frame
from ...drawing.labels import shorten
from ...drawing.marks import line, text
from ...drawing.scale import Linear, Logit, Scale, span
from ...drawing.svg import Node, clip, el
from .charts import Dot, group_chart, mark

__all__ = ["scatter_chart"]


def scatter_chart(
    name: str, title: str, axes: tuple[str, str], dots: Sequence[Dot], *, odds: bool
) -> Node:
    """One board against another; every mark leads to its row.

    Args:
        name: Unique on the page.
        title: For screen readers.
        axes: What is across and what is up.
        dots: With x and y; in points of a hundred where ``odds``.
        odds: Axes of log odds, on which accuracies of like models fall on a line.
    """
    width, height = 860.0, 560.0
    x_scale = _axis([d.x for d in dots], 54, width - 20, odds)
    y_scale = _axis([d.y for d in dots], height - 54, 34, odds)
    frame = Frame(x_scale, y_scale)
    b = frame.box
    unit = 100 if odds else 1
    low = max(x_scale.low, y_scale.low)
    high = min(x_scale.high, y_scale.high)
    equal: list[Node] = []
    if high > low:
        steps = [low + (high - low) * i / 60 for i in range(61)]
        equal = [line([(frame.x(v), frame.y(v)) for v in steps], "equal")]
        spot = (frame.x(steps[54]), frame.y(steps[54]))
        equal.append(text(spot[0] - 8, spot[1] - 6, "equal", anchor="end", style="guide"))

    def show(value: float) -> str:
        return f"{unit * value:.6g}"

    shift = [Dot(d.x / unit, d.y / unit, d.label, d.tip, d.href, d.hue, True) for d in dots]
    parts = [
        frame.grid_y(y_scale.ticks(6), show),
        frame.grid_x(x_scale.ticks(8), show),
        text(8, 16, shorten(f"↑ {axes[1]}", width - 20, 12), style="axis-name"),
        text(b.right, height - 10, shorten(f"{axes[0]} →", width - 60, 12), anchor="end",
             style="axis-name"),
        clip(f"{name}-clip", b.left, b.top, b.right, b.bottom),
        el("g", equal, clip_path=f"url(#{name}-clip)"),
        *[mark(frame.x(d.x), frame.y(d.y), d, 5) for d in shift],
    ]  # fmt: skip
    desc = f"{len(dots)} models; each mark leads to its row. The table below has the numbers."
    return group_chart(name, (width, height), title, desc, parts)


def _axis(values: Sequence[float], start: float, stop: float, odds: bool) -> Scale:
    if odds:
        return Logit(*span([v / 100 for v in values], least=0.02, bounds=(0, 1)), start, stop)
    return Linear(*span(values, least=1e-6, bounds=(-1e18, 1e18)), start, stop)
