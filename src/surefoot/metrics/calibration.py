"""How far confidence is to be trusted: calibration error and likelihood."""

from __future__ import annotations

import math

import numpy as np

from ..predictions import Predictions
from .base import Columns, Floats, Metric, log_softmax, mean

__all__ = ["BINS", "ECE", "NLL"]

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


ECE = Metric("ece", "min", False, _confidence, _ece)
NLL = Metric("nll", "min", True, _nll, mean, bounds=(0.0, math.inf))
