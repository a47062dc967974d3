"""What pages share: SVG nodes, scales, marks, labels, colours. No torch here.

Both the report and the results board draw with these, in the same colours, light and dark.
"""

from __future__ import annotations

from .alpha_chart import Panel, Pick, Series, alpha_chart
from .axes import Frame
from .scale import Linear
from .standalone import script, standalone_svg, stylesheet
from .svg import Node, el, figure

__all__ = [
    "Frame",
    "Linear",
    "Node",
    "Panel",
    "Pick",
    "Series",
    "alpha_chart",
    "el",
    "figure",
    "script",
    "standalone_svg",
    "stylesheet",
]
