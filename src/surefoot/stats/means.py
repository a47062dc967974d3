"""Means over seeds and over shifts, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as sp

from ..errors import DataError
from .intervals import Interval, cluster_codes, draws, mean_replicates, percentiles, widening

__all__ = ["SeedMean", "combine_mean", "mean_interval_over_seeds"]

Floats = NDArray[np.float64]


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


def combine_mean(
    values: Sequence[ArrayLike],
    *,
    paired: bool = False,
    clusters: Sequence[ArrayLike | None] | None = None,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, Interval]:
    """The unweighted mean of several shifts' means, with its interval.

    Args:
        values: One array (n_i,) per shift, image by image: correct or not, or any number in
            [0, 1].
        paired: The shifts are versions of the same images in the same order (corruptions of one
            test set): each resample draws the same images of all. Otherwise shifts are
            resampled independently of each other.
        clusters: Per shift, labels (n_i,) to resample whole clusters, or None. With ``paired``,
            the first entry serves all.
        samples: Resamples.
        seed: Of the draws.
        level: Between the percentiles.

    Raises:
        DataError: There is no shift, or ``paired`` with different numbers of images.

    Example:
        >>> mean, interval = sf.stats.combine_mean([a, b])
        >>> round(mean, 4)
        0.7
    """
    rows = [np.asarray(v, dtype=np.float64) for v in values]
    if not rows or any(not len(r) for r in rows):
        raise DataError("a mean over shifts needs images", expected="at least one per shift")
    estimate = float(np.mean([r.mean() for r in rows]))
    groups: Sequence[ArrayLike | None] = clusters or [None] * len(rows)
    if paired:
        if len({len(r) for r in rows}) > 1:
            raise DataError(
                f"paired shifts have {', '.join(str(len(r)) for r in rows)} images",
                expected="the same images in every shift",
            )
        rows, groups = [np.mean(rows, axis=0)], groups[:1]
    seeds = np.random.SeedSequence(seed).spawn(len(rows))
    deviations = np.zeros(samples)
    for row, labels, child in zip(rows, groups, seeds, strict=True):
        if labels is not None and cluster_codes(labels, len(row))[1] < 2:
            return estimate, Interval.none()
        deviations += _deviations(row, labels, samples, child, level)
    ends = percentiles(estimate + deviations / len(rows), level, estimate, 1.0, (0.0, 1.0))
    return estimate, Interval(*ends, "bootstrap" if clusters is None else "cluster-bootstrap")


def _deviations(
    row: Floats,
    labels: ArrayLike | None,
    samples: int,
    seed: np.random.SeedSequence,
    level: float,
) -> Floats:
    """Resampled means minus the mean, (samples,), widened where clusters are few."""
    if labels is not None:
        codes, groups = cluster_codes(labels, len(row))
        drawn = draws(groups, samples, seed)
        replicates = mean_replicates(row, codes, drawn)
        return widening(groups, level) * (replicates - float(row.mean()))
    # Images with equal values are exchangeable: counting how often each value is drawn is enough,
    # and for right or wrong that is one binomial number per resample.
    distinct, counts = np.unique(row, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(row), counts / len(row), size=samples)
    return np.asarray(drawn @ distinct / len(row) - row.mean())
