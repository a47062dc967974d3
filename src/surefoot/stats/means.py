"""Means of numbers whose images are not at hand: over seeds, over splits, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as sp

from ..errors import DataError
from .intervals import Interval

__all__ = ["SeedMean", "bound_of_mean", "mean_interval_over_seeds"]


@dataclass(frozen=True)
class SeedMean:
    """The mean over seeds and its t interval: seeds apart from sampling error.

    Attributes:
        mean: Over seeds.
        standard_deviation: Between seeds (n - 1); NaN for one seed.
        n: Seeds.
        interval: Of the mean over all seeds there could be; none for one seed.

    Example:
        >>> sf.stats.mean_interval_over_seeds([0.70, 0.72, 0.74]).n
        3
    """

    mean: float
    standard_deviation: float
    n: int
    interval: Interval


def mean_interval_over_seeds(values: ArrayLike, level: float = 0.95) -> SeedMean:
    """The mean of one number over seeds, (s,), with Student's interval.

    Raises:
        DataError: There is no value.

    Example:
        >>> round(sf.stats.mean_interval_over_seeds([0.70, 0.72, 0.74]).mean, 2)
        0.72
    """
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    if n == 0:
        raise DataError("there is no seed to average over", expected="at least one value")
    mean = float(numbers.mean())
    if n == 1:
        return SeedMean(mean, math.nan, 1, Interval.none())
    deviation = float(numbers.std(ddof=1))
    half = float(sp.t.ppf((1 + level) / 2, n - 1)) * deviation / math.sqrt(n)
    return SeedMean(mean, deviation, n, Interval(mean - half, mean + half, "t"))


def bound_of_mean(
    values: ArrayLike, own: Sequence[Sequence[Interval]], level: float = 0.95
) -> Interval:
    """The interval of a mean of numbers from their own intervals, at least as wide as it must be.

    Where image-by-image answers are at hand, :func:`~surefoot.stats.interval_of_mean` is narrower:
    what hangs together among the numbers is not known here, so that the reach of their mean is
    taken to be the mean of their reaches. What seeds add to it, by Student's t, is independent.

    Args:
        values: (seeds, splits).
        own: Likewise, the interval of each at ``level``.
        level: Coverage, at least.

    Returns:
        Kind "bound"; "none" where one of them has none.

    Example:
        >>> own = sf.stats.clopper_pearson(30, 40)
        >>> sf.stats.bound_of_mean([[0.75, 0.75]], [[own, own]]).low == own.low
        True
    """
    numbers, each = np.atleast_2d(np.asarray(values, dtype=np.float64)), [i for s in own for i in s]
    none = next((i for i in each if not i), None)
    if none is not None:
        return none
    per_seed, more = numbers.mean(axis=1), 0.0
    if len(per_seed) > 1:
        found = mean_interval_over_seeds(per_seed, level)
        more = found.interval.high - found.mean
    mean = float(per_seed.mean())
    below = mean - float(np.mean([i.low for i in each]))
    above = float(np.mean([i.high for i in each])) - mean
    reach = Interval(mean - math.hypot(below, more), mean + math.hypot(above, more), "bound")
    return reach.within(0.0, max(1.0, *(i.high for i in each)))
