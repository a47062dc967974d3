"""pm_k: right on a frame of a video, and on every frame near it.

Shankar et al., "Do image classifiers generalize across time?", ICCV 2021, arXiv 1906.02168,
section 3.1: an anchor frame counts where no frame within k of it is misclassified; pm_0 is plain
accuracy on anchors. As in the authors' scoring (imagenet-vid-robust-example), a frame may have
several right answers, and the anchor itself must be right.

Needs two metadata columns: ``anchor``, which names the anchor that a frame belongs to, and
``offset``, how many frames away it is (0: the anchor itself). A third, ``accepted``, may list
every class that is right on a frame, joined by ``|``; without it the label is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..predictions import Predictions
from .base import Columns, Metric, mean

__all__ = ["PM0", "PM10", "pm_k", "right_frames"]


def right_frames(predictions: Predictions) -> NDArray[np.bool_]:
    """Frame by frame (n,): is the top class the label, or another that is accepted?"""
    right = predictions.correct()
    accepted = predictions.metadata.get("accepted")
    if accepted is None:
        return right
    names, top = predictions.class_names, predictions.top1()
    also = [
        names[said] in str(listed).split("|") for said, listed in zip(top, accepted, strict=True)
    ]
    return np.asarray(right | np.array(also, dtype=np.bool_))


def _anchors(predictions: Predictions, k: int) -> Columns:
    """One line per anchor whose own frame is there: are it and all frames within k right?"""
    missing = [c for c in ("anchor", "offset") if c not in predictions.metadata]
    if missing:
        raise DataError(
            f"pm{k} on {predictions.split!r} finds no column {missing[0]!r}",
            expected="metadata columns anchor (a name) and offset (frames from it, 0 for itself)",
            fix="load the frames with surefoot's imagenet-vid-robust or ytbb-robust, or add them",
        )
    offset = np.asarray(predictions.metadata["offset"]).astype(np.int64)
    named = np.asarray(predictions.metadata["anchor"]).astype(str)
    codes = np.unique(named, return_inverse=True)[1]
    near = np.abs(offset) <= k
    wrong = np.bincount(codes, near & ~right_frames(predictions))
    own = np.flatnonzero(offset == 0)
    if len(np.unique(codes[own])) < len(own):
        twice = named[own][np.bincount(codes[own])[codes[own]] > 1][0]
        raise DataError(
            f"the anchor {twice!r} of {predictions.split!r} has two frames at offset 0",
            expected="one frame per anchor at offset 0: the anchor itself",
        )
    return {"value": (wrong[codes[own]] == 0).astype(np.float64), "row": own}


def pm_k(k: int) -> Metric:
    """The metric for one k, in frames.

    Args:
        k: 0 or more; the paper uses 0 and 10.
    """
    return Metric(f"pm{k}", "max", True, lambda p, _: _anchors(p, k), mean, proportion=True)


PM0 = pm_k(0)
PM10 = pm_k(10)
