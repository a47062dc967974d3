"""Accuracy: of images, of classes, among the five best; macro F1."""

from __future__ import annotations

import math

import numpy as np

from ..predictions import Predictions
from .base import Columns, Floats, Metric, mean

__all__ = ["MACRO_F1", "PER_CLASS", "TOP1", "TOP5", "per_class_accuracy"]


def _top1(predictions: Predictions, _: str | None) -> Columns:
    return {"value": predictions.correct().astype(np.float64)}


def _top5(predictions: Predictions, _: str | None) -> Columns:
    """The label is among the five largest; of equal logits the lower class is larger."""
    logits, labels = predictions.masked(), predictions.labels
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    below = np.arange(logits.shape[1])[None] < labels[:, None]
    rank = (logits > own).sum(axis=1) + ((logits == own) & below).sum(axis=1)
    return {"value": ((rank < 5) & np.isfinite(own[:, 0])).astype(np.float64)}


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


TOP1 = Metric("top1", "max", True, _top1, mean, proportion=True)
TOP5 = Metric("top5", "max", True, _top5, mean, proportion=True)
PER_CLASS = Metric("per_class", "max", False, _classes, _per_class)
MACRO_F1 = Metric("macro_f1", "max", False, _classes, _macro_f1)
