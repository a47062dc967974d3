"""Two networks in one Model: an ensemble in output space, and a side network in feature space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .build import Parts
from .build import build as build_one
from .model import Head, Model, ModelSpec

__all__ = ["EnsembleEncoder", "SideEncoder", "SideKind", "beside", "build", "ensemble"]

SideKind = Literal["small", "copy"]

_WIDTHS = (32, 64, 128, 256)


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


class SideEncoder(nn.Module):
    """a * base(x) + (1 - a) * side(x), a in (0, 1) from one trained number.

    Args:
        base: Images (b, 3, h, w) -> features (b, d); frozen while the side network trains.
        side: Images (b, 3, h, w) -> features (b, d).
        share: a at first.
    """

    def __init__(self, base: nn.Module, side: nn.Module, share: float) -> None:
        super().__init__()
        self.base, self.side = base, side
        self.blend = nn.Parameter(torch.tensor(math.log(share / (1 - share))))

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> features (b, d)."""
        share = self.blend.sigmoid()
        blended: Tensor = share * self.base(images) + (1 - share) * self.side(images)
        return blended


class SmallNetwork(nn.Sequential):
    """Four 3 x 3 convolutions of stride 2, their mean over places, a linear layer that starts at 0.

    GroupNorm, so that no running statistics have to be kept. For any image size.

    Args:
        out: d.
    """

    def __init__(self, out: int) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((3, *_WIDTHS), _WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                       nn.GroupNorm(8, after), nn.GELU()]  # fmt: skip
        last = nn.Linear(_WIDTHS[-1], out)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def beside(start: Model, side: SideKind, *, share: float, seed: int) -> Model:
    """A model without text tower whose encoder is the start's beside a new side network.

    Args:
        start: A pretrained model; copied.
        side: "small" or "copy" (the pretrained encoder once more).
        share: Of the base, in (0, 1).
        seed: Of the small network.

    Raises:
        ModelError: ``share`` is not in (0, 1), or there is no such side network.
    """
    if not 0 < share < 1 or side not in ("small", "copy"):
        raise ModelError(
            f"a side network {side!r} beside a share of {share}",
            expected='"small" or "copy", and a share above 0 and below 1',
        )
    base = start.clone().encoder
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        other = SmallNetwork(start.feature_dim) if side == "small" else start.clone().encoder
    encoder = SideEncoder(base, other, share).to(start.device)
    spec = replace(
        start.spec,
        name=f"{start.spec.name} with a side network",
        builder={"kind": "side", "base": dict(start.spec.builder), "side": side},
        notes=(*start.spec.notes, "features are a blend of two networks: two passes per image"),
    )
    return Model(encoder, spec=spec, feature_dim=start.feature_dim)


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The encoder of an ensemble or of a network with a side network, fresh weights.

    Args:
        builder: ``{"kind": "ensemble", "start": {...}, "end": {...}, "normalize": [..]}`` or
            ``{"kind": "side", "base": {...}, "side": "small" or "copy"}``.
        files: Of a tokenizer, passed on.
    """
    if builder["kind"] == "side":
        base = build_one(builder["base"], files=files)
        small = builder["side"] == "small"
        side = SmallNetwork(base.feature_dim) if small else build_one(builder["base"]).encoder
        return Parts(SideEncoder(base.encoder, side, 0.5), base.feature_dim)
    start, end = (build_one(builder[part], files=files) for part in ("start", "end"))
    units = (bool(builder["normalize"][0]), bool(builder["normalize"][1]))
    encoder = EnsembleEncoder(start.encoder, end.encoder, normalize=units)
    return Parts(encoder, start.feature_dim + end.feature_dim)
