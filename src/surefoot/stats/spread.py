"""The error of an estimate from its rows: seeds crossed with units that are joined over splits.

An estimate is the mean over splits and seeds of the mean of one number per image. Accuracy is one,
a difference of accuracies is one, and any smooth statistic is one by its pseudo-values (the value
plus the influence of the image). Images, patients, places or designers are the *units*: what
would be drawn anew in another study. A unit may have images in several splits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from ..errors import DataError

__all__ = ["Rows", "Spread", "join_units", "right_or_wrong", "rows_of", "spread", "unit_names"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Rows = tuple[list[Floats], list[Codes], int]
"""Per split values (seeds, images), per split the unit of each image, and how many units."""


@dataclass(frozen=True)
class Spread:
    """Parts of the variance of an estimate.

    Attributes:
        estimate: The mean over splits of the mean over images, over seeds.
        per_seed: The estimate of every seed, (seeds,).
        units: How many there are over all splits.
        of_units: Variance of the estimate through the units, seeds as they are.
        of_seeds: Variance through the seeds, what seed and image do together included; 0 where
            the seeds are taken as they are, infinity where one seed is to stand for all.
        of_both: The part that is in both of these.
        unit_dof: Degrees of freedom of ``of_units``.
        by_unit: What every unit adds to the estimate, (units,); they sum to it.
        lean: Sum of the units' cubed influences over six times that of their squares: how far
            the estimate leans to one side of the truth where few units are far off.

    Example:
        >>> spread = sf.stats.compare({"test": a}, {"test": b}).spread
        >>> round(spread.estimate, 3), spread.units
        (0.1, 40)
    """

    estimate: float
    per_seed: tuple[float, ...]
    units: int
    of_units: float
    of_seeds: float
    of_both: float
    unit_dof: float
    by_unit: Floats
    lean: float

    @property
    def standard_error(self) -> float:
        """Of the estimate: both parts, what they share counted once."""
        return math.sqrt(self.of_units + max(self.of_seeds - self.of_both, 0.0))

    @property
    def dof(self) -> float:
        """Satterthwaite's degrees of freedom of the standard error."""
        below = self.of_units**2 / self.unit_dof if self.unit_dof else math.inf
        if self.of_seeds > 0 and len(self.per_seed) > 1:
            below += self.of_seeds**2 / (len(self.per_seed) - 1)
        return self.standard_error**4 / below if 0 < below < math.inf else self.unit_dof

    def half(self, level: float) -> float:
        """Half the width of the interval; infinity where there is nothing to say.

        Each part of the variance gets Student's quantile of its own degrees of freedom, what seed
        and image do together is taken off with its own (a modified large-sample interval as in
        Burdick and Graybill 1992, "Confidence intervals on variance components"): with two or
        three seeds that is never clearly too narrow, whichever part is the larger, while
        Satterthwaite's is.
        """
        if not math.isfinite(self.of_units) or not math.isfinite(self.of_seeds):
            return math.inf
        tail, seeds = (1 + level) / 2, len(self.per_seed)
        square = _student(self.unit_dof, tail) ** 2 * self.of_units
        if self.of_seeds > 0:
            of_seeds = _student(seeds - 1, tail) ** 2 * self.of_seeds
            both = _student((seeds - 1) * self.unit_dof, tail) ** 2 * self.of_both
            square += max(of_seeds - both, 0.0)
        return math.sqrt(square)

    def tail(self, margin: float) -> float:
        """One-sided p of "the estimate lies ``margin`` above what it should": agrees with half."""
        if not math.isfinite(self.half(0.5)):
            return 1.0
        if margin <= 0:
            return 1 - self.tail(-margin) if margin else 0.5
        if margin <= self.half(0.0):  # some versions of scipy have a median of t of 8e-17
            return 0.5
        if self.of_seeds == 0:
            if self.of_units == 0:
                return 0.0
            return float(special.stdtr(self.unit_dof, -margin / math.sqrt(self.of_units)))
        if self.half(1 - 2e-12) <= margin:
            return 1e-12

        def short(log_p: float) -> float:
            return self.half(1 - 2 * math.exp(log_p)) - margin

        edges = math.log(1e-12), math.log(0.5)
        return math.exp(float(optimize.brentq(short, *edges, xtol=1e-7)))


def _student(dof: float, tail: float) -> float:
    return float(special.stdtrit(dof, tail))


def rows_of(values: Sequence[ArrayLike], units: Sequence[ArrayLike | None] | None = None) -> Rows:
    """Values and units in one shape.

    Args:
        values: Per split, (seeds, images) or (images,).
        units: Per split, labels (images,) of any type, or None where each image is a unit of its
            own. Equal labels in two splits are one unit.

    Raises:
        DataError: There is no split, seed or image, seeds differ between splits, numbers are not
            finite, or labels do not fit.
    """
    rows = [np.atleast_2d(np.asarray(v, dtype=np.float64)) for v in values]
    if not rows or any(r.ndim != 2 or not r.size for r in rows) or len({len(r) for r in rows}) > 1:
        shapes = ", ".join(str(r.shape) for r in rows) or "none"
        raise DataError(
            f"cannot compare over splits of {shapes} (seeds, images)",
            expected="at least one split, the same seeds in each, at least one image",
        )
    if not all(np.isfinite(r).all() for r in rows):
        raise DataError("cannot make a mean of numbers that are not finite",
                        expected="a finite number for every image")  # fmt: skip
    codes, count = join_units([r.shape[1] for r in rows], units)
    return rows, codes, count


def right_or_wrong(values: ArrayLike) -> bool:
    """Whether all are 1 or 0."""
    numbers = np.asarray(values)
    return bool(((numbers == 0) | (numbers == 1)).all())


def join_units(
    sizes: Sequence[int], units: Sequence[ArrayLike | None] | None
) -> tuple[list[Codes], int]:
    """The unit of every image as a number, the same in every split, and how many there are.

    Raises:
        DataError: There is not one label per image.

    Example:
        >>> codes, count = sf.stats.join_units([2, 2], [np.array(["x", "y"]), np.array(["y", "z"])])
        >>> count
        3
    """
    given = [None] * len(sizes) if units is None else list(units)
    if len(given) != len(sizes):
        raise DataError(f"units of {len(given)} splits for {len(sizes)}", expected="one per split")
    labels = [None if u is None else np.asarray(u) for u in given]
    for n, u in zip(sizes, labels, strict=True):
        if u is not None and u.shape != (n,):
            raise DataError(f"unit labels of shape {u.shape} for {n} images",
                            expected="one per image")  # fmt: skip
    named = [u for u in labels if u is not None]
    numbers = all(u.dtype.kind in "iu" for u in named)
    there = [u if numbers else unit_names(u) for u in named]
    flat = np.unique(np.concatenate(there), return_inverse=True)[1] if there else np.zeros(0, int)
    count, at, codes = int(flat.max()) + 1 if len(flat) else 0, 0, []
    for n, u in zip(sizes, labels, strict=True):
        if u is None:
            codes.append(np.arange(count, count + n))
            count += n
        else:
            codes.append(flat[at : at + n].astype(np.int64))
            at += n
    return codes, count


def unit_names(labels: NDArray[Any]) -> NDArray[np.str_]:
    """Labels as text, whole numbers without a point: 12 of one table is 12.0 of another."""
    if labels.dtype.kind != "f":
        return labels.astype(np.str_)
    values, at = np.unique(labels, return_inverse=True)
    return np.array([str(v).removesuffix(".0") for v in values.tolist()], dtype=np.str_)[at]


def spread(rows: Rows, *, seeds_drawn: bool) -> Spread:
    """The parts of the variance of the mean over splits.

    Args:
        rows: From :func:`rows_of`.
        seeds_drawn: Whether other seeds are part of the question. False: the trained models are
            taken as they are.
    """
    values, codes, count = rows
    seeds, splits = len(values[0]), len(values)
    per_seed = np.mean([v.mean(axis=1) for v in values], axis=0)
    shares = _summed([np.full((1, len(c)), 1 / len(c) / splits) for c in codes], codes, count)[0]
    by_unit = _summed([v.mean(axis=0)[None] / v.shape[1] / splits for v in values], codes, count)
    away = [(v - v.mean(axis=1, keepdims=True)) / v.shape[1] / splits for v in values]
    influence = _summed(away, codes, count)
    mean = influence.mean(axis=0)
    grow, dof = _few_units(shares)
    of_seeds = of_both = 0.0
    if seeds_drawn:
        of_seeds = float(per_seed.var(ddof=1)) / seeds if seeds > 1 else math.inf
        rest = influence - mean
        of_both = grow * float((rest**2).sum()) / (seeds * (seeds - 1)) if seeds > 1 else 0.0
    of_units = grow * float(mean @ mean) if dof > 0 else math.inf
    lean = float((mean**3).sum() / (6 * (mean @ mean))) if mean.any() else 0.0
    return Spread(float(per_seed.mean()), tuple(per_seed.tolist()), count, of_units, of_seeds,
                  of_both, dof, by_unit[0], lean)  # fmt: skip


def _summed(parts: Sequence[Floats], codes: Sequence[Codes], count: int) -> Floats:
    """Per split (seeds, images) -> sums over the images of each unit, (seeds, units)."""
    out = np.zeros((len(parts[0]), count))
    for part, code in zip(parts, codes, strict=True):
        for row, total in zip(part, out, strict=True):
            total += np.bincount(code, weights=row, minlength=count)
    return out


def _few_units(shares: Floats) -> tuple[float, float]:
    """How much the sum of squared residuals falls short, and its degrees of freedom.

    Exact where units of these shares differ as wholes (Satterthwaite's on a quadratic form, as
    Bell and McCaffrey 2002 have it for clusters of unequal size); for equal shares g / (g - 1) and
    g - 1. One unit that holds nearly all images leaves next to no degrees of freedom.
    """
    w2, w3, w4 = (float((shares**k).sum()) for k in (2, 3, 4))
    if len(shares) < 2:
        return math.inf, 0.0
    short = w2 - 2 * w3 + w2 * w2
    cross = w2**4 + 2 * w4 * w2 - 4 * w2 * w3 * w2 + 2 * w3 * w3
    own = float((shares**4 * (1 + 2 * (w2 - 2 * shares))).sum())
    return w2 / short, max(short * short / (own + cross), 0.0)
