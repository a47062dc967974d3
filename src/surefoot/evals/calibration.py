"""Calibration: reliability, and the temperature that validation asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar

from ..errors import DataError
from ..metrics import BINS, ECE, NLL, log_softmax
from ..predictions import Predictions

__all__ = ["Bin", "Calibration", "calibrate", "calibration", "fit_temperature", "reliability"]


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: confidences in (low, high].

    Attributes:
        low: Lower edge.
        high: Upper edge.
        n: Images.
        confidence: Mean top probability; None without images.
        accuracy: Share that is right; None without images.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Calibration of one split before and after temperature scaling.

    Attributes:
        split: Its name.
        ece: Expected calibration error as predicted.
        nll: Mean negative log likelihood as predicted, nats.
        ece_scaled: The error after division of logits by the temperature.
        nll_scaled: The likelihood likewise.
        temperature: Fitted on validation.
    """

    split: str
    ece: float
    nll: float
    ece_scaled: float
    nll_scaled: float
    temperature: float


def reliability(predictions: Predictions) -> tuple[Bin, ...]:
    """The 15 bins behind the calibration error."""
    columns = ECE.of(predictions)
    bins = []
    for b in range(BINS):
        here = columns["bin"] == b
        n = int(here.sum())
        mean = float(columns["confidence"][here].mean()) if n else None
        right = float(columns["value"][here].mean()) if n else None
        bins.append(Bin(b / BINS, (b + 1) / BINS, n, mean, right))
    return tuple(bins)


def fit_temperature(val: Predictions) -> float:
    """The T > 0 whose division of the logits gives the best likelihood on validation.

    Guo et al. 2017 (arXiv 1706.04599), section 4.2; searched between 1/100 and 100. The top
    class of every image stays.

    Raises:
        DataError: A label has no finite logit.
    """
    masked, labels = val.masked(), val.labels
    own = np.take_along_axis(masked, labels[:, None], axis=1)
    if not np.isfinite(own).all():
        raise DataError(
            f"a label of {val.split!r} is outside the classes that the split can contain",
            expected="labels among its classes",
        )

    def loss(log_t: float) -> float:
        log_p = log_softmax(masked / np.exp(log_t))
        return float(-np.take_along_axis(log_p, labels[:, None], axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100.0)), method="bounded")
    return float(np.exp(found.x))


def calibrate(predictions: Predictions, temperature: float) -> Predictions:
    """Predictions whose logits are divided by a temperature > 0."""
    if not temperature > 0:
        raise DataError(f"the temperature is {temperature}", expected="a number above 0")
    return replace(predictions, logits=predictions.logits / np.float32(temperature))


def calibration(val: Predictions, others: Sequence[Predictions]) -> list[Calibration]:
    """Errors of each split before and after the one temperature that validation asks for."""
    temperature = fit_temperature(val)
    rows = []
    for p in (val, *others):
        scaled = calibrate(p, temperature)
        rows.append(Calibration(p.split, ECE(p), NLL(p), ECE(scaled), NLL(scaled), temperature))
    return rows
