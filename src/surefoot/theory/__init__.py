"""The theory behind LP-FT, run: a two-layer linear network whose every step can be followed.

Section 3 of Kumar et al. 2022 (arXiv 2202.10054) explains by it why fine-tuning can do worse
under shift than a linear probe, and why probing first helps. :func:`run_study` takes the five
statements at their word::

    result = run_study(Setting(seeds=5))
    [s["verdict"] for s in result["statements"]]

No torch here; numpy and scipy, in double precision.
"""

from __future__ import annotations

from .flow import Flow, Tolerance, gradient_flow, lp_flow, lp_limit
from .network import Network, Problem, Setting, draw_problem, ft_floor
from .statements import RULES, Row, Statement, judge
from .study import METHODS, run_study

__all__ = [
    "METHODS",
    "RULES",
    "Flow",
    "Network",
    "Problem",
    "Row",
    "Setting",
    "Statement",
    "Tolerance",
    "draw_problem",
    "ft_floor",
    "gradient_flow",
    "judge",
    "lp_flow",
    "lp_limit",
    "run_study",
]
