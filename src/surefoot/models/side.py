"""Two networks blended in feature space: a frozen base and a side network that learns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .build import Parts
from .model import Model

__all__ = ["SideEncoder", "SideKind", "beside", "build"]

SideKind = Literal["small", "copy"]

_WIDTHS = (32, 64, 128, 256)


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
    """The encoder of ``{"kind": "side", "base": {...}, "side": "small" or "copy"}``."""
    from .build import build as build_one

    base = build_one(builder["base"], files=files)
    small = builder["side"] == "small"
    side = SmallNetwork(base.feature_dim) if small else build_one(builder["base"]).encoder
    return Parts(SideEncoder(base.encoder, side, 0.5), base.feature_dim)
