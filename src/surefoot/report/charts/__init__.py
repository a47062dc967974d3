"""Charts as inline SVG: functions on numbers that know nothing of runs. No torch here.

Own code rather than a plotting package, because the report is one small file that must follow the
page's type, its dark mode, its width and its keyboard, with a title and description in every
drawing; a general package's SVG brings its own fonts and colours and is twenty times the size.
"""

from __future__ import annotations

from ...drawing.alpha_chart import Panel, Pick, Series, alpha_chart, mini_chart, pick_rows
from ...drawing.axes import Frame, percent
from ...drawing.svg import Node, el, figure
from .plane import Baseline, Dot, Trail, plane_chart
from .small import difference_bar, interval_bar, strip_chart
from .training import Validated, log_chart, validation_chart

__all__ = [
    "Baseline",
    "Dot",
    "Frame",
    "Node",
    "Panel",
    "Pick",
    "Series",
    "Trail",
    "Validated",
    "alpha_chart",
    "difference_bar",
    "el",
    "figure",
    "interval_bar",
    "log_chart",
    "mini_chart",
    "percent",
    "pick_rows",
    "plane_chart",
    "strip_chart",
    "validation_chart",
]
