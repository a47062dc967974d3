"""What a metric is: columns per image, then one number. No torch here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..errors import DataError
from ..predictions import Predictions

__all__ = ["Columns", "Floats", "Metric", "lines", "log_softmax", "mean", "no_probabilities"]

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Metric:
    """One number of predictions.

    Attributes:
        name: As scores carry it.
        direction: "max" where more is better, "min" where less is.
        mean_of_images: The value is the mean of one number per line, ``columns["value"]``.
        columns: Predictions -> name -> (m,) array, all that is needed from now on. A line is an
            image, unless there is a column "row": then it is the image that each line stands for
            (pm_k has one line per anchor).
        reduce: (columns, weights (m,)) -> value; NaN where no line counts.
        bounds: Between which values lie.
        argument: What follows the colon of "worst_group:region".
        proportion: Every line is right or wrong, so that the interval can be exact.
        details: More to keep beside the value (the groups, with their counts), as JSON.
        probabilities: It reads logits as probabilities, which votes are not.
        takes: What the argument is, for an error; empty where there is none.
    """

    name: str
    direction: Literal["max", "min"]
    mean_of_images: bool
    columns: Callable[[Predictions, str | None], Columns]
    reduce: Callable[[Columns, Floats], float]
    bounds: tuple[float, float] = (0.0, 1.0)
    argument: str | None = None
    proportion: bool = False
    details: Callable[[Predictions, str | None], dict[str, Any]] | None = None
    takes: str = ""
    probabilities: bool = False

    def of(self, predictions: Predictions) -> Columns:
        """The columns of these predictions.

        Raises:
            DataError: What the metric needs is not there (a group column, probabilities).
        """
        if self.probabilities and predictions.votes:
            raise no_probabilities(self.name)
        return self.columns(predictions, self.argument)

    def __call__(self, predictions: Predictions) -> float:
        """The value on all images."""
        columns = self.of(predictions)
        return self.reduce(columns, np.ones(lines(columns)))


def no_probabilities(metric: str) -> DataError:
    """The error for a metric of probabilities that is asked of votes."""
    return DataError(
        f"{metric} asks how far probabilities are to be trusted, and neighbours give votes",
        expected="a metric of which class comes first: top1, per_class, macro_f1, worst_group",
        fix="name another metric (--metric), or score a head (--evaluator head or linear)",
    )


def lines(columns: Columns) -> int:
    """How many lines the columns have: what an interval counts."""
    return len(next(iter(columns.values())))


def log_softmax(logits: NDArray[np.floating[Any]]) -> Floats:
    """Log probabilities (n, classes) in double precision; minus infinity stays."""
    wide = logits.astype(np.float64)
    return np.asarray(wide - logsumexp(wide, axis=1, keepdims=True))


def mean(columns: Columns, weights: Floats) -> float:
    """Weighted mean of the column "value"."""
    total = weights.sum()
    return float(columns["value"] @ weights / total) if total else math.nan
