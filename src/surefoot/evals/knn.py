"""Evaluation by k nearest neighbours: no training, no head; DINO's protocol or the model's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from ..data.dataset import Shift, Task
from ..data.overlap import overlap
from ..errors import ModelError, UnknownName
from ..features import extract, inference
from ..metrics import get_metric, no_probabilities
from ..models.model import Model
from ..predictions import Predictions
from ..registry import nearest
from ..transforms import DINO_KNN, TransformSpec
from .predict import package
from .votes import KS, knn

__all__ = ["KS", "knn", "knn_predictions", "overlap", "protocol_transform", "require_ranking"]

Protocol = Literal["auto", "dino", "model"]


def protocol_transform(
    model: Model, protocol: Protocol = "auto", device: torch.device | str | None = None
) -> TransformSpec:
    """The transform of a kNN protocol.

    Args:
        model: Whose images are to be made.
        protocol: "dino" (resize 256, centre crop 224, with the mean and deviation that the model
            was trained with), "model" (the model's own transform), or "auto": "dino" for models
            whose input is 224 pixels and of which nothing says that they have seen text, "model"
            for all others.
        device: Where to try an image of 224 pixels, for models of another input size.

    Raises:
        UnknownName: No such protocol.
        ModelError: "dino" for an encoder that cannot take 224 pixels.
    """
    known = ("auto", "dino", "model")
    if protocol not in known:
        raise UnknownName("kNN protocol", protocol, known, nearest(protocol, known))
    own = model.spec.transform
    if protocol == "auto":
        protocol = "dino" if own.size == DINO_KNN.size and not model.spec.saw_text else "model"
    if protocol == "model":
        return own
    if own.size != DINO_KNN.size:
        _try_224(model, device)
    return replace(DINO_KNN, mean=own.mean, std=own.std)


def require_ranking(metrics: Iterable[str]) -> None:
    """Refuse metrics that votes have no value of.

    Raises:
        DataError: One asks for probabilities (ece, nll).
    """
    for name in metrics:
        if get_metric(name).probabilities:
            raise no_probabilities(name)


def _try_224(model: Model, device: torch.device | str | None) -> None:
    try:
        with inference(model, device) as where:
            model.features(torch.zeros(1, 3, *DINO_KNN.size, device=where))
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        size = "x".join(str(s) for s in model.spec.transform.size)
        raise ModelError(
            f"{model.spec.name} takes images of {size} pixels and cannot take the 224 of DINO's "
            f"kNN protocol ({str(error).splitlines()[0] if str(error) else type(error).__name__})",
            expected="an encoder for 224 pixels, or one for any size",
            fix='use protocol="model" (the model\'s own transform)',
        ) from error


def knn_predictions(
    model: Model,
    task: Task,
    scored: Mapping[str, Shift] | None = None,
    *,
    ks: Sequence[int] = (20,),
    protocol: Protocol = "auto",
    temperature: float = 0.07,
    **options: Any,
) -> Iterator[dict[int, Predictions]]:
    """Nearest-neighbour predictions of several splits; the training split is embedded once.

    Args:
        model: Any encoder; the head is not looked at.
        task: Its training split is the bank.
        scored: Splits by name; everything that the task scores when left out.
        ks: Numbers of neighbours.
        protocol: See :func:`protocol_transform`.
        temperature: T of exp(s / T).
        **options: ``batch_size``, ``device``, ``workers``, ``cache_dir`` for extraction.

    Yields:
        For each split k -> predictions, whose logits are votes (:func:`knn`).

    Raises:
        ModelError: The protocol does not suit the encoder.
        DataError: The training split has no labels.
    """
    labels = task.train.require_labels()
    device = options.get("device")
    options = {**options, "transform": protocol_transform(model, protocol, device)}
    bank = extract(model, task.train, **options)
    for shift in (task.scored() if scored is None else scored).values():
        votes = knn(
            bank,
            labels,
            extract(model, shift.split, **options),
            classes=len(task.class_names),
            ks=ks,
            temperature=temperature,
            exclude=overlap(task.train, shift.split),
            device=device if device is not None else model.device,
        )
        yield {k: replace(package(shift, rows), votes=True) for k, rows in votes.items()}
