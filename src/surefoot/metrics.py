"""Metrics: pure functions of predictions, and a table of them. No torch here.

A :class:`Metric` works in two steps: ``columns`` keeps per image what it needs (a predicted class,
a confidence), and ``reduce`` makes one number of the columns and of weights (how often each image
counts), so that a bootstrap over a thousand resamples never looks at the logits again.

Classes that a split cannot contain are masked before anything else; ties go to the lowest class.
Missing is not zero: a class or group without images has no value and does not enter a mean.

Metrics over several class ids or frames (ObjectNet's maximum, Vid-Robust's pm_k) need more than
one row of logits per image; they get their own ``columns`` here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .errors import DataError
from .predictions import Predictions
from .registry import Registry

__all__ = ["METRICS", "Metric", "get_metric", "log_softmax", "per_class_accuracy"]

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Metric:
    """One number of predictions.

    Attributes:
        name: As scores carry it.
        direction: "max" where more is better, "min" where less is.
        mean_of_images: The value is the mean of one number per image, ``columns["value"]``.
        columns: Predictions -> name -> (n,) array, all that is needed from now on.
        reduce: (columns, weights (n,)) -> value; NaN where no image counts.
        bounds: Between which values lie.
        argument: What follows the colon of "worst_group:region".
    """

    name: str
    direction: Literal["max", "min"]
    mean_of_images: bool
    columns: Callable[[Predictions, str | None], Columns]
    reduce: Callable[[Columns, Floats], float]
    bounds: tuple[float, float] = (0.0, 1.0)
    argument: str | None = None

    def of(self, predictions: Predictions) -> Columns:
        """The columns of these predictions.

        Raises:
            DataError: What the metric needs is not there (a group column).
        """
        return self.columns(predictions, self.argument)

    def __call__(self, predictions: Predictions) -> float:
        """The value on all images."""
        return self.reduce(self.of(predictions), np.ones(len(predictions.labels)))


def log_softmax(logits: NDArray[np.floating[Any]]) -> Floats:
    """Log probabilities (n, classes) in double precision; minus infinity stays."""
    wide = logits.astype(np.float64)
    return np.asarray(wide - logsumexp(wide, axis=1, keepdims=True))


def _mean(columns: Columns, weights: Floats) -> float:
    total = weights.sum()
    return float(columns["value"] @ weights / total) if total else math.nan


def _top1(predictions: Predictions, _: str | None) -> Columns:
    return {"value": predictions.correct().astype(np.float64)}


def _top5(predictions: Predictions, _: str | None) -> Columns:
    """The label is among the five largest; of equal logits the lower class is larger."""
    logits, labels = predictions.masked(), predictions.labels
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    below = np.arange(logits.shape[1])[None] < labels[:, None]
    rank = (logits > own).sum(axis=1) + ((logits == own) & below).sum(axis=1)
    return {"value": ((rank < 5) & np.isfinite(own[:, 0])).astype(np.float64)}


def _nll(predictions: Predictions, _: str | None) -> Columns:
    log_p = log_softmax(predictions.masked())
    return {"value": -np.take_along_axis(log_p, predictions.labels[:, None], axis=1)[:, 0]}


def _classes(predictions: Predictions, _: str | None) -> Columns:
    return {"label": predictions.labels, "predicted": predictions.top1()}


def per_class_accuracy(columns: Columns, weights: Floats) -> Floats:
    """Accuracy of each class (classes,); NaN for a class without images."""
    label, predicted = columns["label"], columns["predicted"]
    size = int(max(label.max(), predicted.max())) + 1
    count = np.bincount(label, weights, size)
    right = np.bincount(label, weights * (label == predicted), size)
    with np.errstate(invalid="ignore"):
        return np.asarray(right / count, dtype=np.float64)


def _per_class(columns: Columns, weights: Floats) -> float:
    return float(np.nanmean(per_class_accuracy(columns, weights))) if weights.any() else math.nan


def _macro_f1(columns: Columns, weights: Floats) -> float:
    """Mean F1 over the classes that occur among the labels, as WILDS scores iWildCam.

    A class that is only predicted costs precision of the others and has no F1 of its own:
    scikit-learn's ``f1_score(average="macro", labels=unique(y_true))``.
    """
    label, predicted = columns["label"], columns["predicted"]
    size = int(max(label.max(), predicted.max())) + 1
    true = np.bincount(label, weights, size)
    said = np.bincount(predicted, weights, size)
    hits = np.bincount(label, weights * (label == predicted), size)
    there = true > 0
    f1 = 2 * hits[there] / (true[there] + said[there])
    return float(f1.mean()) if len(f1) else math.nan


def _groups(predictions: Predictions, argument: str | None) -> Columns:
    columns = predictions.metadata
    name = argument or ("group" if "group" in columns else None)
    if name is None and len(columns) == 1:
        name = next(iter(columns))
    if name is None or name not in columns:
        raise DataError(
            f"worst_group on {predictions.split!r} finds no column {name or 'group'!r}",
            expected=f"a metadata column (there are: {', '.join(columns) or 'none'})",
            fix="name one, as in worst_group:region",
        )
    codes = np.unique(np.asarray(columns[name]).astype(str), return_inverse=True)[1]
    return {"value": predictions.correct().astype(np.float64), "group": codes}


def _worst_group(columns: Columns, weights: Floats) -> float:
    """Accuracy of the group with the lowest; groups without images do not count."""
    count = np.bincount(columns["group"], weights)
    right = np.bincount(columns["group"], weights * columns["value"])
    there = count > 0
    return float((right[there] / count[there]).min()) if there.any() else math.nan


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


BINS = 15
"""Bins of the calibration error, (0, 1/15], ..., (14/15, 1]."""

TOP1 = Metric("top1", "max", True, _top1, _mean)
TOP5 = Metric("top5", "max", True, _top5, _mean)
PER_CLASS = Metric("per_class", "max", False, _classes, _per_class)
MACRO_F1 = Metric("macro_f1", "max", False, _classes, _macro_f1)
WORST_GROUP = Metric("worst_group", "max", False, _groups, _worst_group)
ECE = Metric("ece", "min", False, _confidence, _ece)
NLL = Metric("nll", "min", True, _nll, _mean, bounds=(0.0, math.inf))

METRICS = Registry(
    "metric",
    {
        "top1": "surefoot.metrics:TOP1",
        "top5": "surefoot.metrics:TOP5",
        "per_class": "surefoot.metrics:PER_CLASS",
        "macro_f1": "surefoot.metrics:MACRO_F1",
        "worst_group": "surefoot.metrics:WORST_GROUP",
        "ece": "surefoot.metrics:ECE",
        "nll": "surefoot.metrics:NLL",
    },
)
"""Name -> :class:`Metric`; packages add theirs through the entry points ``surefoot.metrics``."""


def get_metric(name: str) -> Metric:
    """The metric behind a name, or a name and an argument ("worst_group:region").

    Raises:
        UnknownName: No such metric; the nearest are named.
        DataError: An argument for a metric that takes none.
    """
    plain, _, argument = name.partition(":")
    found: Metric = METRICS.get(plain.replace("-", "_"))
    if not argument:
        return found
    if found.columns is not _groups:
        raise DataError(
            f"the metric {plain!r} takes no argument, {argument!r} was given",
            expected=plain,
            fix="only worst_group takes a metadata column",
        )
    return replace(found, name=name, argument=argument)
