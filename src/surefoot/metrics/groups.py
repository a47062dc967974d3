"""Accuracy of the group that fares worst, and of every group with its count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..predictions import Predictions
from .base import Columns, Floats, Metric

__all__ = ["WORST_GROUP", "GroupAccuracy", "group_accuracies"]


@dataclass(frozen=True)
class GroupAccuracy:
    """One group of images: those that share a value of a metadata column.

    Attributes:
        name: The value.
        n: Images; a group without any is not listed, so this is at least 1.
        value: Share that is right.
        counted: False for a group that the metric was told to leave out.
    """

    name: str
    n: int
    value: float
    counted: bool = True


def group_accuracies(
    predictions: Predictions, argument: str | None = None
) -> tuple[GroupAccuracy, ...]:
    """Accuracy of every group that has images, by name.

    Args:
        predictions: With metadata.
        argument: See :func:`split_argument`.

    Raises:
        DataError: There is no such column.
    """
    names, codes, left_out = _codes(predictions, argument)
    count = np.bincount(codes, minlength=len(names))
    right = np.bincount(codes, predictions.correct(), len(names))
    return tuple(
        GroupAccuracy(name, int(n), float(r / n), name not in left_out)
        for name, n, r in zip(names, count, right, strict=True)
        if n
    )


def split_argument(argument: str | None) -> tuple[str | None, tuple[str, ...]]:
    """A column, and groups to leave out: "region!Other" -> ("region", ("Other",)).

    WILDS leaves the region "Other" of FMoW out of its worst region.
    """
    name, *left_out = (argument or "").split("!")
    return name or None, tuple(left_out)


def _codes(
    predictions: Predictions, argument: str | None
) -> tuple[list[str], NDArray[np.int64], tuple[str, ...]]:
    """Names of the groups, the group of every image (n,), and names that do not count."""
    columns = predictions.metadata
    name, left_out = split_argument(argument)
    name = name or ("group" if "group" in columns else None)
    if name is None and len(columns) == 1:
        name = next(iter(columns))
    if name is None or name not in columns:
        raise DataError(
            f"worst_group on {predictions.split!r} finds no column {name or 'group'!r}",
            expected=f"a metadata column (there are: {', '.join(columns) or 'none'})",
            fix="name one, as in worst_group:region",
        )
    names, codes = np.unique(np.asarray(columns[name]).astype(str), return_inverse=True)
    return names.tolist(), codes.astype(np.int64), left_out


def _groups(predictions: Predictions, argument: str | None) -> Columns:
    names, codes, left_out = _codes(predictions, argument)
    counts = ~np.isin(np.array(names), left_out)[codes]
    right = predictions.correct().astype(np.float64)
    return {"value": right, "group": codes, "counts": counts}


def _worst_group(columns: Columns, weights: Floats) -> float:
    """Accuracy of the group with the lowest; groups without images do not count."""
    used = weights * columns["counts"]
    count = np.bincount(columns["group"], used)
    right = np.bincount(columns["group"], used * columns["value"])
    there = count > 0
    return float((right[there] / count[there]).min()) if there.any() else math.nan


def _details(predictions: Predictions, argument: str | None) -> dict[str, Any]:
    """Every group with its count, and which is the worst."""
    rows = group_accuracies(predictions, argument)
    worst = min((r for r in rows if r.counted), key=lambda r: r.value, default=None)
    return {
        "groups": {r.name: {"n": r.n, "value": r.value, "counted": r.counted} for r in rows},
        "worst": None if worst is None else worst.name,
    }


WORST_GROUP = Metric(
    "worst_group", "max", False, _groups, _worst_group, details=_details,
    takes="a metadata column, and after ! a group to leave out: worst_group:region!Other",
)  # fmt: skip
