"""Intervals, paired tests, ties and effective robustness. No torch here.

One engine compares: :func:`compare` two models, :func:`rank` all pairs of several, on the same
images, with seeds crossed with units (images, designers, patients) that are joined over splits.
:func:`interval_of_mean` is its other side, for one number. What cannot be bounded has no interval
and says why. How often each form holds the truth: docs/statistics.md.
"""

from __future__ import annotations

from .compared import About, Comparison
from .comparison import compare
from .crossed import CrossedDifference, crossed_difference
from .intervals import Interval, bootstrap, clopper_pearson, cluster_bootstrap
from .means import SeedMean, combine_mean, mean_interval_over_seeds
from .paired import PairedDifference, Ties, holm, paired_difference, paired_se, ties
from .ranking import Ranking, rank
from .robustness import (
    BaselineLine,
    distance_interval,
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
    "CrossedDifference",
    "Interval",
    "PairedDifference",
    "Ranking",
    "SeedMean",
    "Spread",
    "Ties",
    "bootstrap",
    "clopper_pearson",
    "cluster_bootstrap",
    "combine_mean",
    "compare",
    "crossed_difference",
    "distance_interval",
    "fit_baseline",
    "highest",
    "holm",
    "interval_of_mean",
    "join_units",
    "logit",
    "lowest",
    "mean_interval_over_seeds",
    "paired_difference",
    "paired_se",
    "rank",
    "robustness_difference",
    "robustness_interval",
    "ties",
]
