"""Merge methods that work block by block, by torch: means and task arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import WeightsError
from .alpha import normalised
from .combine import add_deltas
from .dtypes import KINDS, Stored
from .mixing import Mixer, Part
from .ops import weighted_sum, wide

__all__ = ["common_dtype", "mean", "task_arithmetic", "wide_mixer"]


def mean(count: int, weights: Sequence[float] | None) -> Mixer:
    """:func:`~.ops.weighted_mean` of ``count`` checkpoints; integers of the first."""
    shares = normalised((1.0,) * count if weights is None else weights, count)

    def averaged(part: Part, *xs: Tensor) -> Tensor:
        return weighted_sum(xs, shares, xs[0].dtype)

    return wide_mixer(averaged, range(count), lambda name: 0, pointwise=True)


def task_arithmetic(
    count: int, given: Sequence[float] | None, integers: Callable[[str], int]
) -> Mixer:
    """:func:`~.combine.task_arithmetic` of the start and ``count`` tuned checkpoints.

    Raises:
        WeightsError: No tuned checkpoint, or not one finite scale for each.
    """
    scales = (1.0,) * count if given is None else given
    if not count or len(scales) != count or any(abs(s) == float("inf") or s != s for s in scales):
        raise WeightsError(
            f"{count} task vectors cannot be added with the scales {list(scales)}",
            expected="the start, then one or more tuned checkpoints, one finite scale each",
        )
    active = [i for i, scale in enumerate(scales) if scale != 0]

    def added(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
        return add_deltas(x, ys, [scales[i] for i in active])

    return wide_mixer(added, [0, *(i + 1 for i in active)], integers, pointwise=True)


def wide_mixer(
    combine: Callable[..., Tensor],
    active: Iterable[int],
    integers: Callable[[str], int],
    *,
    pointwise: bool = False,
) -> Mixer:
    """A mixer that computes in a wide dtype and rounds once.

    Args:
        combine: (part, one wide block per active source) -> a wide block.
        active: The sources that take part.
        integers: As in :class:`Mixer`.
        pointwise: Likewise.
    """
    own = list(active)

    def mix(part: Part, blocks: Sequence[Stored], kind: str) -> Stored:
        taken = [blocks[i].tensor() for i in own]
        first = taken[0]
        if all(t.dtype == first.dtype and torch.equal(first, t) for t in taken[1:]):
            mixed = first
        else:
            wider = wide(common_dtype(taken))
            mixed = combine(part, *(t.to(wider) for t in taken))
        rounded = mixed.to(getattr(torch, KINDS[kind].name)).contiguous()
        return Stored(kind, rounded.view(torch.uint8).numpy())

    def exact(part: Part, blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
        found: NDArray[Any] = combine(part, *(torch.from_numpy(blocks[i]) for i in own)).numpy()
        return found

    return Mixer(mix, exact, integers, pointwise=pointwise)


def common_dtype(tensors: Sequence[Tensor]) -> torch.dtype:
    """What tensors of several floating dtypes are computed in before they are widened."""
    common = tensors[0].dtype
    for tensor in tensors[1:]:
        common = torch.promote_types(common, tensor.dtype)
    return common
