"""TIES: trim, elect the sign, merge what agrees with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import WeightsError
from .alpha import Side
from .audit import COMPUTED, finite
from .combine import combined, require_all_compatible
from .ops import tied, wide

__all__ = ["check_ties", "elect", "kept", "magnitude", "threshold", "ties"]


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
    deltas = [y - x for y in ys]
    trimmed = torch.stack([
        torch.where(magnitude(d) >= t, d, torch.zeros_like(d))
        for d, t in zip(deltas, least, strict=True)
    ])  # fmt: skip
    sign = torch.sign(trimmed.sum(dim=0))
    agrees = (torch.sign(trimmed) == sign) & (sign != 0)
    total = (trimmed * agrees).sum(dim=0)
    return x + scale * total / agrees.sum(dim=0).clamp_min(1)


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
