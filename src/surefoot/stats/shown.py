"""Intervals of means, shares and extremes over units and seeds; where there is none, why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as sp

from .intervals import Interval, clopper_pearson
from .spread import Spread, right_or_wrong, rows_of, spread

__all__ = ["highest", "interval_of_mean", "lowest", "share_interval"]

Floats = NDArray[np.float64]

ENOUGH_IMAGES = 90
"""Of so many equal numbers at least must a mean of unequal ones be worth: a likelihood whose sum
is a few images' has no interval, since what it would need may not have been drawn."""


def interval_of_mean(
    values: Mapping[str, ArrayLike],
    units: Mapping[str, ArrayLike | None] | None = None,
    *,
    seeds_drawn: bool = False,
    level: float = 0.95,
) -> Interval:
    """The interval of a mean over splits, seeds and images.

    Shares of right answers: Clopper and Pearson's where images stand for themselves and there is
    one split and seed, else :func:`share_interval`. Other numbers (likelihoods, pseudo-values):
    Student's t over units.

    Args:
        values: Split -> (seeds, images) or (images,).
        units: Split -> labels (images,) of what hangs together; a split left out has images that
            stand for themselves.
        seeds_drawn: Other seeds are part of the question. One seed then gives no interval.
        level: Coverage aimed at.

    Raises:
        DataError: The shapes do not fit.

    Example:
        >>> sf.stats.interval_of_mean({"test": a[None, :]}).kind
        'clopper-pearson'
    """
    labels = [None if units is None else units.get(name) for name in values]
    rows = rows_of(list(values.values()), labels)
    numbers, _, count = rows
    binary = all(right_or_wrong(v) for v in numbers)
    n = sum(v.shape[1] for v in numbers)
    if binary and len(numbers) == 1 and len(numbers[0]) == 1 and count == n:
        return clopper_pearson(int(numbers[0].sum()), n, level)
    found = spread(rows, seeds_drawn=seeds_drawn)
    half = found.half(level)
    if not math.isfinite(half):
        return Interval.none(_why(found))
    if binary:
        return share_interval(found, level)
    why = too_few(numbers) or no_spread(found)
    if why:
        return Interval.none(why)
    lean = _lean(found, level)
    low, high = half + max(-lean, 0.0), half + max(lean, 0.0)
    return Interval(found.estimate - low, found.estimate + high, "t")


def _why(found: Spread) -> str:
    if found.units < 2:
        return "one unit cannot tell how much others differ"
    return "one seed cannot tell how much another training would differ"


def share_interval(found: Spread, level: float) -> Interval:
    """Korn and Graubard's interval of a share: Clopper-Pearson with as many images as count.

    The share's variance over units and seeds says how many independent images would have had it;
    few degrees of freedom make that fewer (Korn and Graubard 1998, "Confidence intervals for
    proportions with small expected number of positive counts"). All right or all wrong shows no
    spread, so that only the units count.
    """
    half, z = found.half(level), float(sp.norm.ppf((1 + level) / 2))
    if not math.isfinite(half):
        return Interval.none(_why(found))
    lean = _lean(found, level)
    share, tail = found.estimate, (1 - level) / 2
    room = share * (1 - share)

    def images(reach: float) -> float:
        """So many independent ones would reach as far."""
        spreads = room > 0 and reach > 1e-9  # units that are all alike differ by rounding
        return room * (z / reach) ** 2 if spreads else float(found.units)

    below, above = images(half + max(-lean, 0.0)), images(half + max(lean, 0.0))
    low = 0.0 if share <= 0 else float(sp.beta.ppf(tail, share * below, (1 - share) * below + 1))
    high = 1.0 if share >= 1 else float(
        sp.beta.ppf(1 - tail, share * above + 1, (1 - share) * above))  # fmt: skip
    return Interval(low, high, "korn-graubard")


def too_few(values: Sequence[Floats]) -> str:
    """Why a mean of unequal numbers has no interval: a few make most of it; "" where many do."""
    sizes = np.abs(np.concatenate([v.mean(axis=0) for v in values]))
    worth = sizes.sum() ** 2 / (sizes @ sizes) if sizes.any() else 0.0
    return f"a few images make most of it, {worth:.0f} in effect" if worth < ENOUGH_IMAGES else ""


def no_spread(found: Spread) -> str:
    """Why a mean of equal numbers has no interval: rounding is no error of theirs; "" else."""
    same = found.standard_error <= 1e-9 * abs(found.estimate)
    return "all have the same value, which shows no error" if same else ""


def _lean(found: Spread, level: float) -> float:
    """How far skewed units move the interval: it is let out by that much and taken in nowhere.

    Johnson 1978, "Modified t tests and confidence intervals for asymmetrical populations".
    """
    return found.lean * (1 + 2 * float(sp.t.ppf((1 + level) / 2, found.unit_dof)) ** 2)


def lowest(parts: Sequence[tuple[Interval, Interval]]) -> Interval:
    """The interval of the smallest of several true values.

    Args:
        parts: Of each value, its interval at the level wanted and at 1 - (1 - level) / how many.

    The lower end is the smallest lower end: it misses only where that of the smallest value does.
    The upper end is the smallest upper end of the second kind (Bonferroni): it misses only where
    one of them does.

    Example:
        >>> pair = sf.stats.clopper_pearson(30, 40), sf.stats.clopper_pearson(30, 40, level=0.99)
        >>> sf.stats.lowest([pair]).low < 0.75
        True
    """
    plain, strict = [p for p, _ in parts], [s for _, s in parts]
    if not all(plain) or not all(strict):
        reason = next((i.reason for i in (*plain, *strict) if not i), "there is no group")
        return Interval.none(reason)
    return Interval(min(i.low for i in plain), min(i.high for i in strict), "bonferroni")


def highest(parts: Sequence[tuple[Interval, Interval]]) -> Interval:
    """The interval of the largest of several true values; see :func:`lowest`.

    Example:
        >>> pair = sf.stats.clopper_pearson(30, 40), sf.stats.clopper_pearson(30, 40, level=0.99)
        >>> sf.stats.highest([pair]).high > 0.75
        True
    """
    turned = [tuple(replace(i, low=-i.high, high=-i.low) for i in pair) for pair in parts]
    found = lowest([(a, b) for a, b in turned])
    return replace(found, low=-found.high, high=-found.low)
