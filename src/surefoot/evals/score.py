"""The second step: predictions become a number with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import Metric, get_metric, interval, lines
from ..predictions import Predictions
from ..records import Origin, Score

__all__ = ["score", "value_of"]


def score(
    predictions: Predictions,
    metric: str | Metric | None = None,
    *,
    origin: Origin | None = None,
) -> Score:
    """One number with its interval; pure, so it can be had again from stored predictions.

    The interval is over units where the predictions say which images hang together, else over
    images, in the form that is known to cover (:func:`surefoot.metrics.interval`). Where no form
    is, there is none, and ``extra["no_interval"]`` says why.

    Args:
        predictions: Of one split.
        metric: A name or a metric; the split's own when left out.
        origin: Method, alpha, selection and more, which predictions do not say.

    Returns:
        The score; ``n`` counts images, and anchors for pm_k. Where a test set lacks classes that
        count as answers, ``extra["masked"]`` says beside it what the value were with only the
        classes that occur.

    Raises:
        UnknownName: No such metric.
        DataError: The metric has no value on these predictions.

    Example:
        >>> sf.score(sf.predict(tuned, task.test)).n
        12
    """
    origin = origin or Origin()
    chosen, columns, n, value = _reduced(predictions, metric)
    found, unit = interval(chosen, [columns], predictions.units()), predictions.unit
    extra = {} if chosen.details is None else chosen.details(predictions, chosen.argument)
    extra |= _beside(chosen, predictions)
    extra |= {"unit": unit} if unit else {}
    extra |= {} if found else {"no_interval": found.reason}
    return Score(
        metric=chosen.name,
        value=value,
        n=n,
        # F1 of few images is too low, and its interval allows for that: it holds the value too.
        low=min(found.low, value) if found else value,
        high=max(found.high, value) if found else value,
        interval=found.kind,
        split=predictions.split,
        domain=predictions.domain,
        version=predictions.version,
        synthetic=predictions.synthetic,
        **{**vars(origin), "extra": {**extra, **origin.extra}},
    )


def value_of(predictions: Predictions) -> float:
    """The value of :func:`score` alone, whose interval is not needed."""
    return _reduced(predictions, None)[3]


def _reduced(
    predictions: Predictions, metric: str | Metric | None
) -> tuple[Metric, Mapping[str, NDArray[Any]], int, float]:
    """(metric, its columns, their lines, the value)."""
    chosen = metric if isinstance(metric, Metric) else get_metric(metric or predictions.metric)
    columns = chosen.of(predictions)
    n = lines(columns)
    found = chosen.reduce(columns, np.ones(n))
    if not math.isfinite(found):
        raise DataError(
            f"{chosen.name} of {predictions.split!r} is {found}",
            expected="a finite number",
            fix="a label may be outside the classes that the split can contain, or nothing counts",
        )
    return chosen, columns, n, found


def _beside(metric: Metric, said: Predictions) -> dict[str, Any]:
    """The value masked to the classes that occur, where that is not what is scored anyway."""
    there = said.occurring()
    whole = len(there) == len(said.class_names)
    if whole or said.classes is not None or said.groups is not None or said.split == "val":
        return {}
    columns = metric.of(replace(said, classes=there))
    value = metric.reduce(columns, np.ones(lines(columns)))
    if not math.isfinite(value):
        return {}
    return {"masked": {"classes": len(there), "of": len(said.class_names), "value": value}}
