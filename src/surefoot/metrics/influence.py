"""Pseudo-values: any smooth metric as a mean of one number per image, for intervals and tests.

The value plus what each image adds to it (its influence): their mean is the value, and their
spread over images, over units, over seeds is that of the value. :func:`surefoot.stats.compare`
and :func:`surefoot.stats.interval_of_mean` take them in place of right or wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .base import Columns, Floats, Metric

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
    return _of_classes(columns) if base == "per_class" else _of_f1(columns)


def _of_classes(columns: Columns) -> Floats:
    """Of the mean accuracy of the classes that occur: each image deleted in turn."""
    label, right = columns["label"], columns["label"] == columns["predicted"]
    count, hits = np.bincount(label), np.bincount(label, right)
    rate = hits / np.maximum(count, 1)
    without = (hits[label] - right) / np.maximum(count[label] - 1, 1)
    return _jackknife(rate[count > 0].mean(), (without - rate[label]) / (count > 0).sum())


def _of_f1(columns: Columns) -> Floats:
    """Of the mean F1 of the classes that occur among the labels, likewise.

    The mean is the value less the jackknife's estimate of its bias: F1 of few images is too low.
    """
    label, said = columns["label"], columns["predicted"]
    right = label == said
    size = int(max(label.max(), said.max())) + 1
    both = np.bincount(label, minlength=size) + np.bincount(said, minlength=size)
    hits, there = np.bincount(label, right, size), np.bincount(label, minlength=size) > 0
    f1 = np.where(there, 2 * hits / np.maximum(both, 1), 0.0)

    def moved(at: NDArray[np.int64], taken: Floats | int) -> Floats:
        """What F1 of the classes ``at`` changes by without one image that is not right."""
        return np.asarray(2 * hits[at] / np.maximum(both[at] - taken, 1) - f1[at])

    alone = 2 * (hits[label] - 1) / np.maximum(both[label] - 2, 1) - f1[label]
    change = np.where(right, alone, moved(label, 1) + np.where(there[said], moved(said, 1), 0.0))
    return _jackknife(float(f1[there].mean()), change / there.sum())


def _jackknife(value: float, change: Floats) -> Floats:
    """Tukey's pseudo-values from what the value changes by without each image."""
    return np.asarray(value - (len(change) - 1) * change)


def classes_thin(columns: Columns) -> str:
    """Why a mean over classes of these images has no interval; "" where it has one."""
    count = np.bincount(columns["label"])
    thin = int(((count > 0) & (count < THIN)).sum())
    if thin <= THIN_SHARE * int((count > 0).sum()):
        return ""
    return f"{thin} of {int((count > 0).sum())} classes have fewer than {THIN} images"
