"""kNN along a path: bank and queries embedded anew with every theta(alpha)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..data.dataset import Shift, Task
from ..errors import AlphaError
from ..evals.knn import Protocol, overlap, protocol_transform
from ..evals.predict import package, score
from ..evals.votes import KS, knn
from ..features import extract
from ..models.model import Model
from ..predictions import Predictions
from ..records import Curve, Score
from ..weights import check_alpha
from .path import Path
from .sweeping import alpha_grid

__all__ = ["Neighbours", "knn_at", "knn_sweep"]

Neighbours = Mapping[str, Mapping[int, Predictions]]
"""Split name -> k -> predictions of one model."""


def knn_at(
    model: Model,
    task: Task,
    *,
    ks: Sequence[int] = KS,
    protocol: Protocol = "auto",
    temperature: float = 0.07,
    **options: Any,
) -> Neighbours:
    """Nearest-neighbour predictions of one model for several k at once.

    Args:
        model: Any encoder; the head is not looked at.
        task: Its training split is the bank; everything that it scores are the queries.
        ks: Numbers of neighbours.
        protocol: See :func:`~surefoot.evals.knn.protocol_transform`.
        temperature: T of exp(s / T).
        **options: ``batch_size``, ``device``, ``workers`` for extraction.

    Raises:
        ModelError: The protocol does not suit the encoder.
        DataError: The bank has no labels.
    """
    labels = task.train.require_labels()
    device = options.get("device")
    options = {**options, "transform": protocol_transform(model, protocol, device)}
    bank = extract(model, task.train, **options)

    def votes(shift: Shift) -> dict[int, Predictions]:
        found = knn(
            bank,
            labels,
            extract(model, shift.split, **options),
            classes=len(task.class_names),
            ks=ks,
            temperature=temperature,
            exclude=overlap(task.train, shift.split),
            device=model.device if device is None else device,
        )
        return {k: package(shift, rows) for k, rows in found.items()}

    return {name: votes(shift) for name, shift in task.scored().items()}


def knn_sweep(
    path: Path,
    task: Task,
    *,
    alphas: Sequence[float] | None = None,
    k: int = 20,
    ks: Sequence[int] = KS,
    protocol: Protocol = "auto",
    method: str = "language",
    seed: int | None = None,
    at_start: Neighbours | None = None,
    on_predictions: Callable[[float, Predictions], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    device: torch.device | str | None = None,
    batch_size: int = 256,
    workers: int = 0,
) -> Curve:
    """Accuracy by kNN along a path (Caron et al., arXiv 2104.14294, section 4.1, at every alpha).

    Neighbours at theta(alpha) are neighbours among features of theta(alpha): a bank that was
    embedded once would compare two encoders with each other.

    Args:
        path: Heads are not looked at.
        task: Bank, ID validation and test, shifts.
        alphas: :func:`alpha_grid` when left out.
        k: Neighbours of the scores.
        ks: Further numbers, whose values are in each score's ``extra["at_k"]``; those beyond the
            bank are left out.
        protocol: See :func:`~surefoot.evals.knn.protocol_transform`.
        method: Goes into the scores.
        seed: Likewise.
        at_start: What :func:`knn_at` gave for the start, with all of these k, to save one pass.
        on_predictions: Called with every (alpha, predictions at k), alphas ascending.
        progress: Called with (alphas done, in all).
        device: Where to compute; the end's device when left out.
        batch_size: Images per forward pass.
        workers: Processes that decode ahead.

    Raises:
        AlphaError: An alpha is outside [0, 1] without leave, or there is none.
    """
    grid = tuple(sorted({check_alpha(a, extrapolate=path.extrapolate)
                         for a in (alpha_grid() if alphas is None else alphas)}))  # fmt: skip
    if not grid:
        raise AlphaError("there is no alpha to evaluate", expected="one or more")
    path = path.on(path.end.device if device is None else device)
    path.calibrate(grid, workers=workers)
    model = path.working_copy()
    wanted = sorted({k, *(q for q in ks if q <= len(task.train))})
    scores: dict[str, list[Score]] = {name: [] for name in task.scored()}
    right: dict[str, list[Any]] = {}
    for done, alpha in enumerate(grid, 1):
        if alpha == 0 and at_start is not None:
            found = at_start
        else:
            path.mix_(model, alpha)
            found = knn_at(model, task, ks=wanted, protocol=protocol, device=device,
                           batch_size=batch_size, workers=workers)  # fmt: skip
        for name, by_k in found.items():
            row = scored(by_k, k)
            scores[name].append(replace(row, alpha=alpha, method=method, seed=seed))
            if by_k[k].metric == "top1":
                right.setdefault(name, []).append(by_k[k].correct())
            if on_predictions is not None:
                on_predictions(alpha, by_k[k])
        if progress is not None:
            progress(done, len(grid))
    table = {name: tuple(rows) for name, rows in scores.items()}
    return Curve(method, grid, table, {n: np.stack(r) for n, r in right.items()}, seed)


def scored(by_k: Mapping[int, Predictions], k: int) -> Score:
    """The score at ``k``, with the values at every k in ``extra``."""
    own = score(by_k[k])
    at_k = {str(q): own.value if q == k else _value(p) for q, p in sorted(by_k.items())}
    return replace(own, evaluator="knn", extra={**own.extra, "k": k, "at_k": at_k})


def _value(predictions: Predictions) -> float:
    """The value alone; its interval is not needed."""
    if predictions.metric == "top1":
        return float(predictions.correct().mean())
    return score(predictions).value
