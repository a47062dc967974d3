"""Is one model better than another? Seeds crossed with units, exact tests where few differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .intervals import Interval
from .paired import holm, sign_flips
from .shown import too_few
from .spread import Rows, Spread, rows_of, spread
from .words import ENOUGH_UNITS, said

__all__ = ["About", "Comparison", "Ranking", "compare", "rank"]

Floats = NDArray[np.float64]
About = Literal["methods", "models"]
Rights = Mapping[str, ArrayLike]
Units = Mapping[str, ArrayLike | None]


@dataclass(frozen=True)
class Comparison:
    """What a is worth minus what b is worth, on the same images.

    Attributes:
        difference: a - b, the unweighted mean over splits, and over seeds.
        standard_error: Of the difference.
        interval: The widest that the data call for; it leaves out zero exactly where ``p`` is
            below 1 - level. Kind "none" says why in ``reason``.
        p: Two-sided, of no difference.
        dof: Satterthwaite's degrees of freedom.
        about: "methods": other seeds are part of the question. "models": the trained models as
            they are.
        units: How many units (images, patients, designers) there are over all splits.
        differing: On how many of them a and b differ.
        images: How many, over all splits.
        images_are_units: Every image is taken to stand for itself.
        seeds: How many.
        per_seed: The difference of every seed.
        level: Of the interval.
        spread: The parts of the variance.
        splits: Split -> its own comparison, where there is more than one.

    Example:
        >>> found = sf.stats.compare({"test": a}, {"test": b})
        >>> round(found.difference, 3)
        0.1
    """

    difference: float
    standard_error: float
    interval: Interval
    p: float
    dof: float
    about: About
    units: int
    differing: int
    images: int
    images_are_units: bool
    seeds: int
    per_seed: tuple[float, ...]
    level: float
    spread: Spread = field(repr=False)
    splits: Mapping[str, Comparison] = field(default_factory=dict, repr=False)

    @property
    def better(self) -> int:
        """1: a is better, -1: b is, 0: the data do not say. Never more than the interval says."""
        if not self.interval or not self.p < 1 - self.level:
            return 0
        return 1 if self.difference > 0 else -1

    @property
    def says(self) -> tuple[str, ...]:
        """What carries the comparison and what it cannot tell, sentence by sentence."""
        return said(self)

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is above ``bound``": small where the data say so."""
        return self._side(1, bound)

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is below ``bound``"."""
        return self._side(-1, bound)

    def _side(self, way: int, bound: float) -> float:
        if bound == 0:  # as the two-sided test has it, exact where that is
            return self.p / 2 if way * self.difference > 0 else 1 - self.p / 2
        if not self.interval:
            return 1.0
        return self.spread.tail(way * (self.difference - bound))


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
    binary = all(np.isin(x[name], (0, 1)).all() for x in (a, b) for name in names)
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
    images = all(len(np.unique(code)) == len(code) for code in rows[1])
    p, interval = _test(found, rows[0], differing, images, binary, level)
    return Comparison(
        found.estimate, found.standard_error, interval, p, found.dof, asked, found.units,
        differing, sum(v.shape[1] for v in rows[0]), images, seeds, found.per_seed, level, found,
    )  # fmt: skip


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
    shared = sum(len(np.unique(code)) for code in codes) > count
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
    if not binary and (why := too_few(values)):
        return 1.0, Interval.none(why)
    low, high = found.estimate - half, found.estimate + half
    if p >= 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    edge = 1.0 if binary else math.inf
    return p, Interval(max(low, -edge), min(high, edge), "t" if exact is None else "t, exact")


@dataclass(frozen=True)
class Ranking:
    """Several models on the same images, every pair tested.

    Attributes:
        best: The name with the highest mean over splits; the first of equals.
        tied: The best and all that cannot be told from it, in the given order.
        pairs: (name, name) in the given order -> the comparison of the first with the second.
        p: The same keys -> p adjusted for all pairs (Holm 1979).

    Example:
        >>> sf.stats.rank({"ours": {"test": a}, "theirs": {"test": b}}).best
        'ours'
    """

    best: str
    tied: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Comparison]
    p: Mapping[tuple[str, str], float]

    def better(self, a: str, b: str) -> int:
        """1, -1 or 0 of a against b, with all pairs allowed for."""
        key, turn = ((a, b), 1) if (a, b) in self.pairs else ((b, a), -1)
        found = self.pairs[key]
        return turn * found.better if self.p[key] < 1 - found.level else 0


def rank(
    models: Mapping[str, Rights],
    units: Units | None = None,
    *,
    about: About | None = None,
    level: float = 0.95,
) -> Ranking:
    """Every pair of several models; what is called different is wrong in at most 1 - level.

    All pairs are tested and Holm's adjustment is over all of them, so that the probability of
    calling any two models different that are equal in truth is at most 1 - level, however many
    there are and whichever turns out best.

    Args:
        models: Name -> split -> (seeds, images) or (images,), as :func:`compare` takes them.
        units: As there.
        about: As there, for every pair.
        level: 1 minus the error over all pairs.

    Raises:
        DataError: There is no model, or two do not pair.

    Example:
        >>> sf.stats.rank({"ours": {"test": a}, "theirs": {"test": b}}).tied
        ('ours', 'theirs')
    """
    if not models:
        raise DataError("there is no model to compare", expected="at least one")
    pairs = {
        (x, y): compare(models[x], models[y], units, about=about, level=level)
        for x, y in combinations(models, 2)
    }
    adjusted = dict(zip(pairs, holm([c.p for c in pairs.values()]).tolist(), strict=True))
    means = {
        name: np.mean([np.asarray(v, float).mean() for v in rows.values()])
        for name, rows in models.items()
    }
    best = max(means, key=lambda name: means[name])
    found = Ranking(best, (), pairs, adjusted)
    tied = tuple(name for name in models if name == best or not found.better(best, name))
    return replace(found, tied=tied)
