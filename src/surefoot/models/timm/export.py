"""A timm encoder and its head as one timm state dict."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...errors import ModelError
from ..model import Model

__all__ = ["classifier_state", "to_timm_state"]


def to_timm_state(model: Model) -> dict[str, Tensor]:
    """The state dict in timm's keys, the head included where timm's classifier can be it.

    Raises:
        ModelError: The model did not come from timm.
    """
    return classifier_state(model)[0]


def classifier_state(model: Model) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """As :func:`to_timm_state`, and the class names, empty where the head stayed out.

    timm's classifiers are one linear layer on raw features: a head on l2-normalised features, or
    an architecture with two classifiers, cannot be said in one.

    Raises:
        ModelError: The model did not come from timm.
    """
    if model.spec.builder.get("kind") != "timm":
        raise ModelError(
            f"{model.spec.name} is not a timm model",
            expected="a model that was loaded as timm:...",
            fix="export it to safetensors",
        )
    state = {k: v.detach() for k, v in model.encoder.state_dict().items()}
    head = model.head
    record: Any = getattr(model.encoder, "pretrained_cfg", None) or {}
    name = record.get("classifier")
    if head is None or head.normalize or not isinstance(name, str):
        return state, ()
    like = _classifier(model, name, len(head.class_names))
    if like is None:
        return state, ()
    state[f"{name}.weight"] = head.weight.detach().reshape(like.shape)
    state[f"{name}.bias"] = head.bias.detach()
    return state, head.class_names


def _classifier(model: Model, name: str, classes: int) -> Tensor | None:
    """The library's classifier weight for this many classes: (classes, d), or 1 x 1 convolution."""
    from ..foreign import timm_model

    builder = model.spec.builder
    whole = timm_model(builder["name"], builder.get("args"), classes=classes).state_dict()
    weight: Tensor | None = whole.get(f"{name}.weight")
    right = weight is not None and weight.numel() == classes * model.feature_dim
    expected = set(model.encoder.state_dict()) | {f"{name}.weight", f"{name}.bias"}
    return weight if right and set(whole) == expected else None
