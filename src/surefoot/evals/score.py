"""The second step: predictions become a number with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import Metric, get_metric, lines
from ..predictions import Predictions
from ..records import IntervalKind, Origin, Score
from ..stats import Interval, bootstrap, clopper_pearson, cluster_bootstrap

__all__ = ["score", "value_of"]


def score(
    predictions: Predictions,
    metric: str | Metric | None = None,
    *,
    origin: Origin | None = None,
    seed: int = 0,
    samples: int = 1000,
) -> Score:
    """One number with its interval; pure, so it can be had again from stored predictions.

    Clopper-Pearson for proportions (top-1, top-5, pm_k), the percentile bootstrap for everything
    else; where the predictions name a unit, also an interval resampled over units.

    Args:
        predictions: Of one split.
        metric: A name or a metric; the split's own when left out.
        origin: Method, alpha, selection and more, which predictions do not say.
        seed: Of the bootstrap.
        samples: Resamples.

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
    interval = _interval(chosen, columns, n, samples, seed)
    around = _cluster_interval(chosen, columns, predictions, samples, seed)
    details = {} if chosen.details is None else chosen.details(predictions, chosen.argument)
    kind: IntervalKind = "none"
    if interval.kind in ("clopper-pearson", "bootstrap"):
        kind = interval.kind
    return Score(
        metric=chosen.name,
        value=value,
        n=n,
        # Resampling pulls a minimum down and a calibration error up, so that percentiles can miss
        # the value itself; an interval that leaves out its own number helps nobody.
        low=min(interval.low, value) if interval else value,
        high=max(interval.high, value) if interval else value,
        interval=kind,
        split=predictions.split,
        domain=predictions.domain,
        version=predictions.version,
        cluster_low=min(around.low, value) if around else None,
        cluster_high=max(around.high, value) if around else None,
        synthetic=predictions.synthetic,
        **{**vars(origin), "extra": {**details, **_beside(chosen, predictions), **origin.extra}},
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


def _interval(
    metric: Metric, columns: Mapping[str, NDArray[Any]], n: int, samples: int, seed: int
) -> Interval:
    if metric.proportion and n:
        return clopper_pearson(int(columns["value"].sum()), n)
    return bootstrap(lambda w: metric.reduce(columns, w), n, samples=samples, seed=seed)


def _cluster_interval(
    metric: Metric,
    columns: Mapping[str, NDArray[Any]],
    predictions: Predictions,
    samples: int,
    seed: int,
) -> Interval:
    labels = predictions.units() if predictions.unit else None
    if labels is None:
        return Interval.none()
    clusters = np.asarray(labels).astype(str)
    clusters = clusters[columns["row"]] if "row" in columns else clusters
    codes, counts = np.unique(clusters, return_inverse=True, return_counts=True)[1:]
    if "row" in columns and (counts == 1).all():
        return Interval.none()  # an anchor is a line already
    if "group" in columns and np.array_equal(codes, columns["group"]):
        return Interval.none()  # the worst of the drawn groups is never worse than the worst
    of = columns["value"] if metric.mean_of_images else lambda w: metric.reduce(columns, w)
    return cluster_bootstrap(of, clusters, samples=samples, seed=seed, bounds=metric.bounds)
