"""Pseudo-values: any smooth metric as a mean of one number per image, for intervals and tests.

The value plus what each image adds to it (its influence): their mean is the value, and their
spread over images, over units, over seeds is that of the value. :func:`surefoot.stats.compare`
and :func:`surefoot.stats.interval_of_mean` take them in place of right or wrong.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .base import Columns, Floats, Metric, lines

__all__ = ["classes_thin", "pseudo_values"]

THIN = 5
"""A class with fewer images than this has too little to tell how it varies."""

THIN_SHARE = 0.05
"""So many classes may be thin, before a mean over classes gets no interval."""


def pseudo_values(metric: Metric, columns: Columns) -> Floats:
    """One number per line (m,), whose mean is the metric's value.

    Raises:
        DataError: The metric has none: a minimum over groups, a calibration error.
    """
    if metric.mean_of_images:
        return np.asarray(columns["value"], dtype=np.float64)
    base = metric.name.partition(":")[0]
    if base not in ("per_class", "macro_f1"):
        raise DataError(
            f"{metric.name} is no smooth function of images",
            expected="a mean over images or over classes",
            fix="ask surefoot.metrics.interval, which has other forms",
        )
    label, right = columns["label"], columns["label"] == columns["predicted"]
    return _of_classes(label, right) if base == "per_class" else _of_f1(columns, right)


def _of_classes(label: Floats, right: Floats) -> Floats:
    """Mean accuracy of the classes that occur."""
    count = np.bincount(label)
    rate = np.bincount(label, right) / np.maximum(count, 1)
    there = count > 0
    away = (right - rate[label]) / count[label]
    return np.asarray(rate[there].mean() + len(label) / there.sum() * away)


def _of_f1(columns: Columns, right: Floats) -> Floats:
    """Mean F1 of the classes that occur among the labels."""
    label, predicted = columns["label"], columns["predicted"]
    size = int(max(label.max(), predicted.max())) + 1
    true, said = np.bincount(label, minlength=size), np.bincount(predicted, minlength=size)
    hits = np.bincount(label, right, size)
    there = true > 0
    f1 = np.where(there, 2 * hits / np.maximum(true + said, 1), 0.0)
    per = np.where(there, 1 / np.maximum(true + said, 1), 0.0)
    away = 2 * right * per[label] - f1[label] * per[label] - f1[predicted] * per[predicted]
    return np.asarray(f1[there].mean() + len(label) / there.sum() * away)


def classes_thin(columns: Columns) -> str:
    """Why a mean over classes of these images has no interval; "" where it has one."""
    count = np.bincount(columns["label"])
    thin = int(((count > 0) & (count < THIN)).sum())
    if thin <= THIN_SHARE * int((count > 0).sum()):
        return ""
    return f"{thin} of {int((count > 0).sum())} classes have fewer than {THIN} images"
