"""Do two sets of weights fit together? Every problem at once, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import WeightsError
from .dtypes import TensorLayout, kind_of
from .layout import INTEGERS_DIFFER, listed, misfits

__all__ = ["COMPUTED", "audit", "finite", "identical", "listed", "require_compatible"]

COMPUTED = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""Dtypes that are computed with. Integers and booleans are copied; anything else is refused."""


def finite(tensor: Tensor) -> bool:
    """No NaN and no infinity; true of integers."""
    if tensor.dtype not in COMPUTED or tensor.numel() == 0:
        return True
    # min and max carry NaN along, and need no boolean tensor of the same size.
    low, high = torch.aminmax(tensor)
    return bool(torch.isfinite(low) and torch.isfinite(high))


def identical(x: Tensor, y: Tensor) -> bool:
    """Equal bit for bit, wherever the tensors lie; NaN equals itself, -0.0 is not 0.0."""
    if x is y:
        return True
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if not x.numel():  # numpy's have strides that no view as bytes could take
        return True
    if x.device != y.device:
        x, y = x.cpu(), y.cpu()
    left, right = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (x, y))
    return torch.equal(left, right)


def audit(a: Mapping[str, Tensor], b: Mapping[str, Tensor], *, values: bool = True) -> list[str]:
    """Everything that keeps two sets of weights from being mixed; [] if they fit.

    Keys, shapes (nothing is broadcast), dtypes, layouts, and values that are not finite. An
    infinity is allowed where both tensors are equal, as in a stored attention mask: such a
    tensor is copied. NaN never is.

    Args:
        a: The first set.
        b: The second.
        values: Look at the numbers too, not only at names, shapes and dtypes.

    Returns:
        One sentence per problem, sorted by the tensor's name.

    Example:
        >>> sf.weights.audit(start, end)
        []
        >>> sf.weights.audit(start, {"w": torch.zeros(3)})
        ["'w' has the shape (2,) in the first set and (3,) in the second set"]
    """

    def wrong(name: str, fits: bool) -> list[str]:
        return _values(a[name], b[name], fits) if values else []

    return misfits(_outlines(a, values), _outlines(b, values), wrong)


def _outlines(tensors: Mapping[str, Tensor], values: bool) -> dict[str, TensorLayout]:
    return {k: TensorLayout(kind_of(t.dtype), tuple(t.shape), _layout(t, values))
            for k, t in tensors.items()}  # fmt: skip


def _layout(tensor: Tensor, values: bool) -> str:
    if tensor.layout != torch.strided:
        return str(tensor.layout).removeprefix("torch.")
    return "meta" if values and tensor.is_meta else "strided"


def _values(x: Tensor, y: Tensor, fits: bool) -> list[str]:
    """What is wrong with the numbers of two tensors whose storage can be looked at."""
    if fits and x.dtype not in COMPUTED and x.dtype != torch.bool and x.numel() > 1:
        return [] if torch.equal(x, y.to(x.device)) else [INTEGERS_DIFFER]
    if fits and ((finite(x) and finite(y)) or torch.equal(x, y.to(x.device))):
        return []
    sides = ((x, "the first set"), (y, "the second set"))
    return [f"holds {_what(t)} in {side}" for t, side in sides if not finite(t)]


def require_compatible(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    values: bool = True,
    first: str = "the first set",
    second: str = "the second set",
) -> None:
    """Raise unless :func:`audit` finds nothing.

    Args:
        a: The first set.
        b: The second.
        values: As in :func:`audit`.
        first: What messages call the first set.
        second: And the second.

    Raises:
        WeightsError: Every problem at once (the first 20 in full, the rest counted).

    Example:
        >>> sf.weights.require_compatible(start, end)  # raises where audit finds something
    """
    problems = audit(a, b, values=values)
    if problems:
        named = (p.replace("the first set", first) for p in problems)
        raise WeightsError(
            f"{first} and {second} do not fit together:"
            + listed([p.replace("the second set", second) for p in named]),
            expected="the same names, shapes and dtypes, and finite values",
            fix="take two checkpoints of one architecture, saved the same way",
        )


def _what(tensor: Tensor) -> str:
    nan = int(torch.isnan(tensor).sum())
    inf = int(torch.isinf(tensor).sum())
    both = [f"{count} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count]
    return " and ".join(both)
