"""How far confidence is to be trusted: calibration error and likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as sp

from ..predictions import Predictions
from ..stats import Interval, join_units
from .base import Columns, Floats, Metric, log_softmax, mean

__all__ = ["BINS", "ECE", "NLL", "ece_difference", "ece_interval"]

BINS = 15
"""Bins of the calibration error, (0, 1/15], ..., (14/15, 1]."""


def _nll(predictions: Predictions, _: str | None) -> Columns:
    log_p = log_softmax(predictions.masked())
    return {"value": -np.take_along_axis(log_p, predictions.labels[:, None], axis=1)[:, 0]}


def _confidence(predictions: Predictions, _: str | None) -> Columns:
    confidence = np.exp(log_softmax(predictions.masked()).max(axis=1))
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    right = predictions.correct().astype(np.float64)
    return {"confidence": confidence, "value": right, "bin": bins}


def _ece(columns: Columns, weights: Floats) -> float:
    """Expected calibration error, 15 equal bins (Guo et al. 2017, arXiv 1706.04599, eq. 3)."""
    gap = weights * (columns["value"] - columns["confidence"])
    total = weights.sum()
    per_bin = np.bincount(columns["bin"], gap, BINS)
    return float(np.abs(per_bin).sum() / total) if total else math.nan


ECE = Metric("ece", "min", False, _confidence, _ece, probabilities=True)
NLL = Metric("nll", "min", True, _nll, mean, bounds=(0.0, math.inf), probabilities=True)


def ece_interval(
    seeds: Sequence[Columns], units: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """The interval of the calibration error of one trained model, from a bound on its bias.

    The sum over bins of |gap| is too large on average: a bin that is calibrated has a gap by
    chance. By how much at most follows from each bin's standard error and how far its gap is
    from zero, so the lower end goes down by that as well. An absolute value varies less than what
    is inside it, so the upper end needs the plain standard error only. On a calibrated model the
    interval begins at zero and cannot miss: it covers more often than ``level`` there.

    Args:
        seeds: Columns of one trained model; of several, their mean is asked for, as they are.
        units: Labels (images,) of what hangs together.
        level: Coverage, at least.
    """
    parts = [_parts(c, units) for c in seeds]
    if any(p is None for p in parts):
        return Interval.none("one unit cannot tell how much others differ")
    found = [p for p in parts if p is not None]
    value = float(np.mean([p.value for p in found]))
    bias = float(np.mean([p.bias for p in found]))
    half = _quantile(found[0], level) * float(np.mean([p.error for p in found]))
    return Interval(max(value - bias - half, 0.0), min(value + half, 1.0), "bias-bound")


def ece_difference(
    a: Sequence[Columns],
    b: Sequence[Columns],
    units: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The interval of a's calibration error minus b's; each end allows for one side's bias."""
    left, right = ([_parts(c, units) for c in side] for side in (a, b))
    if any(p is None for p in (*left, *right)):
        return Interval.none("one unit cannot tell how much others differ")
    x, y = [p for p in left if p is not None], [p for p in right if p is not None]
    value = float(np.mean([p.value for p in x]) - np.mean([p.value for p in y]))
    both = math.hypot(np.mean([p.error for p in x]), np.mean([p.error for p in y]))
    half = _quantile(x[0], level) * both
    low = value - float(np.mean([p.bias for p in x])) - half
    high = value + float(np.mean([p.bias for p in y])) + half
    return Interval(max(low, -1.0), min(high, 1.0), "bias-bound")


@dataclass(frozen=True)
class _Parts:
    """A calibration error, a bound on its bias, its standard error, and degrees of freedom."""

    value: float
    bias: float
    error: float
    dof: float


def _parts(columns: Columns, units: ArrayLike | None) -> _Parts | None:
    """None where one unit is all there is."""
    n, bins = len(columns["value"]), columns["bin"]
    (codes,), count = join_units([n], [units])
    if count < 2:
        return None
    gap = (columns["value"] - columns["confidence"]) / n
    per_bin = np.bincount(bins, gap, BINS)
    # A bin's gap is a sum over units, each with its share in it.
    sums = np.bincount(codes * BINS + bins, gap, count * BINS).reshape(count, BINS)
    sizes = np.bincount(codes, minlength=count) / n
    away = sums - sizes[:, None] * per_bin
    covariance = count / (count - 1) * away.T @ away
    each = np.sqrt(np.diag(covariance))
    way = np.where(per_bin < 0, -1.0, 1.0)
    error = math.sqrt(max(float(np.trace(covariance)), float(way @ covariance @ way)))
    far = np.maximum(np.abs(per_bin) / np.where(each > 0, each, 1.0) - 1.0, 0.0)
    # E|N(m, 1)| - m
    bias = each * (2 * sp.norm.pdf(far) - 2 * far * sp.norm.sf(far))
    return _Parts(float(np.abs(per_bin).sum()), float(bias.sum()), error, count - 1.0)


def _quantile(parts: _Parts, level: float) -> float:
    return float(sp.t.ppf((1 + level) / 2, parts.dof))
