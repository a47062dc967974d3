"""TIES: trim, elect the sign, merge what agrees with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from ..errors import WeightsError
from .alpha import Side
from .audit import COMPUTED, finite
from .combine import combined, require_all_compatible
from .ops import tied, wide

__all__ = ["PIECE", "check_ties", "elect", "kept", "magnitude", "threshold", "ties"]

PIECE = 1 << 16
"""Numbers that are computed with at once on a CPU: they stay in a core's cache."""


def ties(
    start: Mapping[str, Tensor],
    tuned: Sequence[Mapping[str, Tensor]],
    *,
    density: float = 0.2,
    scale: float = 1.0,
    per_tensor: bool = False,
    integers: Side = "end",
) -> dict[str, Tensor]:
    """TIES-Merging (Yadav et al., arXiv 2306.01708, section 4): start + scale * merged delta.

    1. Trim: of each delta tuned_i - start the share ``density`` of largest magnitude is kept.
    2. Elect: for each number the sign of the sum over the trimmed deltas.
    3. Disjoint merge: the mean over the deltas that are not 0 and have that sign.

    Readings: magnitudes that equal the smallest kept one are kept too; where the sum is exactly 0
    no sign is elected and the start stays.

    Args:
        start: The pretrained weights.
        tuned: One or more, tuned from this start.
        density: In (0, 1]; 0.2 is the paper's.
        scale: Of the merged delta (lambda), finite; 1 is the paper's where nothing is validated.
        per_tensor: Trim within each tensor (as mergekit does) instead of over the whole delta (as
            the paper does).
        integers: Whose integer tensors are taken: "start", or "end" for the last tuned model's.

    Raises:
        WeightsError: density or scale is not usable, there is no tuned model, or the sets do not
            fit.

    Example:
        >>> sf.weights.ties(start, [end, end], density=0.5)
        {'w': tensor([2., 2.])}
    """
    check_ties(len(tuned), density, scale)
    require_all_compatible([start, *tuned])
    whole = None if per_tensor else [threshold(_deltas(start, t), density) for t in tuned]

    def merged(_: str, x: Tensor, *ys: Tensor) -> Tensor:
        return elect(x, ys, whole or [threshold([y - x], density) for y in ys], scale)

    return combined(merged, [start, *tuned], integers)


def check_ties(count: int, density: float, scale: float) -> None:
    """Raise unless TIES can be made of so many tuned models with these numbers.

    Raises:
        WeightsError: It cannot.
    """
    if not 0 < density <= 1 or not math.isfinite(scale) or not count:
        raise WeightsError(
            f"TIES of {count} models at density {density} and scale {scale}",
            expected="one or more tuned models, density in (0, 1], a finite scale",
        )


def elect(x: Tensor, ys: Sequence[Tensor], least: Sequence[float], scale: float) -> Tensor:
    """Trim at the thresholds ``least``, elect, merge: one wide tensor or a block of it."""
    if x.device.type != "cpu" or x.numel() <= PIECE:
        return _elected(x, ys, least, scale)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    flat = [torch.split(t.reshape(-1), PIECE) for t in (x, *ys)]
    for place, start, *tuned in zip(torch.split(out.view(-1), PIECE), *flat, strict=True):
        place.copy_(_elected(start, tuned, least, scale))
    return out


def _elected(x: Tensor, ys: Sequence[Tensor], least: Sequence[float], scale: float) -> Tensor:
    trimmed = [_trimmed(y - x, t) for y, t in zip(ys, least, strict=True)]
    sign = trimmed[0].clone()
    for delta in trimmed[1:]:
        sign += delta
    sign.sign_()
    total, count = torch.zeros_like(sign), torch.zeros_like(sign)
    for delta in trimmed:
        # Times the sign: what agrees is above 0, and the sum of such is the sum's magnitude.
        total += delta.mul_(sign).clamp_min_(0)
        count += delta.sign_()
    return total.mul_(sign).mul_(scale).div_(count.clamp_min_(1)).add_(x)


def _trimmed(delta: Tensor, least: float) -> Tensor:
    """The delta, 0 where its magnitude is below ``least``."""
    if delta.dtype != torch.float32:
        return torch.where(magnitude(delta) >= least, delta, 0)
    # One pass instead of four: above the number before ``least`` is from ``least`` on.
    return hardshrink(delta, float(np.nextafter(np.float32(least), np.float32(-1))))


def _deltas(start: Mapping[str, Tensor], tuned: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """Every floating delta, each tensor that several names share once."""
    seen: set[tuple[object, ...]] = set()
    for name, first in start.items():
        key = (tied(first), tied(tuned[name]))
        if first.dtype in COMPUTED and finite(first) and key not in seen:
            seen.add(key)
            dtype = wide(first.dtype)
            yield tuned[name].detach().to(first.device, dtype) - first.detach().to(dtype)


def threshold(deltas: Iterable[Tensor], density: float) -> float:
    """The smallest magnitude that is kept: the k-th largest, k = density * n, at least 1."""
    if density == 1:
        return 0.0
    pieces = [magnitude(d).flatten().cpu() for d in deltas]
    n = sum(len(piece) for piece in pieces)
    if n == 0:
        return 0.0
    magnitudes = torch.cat(pieces)
    return float(magnitudes.kthvalue(n - kept(n, density) + 1).values)


def kept(n: int, density: float) -> int:
    """How many of n numbers trimming keeps."""
    return max(1, math.floor(density * n + 1e-9))


def magnitude(delta: Tensor) -> Tensor:
    """Of the delta, in float32: half of the memory for the list of all of them."""
    return delta.abs().float()
