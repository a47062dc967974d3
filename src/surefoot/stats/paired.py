"""Standard error of a paired difference; the exact test of units; Holm's adjustment."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as sp

from ..errors import DataError

__all__ = ["holm", "paired_se", "sign_flips"]

Bools = NDArray[np.bool_]

_ENUMERATED = 12
"""Of so many numbers at most all signs are enumerated."""


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
