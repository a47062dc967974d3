"""What pages share: SVG nodes, scales, marks, labels, colours. No torch here.

Both the report and the results board draw with these, in the same colours, light and dark.
"""

from __future__ import annotations

from .alpha_chart import Panel, Pick, Series, alpha_chart
from .axes import Frame
from .scale import Linear, Logit, Scale
from .standalone import standalone_svg
from .styles import script, stylesheet
from .svg import Node, el, figure

__all__ = [
    "Frame",
    "Linear",
    "Logit",
    "Node",
    "Panel",
    "Pick",
    "Scale",
    "Series",
    "alpha_chart",
    "el",
    "figure",
    "script",
    "standalone_svg",
    "stylesheet",
]
