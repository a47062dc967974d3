"""What pages share: SVG nodes, scales, marks, labels, colours. No torch here.

Both the report and the results board draw with these, in the same colours, light and dark.
"""

from __future__ import annotations

from pathlib import Path

from .axes import Frame
from .scale import Linear, Logit, Scale
from .svg import Node, el, figure

__all__ = ["Frame", "Linear", "Logit", "Node", "Scale", "el", "figure", "script", "stylesheet"]

_HERE = Path(__file__).parent


def stylesheet() -> str:
    """CSS of the colours, faces and charts; a page's own styles come after it."""
    return "".join((_HERE / n).read_text(encoding="utf-8") for n in ("tokens.css", "chart.css"))


def script() -> str:
    """JavaScript that every page with charts needs: the tip; a page's own script comes after it."""
    return (_HERE / "tip.js").read_text(encoding="utf-8")
