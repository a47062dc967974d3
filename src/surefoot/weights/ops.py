"""The arithmetic, as pure functions on name -> tensor.

Three rules hold everywhere. Tensors that are not floating (BatchNorm's step counter, position
ids) are never computed with: they are copied from one side. Half precision is computed in
float32 and rounded once. Nothing is broadcast, and no NaN goes in or comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import WeightsError
from .alpha import Side, check_alpha, nearer_end, normalised
from .audit import COMPUTED, finite, require_compatible
from .mixable import is_variance

__all__ = [
    "add",
    "difference",
    "lerp",
    "lerp_into",
    "lerp_tensor",
    "mean",
    "tied",
    "weighted_mean",
    "weighted_sum",
    "wide",
    "zip_named",
]


_PIECE = 1 << 18
"""Numbers that are computed with at once on a CPU."""


def lerp(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    alpha: float,
    *,
    integers: Side = "end",
    extrapolate: bool = False,
) -> dict[str, Tensor]:
    """(1 - alpha) a + alpha b, tensor by tensor: WiSE-FT's path (arXiv 2109.01903, section 3).

    ``alpha`` 0 and 1 give back ``a`` and ``b`` bit for bit, integers included; so does every
    tensor that is equal in both, at any alpha.

    Args:
        a: The start.
        b: The end; same names, shapes and dtypes.
        alpha: From 0 to 1.
        integers: Whose integer and boolean tensors are taken strictly between the ends.
        extrapolate: Allow alpha outside [0, 1].

    Returns:
        New tensors, on ``a``'s devices; names that shared a tensor in both sets share one again.

    Raises:
        AlphaError: alpha is not finite, or outside [0, 1] without leave.
        WeightsError: The sets do not fit (every problem at once), or the result overflows.

    Example:
        >>> sf.weights.lerp(start, end, 0.5)
        {'w': tensor([1., 2.])}
    """
    alpha = check_alpha(alpha, extrapolate=extrapolate)
    require_compatible(a, b, first="the start", second="the end")

    def mixed(x: Tensor, y: Tensor) -> Tensor:
        if x.dtype not in COMPUTED:
            keep_start = alpha == 0 or (alpha != 1 and integers == "start")
            return (x if keep_start else y).clone()
        return lerp_tensor(x, y, alpha)

    return _zip_map(mixed, a, b, variances=True)


def lerp_tensor(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) x + alpha y for one floating tensor of any shape; a new, contiguous tensor.

    The ends and equal tensors are copied: arithmetic would turn -0.0 into 0.0. See
    :func:`~.alpha.nearer_end` for the rest.
    """
    if alpha == 1:
        return y.clone(memory_format=torch.contiguous_format)
    if alpha == 0 or torch.equal(x, y):
        return x.clone(memory_format=torch.contiguous_format)
    if x.dtype in (torch.float16, torch.bfloat16):
        wider = torch.empty(x.shape, dtype=torch.float32, device=x.device)
        return lerp_into(wider, x.float(), y.float(), alpha).to(x.dtype)
    return lerp_into(torch.empty(x.shape, dtype=x.dtype, device=x.device), x, y, alpha)


def lerp_into(out: Tensor, x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Write (1 - alpha) x + alpha y to ``out``, and return it.

    Args:
        out: Other memory than ``x`` and ``y``; of their shape, dtype and device.
        x: The start, float32 or float64.
        y: The end, likewise.
        alpha: The share of the end.
    """
    second, factor = nearer_end(alpha, single=out.dtype == torch.float32)
    pieces = [(out, x, y)]
    if out.device.type == "cpu" and all(t.is_contiguous() for t in (out, x, y)):
        # Three passes take half the time again of one where the numbers stay in the cache.
        pieces = list(zip(*(torch.split(t.view(-1), _PIECE) for t in (out, x, y)), strict=True))
    for into, start, end in pieces:
        torch.sub(end, start, out=into)
        into.mul_(factor).add_(end if second else start)
    return out


def add(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The sum a + b; integers come from ``a``.

    Raises:
        WeightsError: The sets do not fit, or the result overflows.

    Example:
        >>> sf.weights.add(start, end)
        {'w': tensor([2., 4.])}
    """
    require_compatible(a, b)
    return _zip_map(lambda x, y: _weighted([x, y], [1.0, 1.0]), a, b)


def difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The difference a - b: the task vector from ``b`` to ``a`` (arXiv 2212.04089, section 2).

    Integers come from ``a``.

    Raises:
        WeightsError: The sets do not fit, or the result overflows.

    Example:
        >>> sf.weights.difference(end, start)
        {'w': tensor([2., 0.])}
    """
    require_compatible(a, b)
    return _zip_map(lambda x, y: _weighted([x, y], [1.0, -1.0]), a, b)


def mean(sets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The uniform average: a model soup (arXiv 2203.05482, section 2). Integers of the first.

    Raises:
        WeightsError: There is no set, or the sets do not fit.

    Example:
        >>> sf.weights.mean([start, end])
        {'w': tensor([1., 2.])}
    """
    return weighted_mean(sets, [1.0] * len(sets))


def weighted_mean(
    sets: Sequence[Mapping[str, Tensor]], weights: Sequence[float]
) -> dict[str, Tensor]:
    """sum_i w_i x_i / sum_i w_i, tensor by tensor. Integers come from the first set.

    Args:
        sets: At least one; all fit the first.
        weights: One per set, finite, >= 0, not all 0.

    Raises:
        WeightsError: Wrong weights, or the sets do not fit.

    Example:
        >>> sf.weights.weighted_mean([start, end], [1.0, 3.0])
        {'w': tensor([1.5000, 2.0000])}
    """
    shares = normalised(weights, len(sets))
    for number, other in enumerate(sets, 1):
        require_compatible(sets[0], other, second=f"set {number}")
    return _zip_map(lambda *xs: _weighted(xs, shares), *sets)


def _weighted(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """sum_i share_i x_i in at least float32, rounded once; integers of the first."""
    first = tensors[0]
    if first.dtype not in COMPUTED or not finite(first):  # Inf: a mask, equal in all of them
        return first.clone(memory_format=torch.contiguous_format)
    if math.isclose(sum(shares), 1.0) and all(torch.equal(first, t) for t in tensors[1:]):
        return first.clone(memory_format=torch.contiguous_format)
    return weighted_sum(tensors, shares, wide(first.dtype)).to(first.dtype)


def weighted_sum(tensors: Sequence[Tensor], shares: Sequence[float], dtype: torch.dtype) -> Tensor:
    """sum_i share_i x_i, each converted to ``dtype`` in turn."""
    total = torch.zeros(tensors[0].shape, dtype=dtype, device=tensors[0].device)
    for tensor, share in zip(tensors, shares, strict=True):
        total.add_(tensor.to(dtype), alpha=share)
    return total


def wide(dtype: torch.dtype) -> torch.dtype:
    """What a floating dtype is computed in when several sets are combined.

    Half precision in float32; float32 in float64, so that the order of the sets does not show.
    """
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else torch.float64


def tied(tensor: Tensor) -> tuple[object, ...]:
    """A key that two names share exactly when they hold one tensor."""
    if tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())


def _zip_map(
    function: Callable[..., Tensor], *sets: Mapping[str, Tensor], variances: bool = False
) -> dict[str, Tensor]:
    """:func:`zip_named` for a function that does not ask for the name."""
    return zip_named(lambda _, *tensors: function(*tensors), *sets, variances=variances)


def zip_named(
    function: Callable[..., Tensor], *sets: Mapping[str, Tensor], variances: bool = True
) -> dict[str, Tensor]:
    """Apply ``function(name, *tensors)`` to every name of the first set.

    Where names share one tensor in every set it is applied once, with the first of the names,
    and they share the result.

    Args:
        function: Gives a new tensor.
        sets: Compatible ones; the tensors go to the device of the first set's.
        variances: The result is a model, in which a running variance below 0 would give NaN; not
            a difference of two.

    Raises:
        WeightsError: The result overflows somewhere, or a variance is negative.
    """
    done: dict[tuple[object, ...], Tensor] = {}
    out: dict[str, Tensor] = {}
    broken: list[str] = []
    with torch.no_grad():
        for name, first in sets[0].items():
            operands = [first.detach(), *(s[name].detach().to(first.device) for s in sets[1:])]
            key = tuple(tied(s[name]) for s in sets)
            if key not in done:
                done[key] = function(name, *operands)
                if not finite(done[key]) and all(finite(t) for t in operands):
                    broken.append(name)
            out[name] = done[key]
    negative = [name for name in out if variances and is_variance(name) and (out[name] < 0).any()]
    if negative:
        raise WeightsError(
            f"the result has negative variances: {', '.join(repr(n) for n in negative[:10])}",
            expected="variances of 0 or more, as every model between others has",
            fix="stay between the models: coefficients from 0 to 1",
        )
    if broken:
        raise WeightsError(
            f"the result overflows in {', '.join(repr(n) for n in broken[:10])}",
            expected="finite values",
            fix="convert to a wider dtype first: Weights.to(torch.float32)",
        )
    return out
