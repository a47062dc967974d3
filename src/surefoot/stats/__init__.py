"""Intervals, paired tests, rankings and effective robustness. No torch here.

One engine compares: :func:`compare` two models, :func:`rank` all pairs of several, on the same
images, with seeds crossed with units (images, designers, patients) that are joined over splits.
:func:`interval_of_mean` is its other side, for one number. What cannot be bounded has no interval
and says why. How often each form holds the truth: docs/statistics.md.
"""

from __future__ import annotations

from ..contents import lazy
from .compared import About, Comparison
from .comparison import compare
from .intervals import Interval, clopper_pearson
from .means import SeedMean, bound_of_mean, mean_interval_over_seeds
from .paired import holm, paired_se
from .ranking import Ranking, rank
from .robustness import (
    BaselineLine,
    fit_baseline,
    logit,
    robustness_difference,
    robustness_interval,
)
from .shown import highest, interval_of_mean, lowest
from .spread import Spread, join_units

__all__ = [
    "About",
    "BaselineLine",
    "Comparison",
    "Interval",
    "Ranking",
    "SeedMean",
    "Spread",
    "bound_of_mean",
    "clopper_pearson",
    "compare",
    "fit_baseline",
    "highest",
    "holm",
    "interval_of_mean",
    "join_units",
    "logit",
    "lowest",
    "mean_interval_over_seeds",
    "paired_se",
    "rank",
    "robustness_difference",
    "robustness_interval",
]

_FORMER = (
    "bootstrap",
    "cluster_bootstrap",
    "combine_mean",
    "crossed_difference",
    "distance_interval",
    "paired_difference",
    "ties",
)
__getattr__ = lazy(
    __name__,
    dict.fromkeys(_FORMER, "former"),
    {"CrossedDifference": "Comparison", "PairedDifference": "Comparison", "Ties": "Ranking"},
)
