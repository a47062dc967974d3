"""Two models side by side in one: the output-space ensemble as an ordinary Model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .build import Parts
from .heads import Head
from .model import Model, ModelSpec

__all__ = ["EnsembleEncoder", "build", "ensemble"]


class EnsembleEncoder(nn.Module):
    """Features of two encoders, one after the other: (b, d0 + d1).

    Args:
        start: Images (b, 3, h, w) -> (b, d0).
        end: Images (b, 3, h, w) -> (b, d1).
        normalize: For each, l2-normalise its features.
    """

    def __init__(self, start: nn.Module, end: nn.Module, *, normalize: tuple[bool, bool]) -> None:
        super().__init__()
        self.start, self.end = start, end
        self.normalize = normalize

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> features (b, d0 + d1)."""
        both = [self.start(images), self.end(images)]
        pairs = zip(both, self.normalize, strict=True)
        return torch.cat(
            [nn.functional.normalize(f, dim=-1) if unit else f for f, unit in pairs], dim=-1
        )


def ensemble(start: Model, end: Model, alpha: float) -> Model:
    """A model whose logits are (1 - alpha) * those of start + alpha * those of end.

    The head is the two heads side by side, each times its share, on features that the encoder
    has normalised where they were normalised before: one linear layer, so that the result is an
    ordinary model that saves and rebuilds. It costs two forward passes per image.

    Args:
        start: With a head.
        end: With a head for the same classes, and the same transform.
        alpha: Share of the end.

    Raises:
        ModelError: A head is missing, or the classes or transforms differ.
    """
    heads = (start.require_head(), end.require_head())
    same = heads[0].class_names == heads[1].class_names
    if not same or start.spec.transform != end.spec.transform:
        raise ModelError(
            f"{start.spec.name} and {end.spec.name} have different "
            f"{'transforms' if same else 'classes'}",
            expected="two models for the same classes that see images in the same way",
        )
    shares = (1 - alpha, alpha)
    device = end.device
    weights = [share * head.weight.detach() for share, head in zip(shares, heads, strict=True)]
    biases = [share * head.bias.detach() for share, head in zip(shares, heads, strict=True)]
    head = Head(
        torch.cat([w.to(device) for w in weights], dim=1),
        biases[0].to(device) + biases[1].to(device),
        normalize=False,
        class_names=heads[1].class_names,
    )
    units = (heads[0].normalize, heads[1].normalize)
    encoder = EnsembleEncoder(
        start.clone().encoder.to(device), end.clone().encoder, normalize=units
    )
    spec = ModelSpec(
        name=f"ensemble of {start.spec.name} and {end.spec.name}",
        source=end.spec.source,
        builder={
            "kind": "ensemble",
            "start": dict(start.spec.builder),
            "end": dict(end.spec.builder),
            "normalize": list(units),
        },
        transform=end.spec.transform,
        normalize=False,
        saw_text=start.spec.saw_text or end.spec.saw_text,
        licence=end.spec.licence,
        notes=(*end.spec.notes, f"logits averaged, share {alpha:g} of the tuned model: two passes"),
    )
    width = start.feature_dim + end.feature_dim
    return Model(encoder, spec=spec, feature_dim=width, head=head).requires_grad_(True).eval()


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The encoder of ``{"kind": "ensemble", "start": ..., "end": ..., "normalize": [..]}``."""
    from .build import build as build_one

    start, end = (build_one(builder[side], files=files) for side in ("start", "end"))
    units = (bool(builder["normalize"][0]), bool(builder["normalize"][1]))
    encoder = EnsembleEncoder(start.encoder, end.encoder, normalize=units)
    return Parts(encoder, start.feature_dim + end.feature_dim)
