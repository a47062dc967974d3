"""Is one model better than another? Seeds crossed with units, exact tests where few differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .compared import ENOUGH_UNITS, About, Comparison
from .intervals import Interval
from .paired import sign_flips
from .shown import no_spread, too_few
from .spread import Rows, Spread, right_or_wrong, rows_of, spread

__all__ = ["Rights", "Units", "compare"]

Floats = NDArray[np.float64]
Rights = Mapping[str, ArrayLike]
Units = Mapping[str, ArrayLike | None]


def compare(
    a: Rights,
    b: Rights,
    units: Units | None = None,
    *,
    about: About | None = None,
    level: float = 0.95,
) -> Comparison:
    """Is a better than b, whichever units are asked and whichever seeds trained them?

    Units are joined over splits by their labels: a designer, a patient, an image that three
    corruptions distort is one unit wherever it occurs. Seeds are crossed with units, since every
    seed is asked the same images (:func:`~surefoot.stats.spread.spread`). Where few images or few
    units differ, the exact test decides (McNemar's, or sign flips of units); the interval takes
    zero in where the exact test does not exclude it.

    Args:
        a: Split -> (seeds, images) or (images,): right or wrong as 1 or 0, or pseudo-values of any
            statistic (:func:`surefoot.metrics.pseudo_values`). A mean over seeds hides how much
            they differ: give every seed a row.
        b: Likewise, the same splits and images; a single model may stand beside several seeds.
        units: Split -> labels (images,) of what hangs together, or None; a split that is left out
            has images that stand for themselves.
        about: "methods": would it be so with other seeds? "models": are these trained models
            better? Left out: "methods" where there are two seeds or more, else "models".
        level: Of the interval; 1 - level is where a difference counts.

    Raises:
        DataError: The splits, images or seeds of a and b do not pair.

    Example:
        >>> found = sf.stats.compare({"test": a}, {"test": b})
        >>> round(found.difference, 3)
        0.1
    """
    names = _same_splits(a, b)
    gaps = [_gap(name, a[name], b[name]) for name in names]
    labels = [None if units is None else units.get(name) for name in names]
    binary = all(right_or_wrong(x[name]) for x in (a, b) for name in names)
    whole = _compare(rows_of(gaps, labels), binary, about, level)
    if len(names) == 1:
        return whole
    each = {
        name: _compare(rows_of([g], [u]), binary, about, level)
        for name, g, u in zip(names, gaps, labels, strict=True)
    }
    return replace(whole, splits=each)


def _same_splits(a: Rights, b: Rights) -> list[str]:
    if not a or set(a) != set(b):
        raise DataError(
            f"cannot pair results on {', '.join(a) or 'no split'} with those on "
            f"{', '.join(b) or 'no split'}",
            expected="the same splits on both sides, at least one",
            fix="evaluate both models on the same splits",
        )
    return list(a)


def _gap(name: str, a: ArrayLike, b: ArrayLike) -> Floats:
    """Differences of one split, (seeds, images); one model stands beside several seeds."""
    left, right = (np.atleast_2d(np.asarray(x, dtype=np.float64)) for x in (a, b))
    fits = left.ndim == right.ndim == 2 and left.shape[1] == right.shape[1]
    if not fits or (len(left) != len(right) and 1 not in (len(left), len(right))):
        raise DataError(
            f"cannot pair results of {left.shape} and {right.shape} (seeds, images) on {name!r}",
            expected="the same images, and as many seeds on both sides or one on one of them",
            fix="evaluate both models on the same images, with the same seeds",
        )
    return np.asarray(left - right)


def _compare(rows: Rows, binary: bool, about: About | None, level: float) -> Comparison:
    seeds = len(rows[0][0])
    asked: About = about or ("methods" if seeds > 1 else "models")
    found = spread(rows, seeds_drawn=asked == "methods")
    if binary:
        found = _padded(found, rows)
    differing = _differing(rows)
    images = all(_units_of(code) == len(code) for code in rows[1])
    p, interval = _test(found, rows[0], differing, images, binary, level)
    return Comparison(
        found.estimate, found.standard_error, interval, p, found.dof, asked, found.units,
        differing, sum(v.shape[1] for v in rows[0]), images, seeds, found.per_seed, level, found,
    )  # fmt: skip


def _units_of(code: NDArray[np.int64]) -> int:
    """How many units a split has."""
    return int(np.count_nonzero(np.bincount(code)))


def _differing(rows: Rows) -> int:
    """Units on which a and b differ at all, with any seed."""
    values, codes, count = rows
    found = np.zeros(count, dtype=np.bool_)
    for v, code in zip(values, codes, strict=True):
        found[code[(v != 0).any(axis=0)]] = True
    return int(found.sum())


def _padded(found: Spread, rows: Rows) -> Spread:
    """One image more for either side, in every split: no spread is no proof.

    For one split whose images are the units it is the adjusted Wald variance of Bonett and Price
    (2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data"), around the plain estimate. Splits that share units share these two images.
    """
    values, codes, count = rows
    n = len(values) / sum(1 / v.shape[1] for v in values)
    shared = sum(_units_of(code) for code in codes) > count
    more = (2 + 2 * n * found.estimate**2 / (n + 2)) / (n + 2) ** 2
    more /= 1 if shared else len(values)
    return replace(found, of_units=found.of_units * (n / (n + 2)) ** 2 + more)


def _test(
    found: Spread,
    values: Sequence[Floats],
    differing: int,
    images: bool,
    binary: bool,
    level: float,
) -> tuple[float, Interval]:
    """Two-sided p and the interval, which agree on zero."""
    half = found.half(level)
    if not math.isfinite(half):
        why = "one unit cannot tell how much others differ" if found.units < 2 else (
            "one seed cannot tell how much another training would differ")  # fmt: skip
        return 1.0, Interval.none(why)
    p = 1.0 if differing == 0 else 2 * found.tail(abs(found.estimate))
    exact = sign_flips(found.by_unit)
    p = p if exact is None else max(p, exact)
    if binary and not images and differing < min(ENOUGH_UNITS, found.units):
        return p, Interval.none(f"only {differing} of {found.units} units differ")
    if not binary and (why := too_few(values) or no_spread(found)):
        return 1.0, Interval.none(why)
    low, high = found.estimate - half, found.estimate + half
    if p >= 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    edge = 1.0 if binary else math.inf
    return p, Interval(max(low, -edge), min(high, edge), "t" if exact is None else "t, exact")
