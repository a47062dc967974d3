"""Two or more models on the same images: differences, exact tests, ties."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as sp

from ..errors import DataError
from .intervals import Interval, cluster_codes

__all__ = [
    "PairedDifference",
    "Ties",
    "holm",
    "paired_difference",
    "paired_se",
    "sign_flips",
    "ties",
]

Bools = NDArray[np.bool_]

_ENUMERATED = 12
"""Of so many numbers at most all signs are enumerated."""


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of a minus accuracy of b on the same images.

    Attributes:
        difference: Fraction, -1 to 1.
        standard_error: Of the difference, from image-by-image differences.
        interval: 95 % unless asked otherwise.
        p: Two-sided; exact McNemar, or t over clusters. 1 where one cluster is all there is.
        n: Images.
        clusters: How many, where the test was made over clusters.

    Example:
        >>> round(sf.stats.paired_difference(a, b).difference, 3)
        0.1
    """

    difference: float
    standard_error: float
    interval: Interval
    p: float
    n: int
    clusters: int | None = None


def _pair(correct_a: ArrayLike, correct_b: ArrayLike) -> tuple[Bools, Bools]:
    a, b = np.asarray(correct_a, dtype=np.bool_), np.asarray(correct_b, dtype=np.bool_)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise DataError(
            f"cannot pair results on {a.shape} and {b.shape} images",
            expected="two arrays (n,) over the same images, n at least 1",
            fix="evaluate both models on the same split",
        )
    return a, b


def paired_se(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Standard error of the mean of a - b over the same images, both (n,).

    Infinity for a single image, about which nothing is known.

    Raises:
        DataError: The arrays do not pair.

    Example:
        >>> round(sf.stats.paired_se(a, b), 3)
        0.1
    """
    a, b = _pair(correct_a, correct_b)
    if len(a) == 1:
        return math.inf
    d = a.astype(np.float64) - b
    return float(d.std(ddof=1) / math.sqrt(len(d)))


def paired_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> PairedDifference:
    """Is a better than b? Both (n,) bool over the same images.

    Without clusters: exact McNemar (binomial on the images where just one is right), and the
    adjusted Wald interval of Bonett and Price (2012), which covers at small n too. With clusters:
    the cluster-robust standard error, never below the one over images, and Student's t with one
    degree of freedom fewer than clusters.

    Args:
        correct_a: (n,) bool.
        correct_b: (n,) bool.
        level: Of the interval.
        clusters: (n,) labels of images that hang together.

    Raises:
        DataError: The arrays do not pair.

    Example:
        >>> found = sf.stats.paired_difference(a, b)
        >>> round(found.difference, 3)
        0.1
    """
    a, b = _pair(correct_a, correct_b)
    only_a, only_b, n = int((a & ~b).sum()), int((b & ~a).sum()), len(a)
    difference, se = (only_a - only_b) / n, paired_se(a, b)
    if clusters is not None:
        return _over_clusters(a.astype(np.float64) - b, se, level, clusters)
    p = sp.binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    p_a, p_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = math.sqrt((p_a + p_b - (p_a - p_b) ** 2) / (n + 2)) * float(sp.norm.ppf((1 + level) / 2))
    centre = p_a - p_b
    interval = Interval(max(-1.0, centre - half), min(1.0, centre + half), "normal")
    return PairedDifference(difference, se, interval, float(p), n)


def _over_clusters(
    d: NDArray[np.float64], image_se: float, level: float, clusters: ArrayLike
) -> PairedDifference:
    n = len(d)
    codes, groups = cluster_codes(clusters, n)
    mean = float(d.mean())
    if groups < 2:
        return PairedDifference(mean, math.inf, Interval.none(), 1.0, n, groups)
    # The mean is a ratio of two sums over clusters; its linearised residuals are these.
    residuals = np.bincount(codes, weights=d - mean, minlength=groups)
    robust = math.sqrt(groups / (groups - 1) * float(residuals @ residuals)) / n
    se = max(robust, image_se)
    half = float(sp.t.ppf((1 + level) / 2, groups - 1)) * se
    if se == 0:  # no spread is no certainty: two clusters that agree may do so by chance
        p = sign_flips(np.bincount(codes, weights=d, minlength=groups))
        p = 2.0**-_ENUMERATED if p is None else p
        return PairedDifference(mean, se, Interval.none("no spread"), p, n, groups)
    p = 1.0 if mean == 0 else 2 * float(sp.t.sf(abs(mean) / se, groups - 1))
    interval = Interval(max(-1.0, mean - half), min(1.0, mean + half), "t")
    return PairedDifference(mean, se, interval, p, n, groups)


def sign_flips(by_unit: ArrayLike) -> float | None:
    """Exact two-sided p of "each unit could as well have favoured the other side".

    Args:
        by_unit: (units,) what each adds to the difference; zeros say nothing.

    Returns:
        McNemar's (binomial) where all that are not zero are of one size, all signs enumerated
        where they are twelve at most, None for more: then Student's t serves.
    """
    sums = np.asarray(by_unit, dtype=np.float64)
    sums = sums[np.abs(sums) > 1e-12]
    m = len(sums)
    if m == 0:
        return 1.0
    if np.allclose(np.abs(sums), abs(sums[0]), rtol=1e-9):
        return float(sp.binomtest(int((sums > 0).sum()), m, 0.5).pvalue)
    if m > _ENUMERATED:
        return None
    signs = 1 - 2 * ((np.arange(2**m)[:, None] >> np.arange(m)) & 1)
    return float((np.abs(signs @ sums) >= abs(sums.sum()) * (1 - 1e-9)).mean())


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p values (m,) in the given order (Holm 1979): reject where below the level.

    The level is that of the p values: two-sided ones against 0.05, one-sided ones that are to
    agree with a 95 % interval against 0.025.

    Example:
        >>> sf.stats.holm([0.01, 0.04]).tolist()
        [0.02, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(p) else steps
    return adjusted


@dataclass(frozen=True)
class Ties:
    """Which models cannot be told from the best.

    Attributes:
        best: The name with the highest accuracy; the first of equals.
        tied: The best and every model that is not significantly worse, in the given order.
        p: Name -> Holm-adjusted p of its paired difference to the best; the best is absent.

    Example:
        >>> sf.stats.ties({"ours": a, "theirs": b}).tied
        ('ours', 'theirs')
    """

    best: str
    tied: tuple[str, ...]
    p: Mapping[str, float]


def ties(
    correct: Mapping[str, ArrayLike], level: float = 0.95, clusters: ArrayLike | None = None
) -> Ties:
    """The models that are statistically tied with the best on the same images.

    Args:
        correct: Model name -> (n,) bool.
        level: A model that is best in truth keeps its star with at least this probability. That
            is not the family-wise error: of several that are equally good one may lose it more
            often (of 13 equal ones some does in about one study of seven), since all are compared
            with whichever happens to come out on top. :func:`~surefoot.stats.rank` tests all
            pairs and keeps that error too.
        clusters: (n,) labels of images that hang together.

    Raises:
        DataError: There is no model, or the arrays do not pair.

    Example:
        >>> sf.stats.ties({"ours": a, "theirs": b}).best
        'ours'
    """
    if not correct:
        raise DataError("there is no model to compare", expected="at least one")
    rows = {name: np.asarray(c, dtype=np.bool_) for name, c in correct.items()}
    best = max(rows, key=lambda name: rows[name].mean())
    others = [name for name in rows if name != best]
    raw = [paired_difference(rows[best], rows[name], level, clusters).p for name in others]
    adjusted = dict(zip(others, holm(raw).tolist(), strict=True))
    tied = tuple(n for n in rows if n == best or adjusted[n] >= 1 - level)
    return Ties(best, tied, adjusted)
