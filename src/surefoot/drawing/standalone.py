"""Style sheet and script of pages with charts; charts as SVG files of their own. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .svg import Node, el

__all__ = ["script", "standalone_svg", "stylesheet"]

_HERE = Path(__file__).parent
_MARGIN = 12
_STYLE = "svg { font-family: var(--sans); font-size: 12px; } .ground { fill: var(--paper); }"


def stylesheet() -> str:
    """CSS of the colours, faces and charts; a page's own styles come after it."""
    return "".join((_HERE / n).read_text(encoding="utf-8") for n in ("tokens.css", "chart.css"))


def script() -> str:
    """JavaScript that every page with charts needs: the tip; a page's own script comes after it."""
    return (_HERE / "tip.js").read_text(encoding="utf-8")


def standalone_svg(
    charts: Sequence[Node],
    title: str,
    *,
    columns: int = 1,
    gap: tuple[float, float] = (24, 24),
    style: str = "",
) -> str:
    """One SVG file with these charts in rows, light or dark as the reader's system is.

    Args:
        charts: What ``drawing.figure`` returned; one size for all.
        title: Of the whole, for screen readers; each chart keeps its own words.
        columns: Charts in a row.
        gap: Pixels between them, across and down.
        style: Further CSS.
    """
    wide, tall = (
        max(float(c.attributes[side] or 0) for c in charts) for side in ("width", "height")
    )
    rows = -(-len(charts) // columns)
    width = columns * wide + (columns - 1) * gap[0] + 2 * _MARGIN
    height = rows * tall + (rows - 1) * gap[1] + 2 * _MARGIN
    placed = []
    for i, chart in enumerate(charts):
        row, column = divmod(i, columns)
        across, down = column * (wide + gap[0]), row * (tall + gap[1])
        placed.append(_moved(chart, _MARGIN + across, _MARGIN + down))
    svg = el(
        "svg",
        el("title", title),
        el("style", stylesheet() + _STYLE + style),
        el("rect", class_="ground", width=width, height=height),
        placed,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )
    return svg.render() + "\n"


def _moved(chart: Node, x: float, y: float) -> Node:
    """The drawing inside an ``<svg>`` as a group somewhere else."""
    group = el("g", transform=f"translate({x:g} {y:g})", class_=chart.attributes["class"])
    return Node(group.tag, group.attributes, chart.children)
