"""Metrics: pure functions of predictions, and a table of them. No torch here.

A :class:`Metric` works in two steps: ``columns`` keeps per image what it needs (a predicted class,
a confidence), and ``reduce`` makes one number of the columns and of weights (how often each image
counts); intervals and tests are made of the columns alone and never look at the logits again.

Classes that a split cannot contain are masked before anything else, and classes that count as one
(ObjectNet) speak by their largest logit; ties go to the lowest class. Missing is not zero: a
class or group without images has no value and does not enter a mean.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import DataError
from ..registry import Registry
from .accuracy import MACRO_F1, PER_CLASS, TOP1, TOP5, per_class_accuracy
from .base import Metric, lines, log_softmax, no_probabilities
from .calibration import BINS, ECE, NLL
from .frames import PM0, PM10, pm_k
from .groups import WORST_GROUP, GroupAccuracy, group_accuracies
from .influence import pseudo_values
from .intervals import difference_interval, interval, units_of_lines

__all__ = [
    "BINS",
    "ECE",
    "MACRO_F1",
    "METRICS",
    "NLL",
    "PER_CLASS",
    "PM0",
    "PM10",
    "TOP1",
    "TOP5",
    "WORST_GROUP",
    "GroupAccuracy",
    "Metric",
    "difference_interval",
    "get_metric",
    "group_accuracies",
    "interval",
    "lines",
    "log_softmax",
    "no_probabilities",
    "per_class_accuracy",
    "pm_k",
    "pseudo_values",
    "units_of_lines",
]

METRICS = Registry(
    "metric",
    {
        "top1": "surefoot.metrics.accuracy:TOP1",
        "top5": "surefoot.metrics.accuracy:TOP5",
        "per_class": "surefoot.metrics.accuracy:PER_CLASS",
        "macro_f1": "surefoot.metrics.accuracy:MACRO_F1",
        "worst_group": "surefoot.metrics.groups:WORST_GROUP",
        "pm0": "surefoot.metrics.frames:PM0",
        "pm10": "surefoot.metrics.frames:PM10",
        "ece": "surefoot.metrics.calibration:ECE",
        "nll": "surefoot.metrics.calibration:NLL",
    },
)
"""Name -> :class:`Metric`; packages add theirs through the entry points ``surefoot.metrics``."""


def get_metric(name: str) -> Metric:
    """The metric behind a name ("top1", "pm10", any other "pmK").

    A name may have an argument: "worst_group:region", or "worst_group:region!Other", which
    leaves a group out.

    Raises:
        UnknownName: No such metric; the nearest are named.
        DataError: An argument for a metric that takes none.
    """
    plain, _, argument = name.partition(":")
    frames = re.fullmatch(r"pm_?(\d{1,4})", plain)
    found: Metric = (
        pm_k(int(frames[1])) if frames is not None else METRICS.get(plain.replace("-", "_"))
    )
    if not argument:
        return found
    if not found.takes:
        raise DataError(
            f"the metric {plain!r} takes no argument, {argument!r} was given",
            expected=plain,
            fix="only worst_group takes a metadata column",
        )
    return replace(found, name=name, argument=argument)
