"""Do two sets of weights fit together? Every problem at once, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import WeightsError

__all__ = ["COMPUTED", "audit", "finite", "listed", "require_compatible", "unusable"]

COMPUTED = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""Dtypes that are computed with. Integers and booleans are copied; anything else is refused."""

_COPIED = frozenset(
    {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
    | {torch.uint16, torch.uint32, torch.uint64}
)


def unusable(dtype: torch.dtype) -> str | None:
    """Why tensors of a dtype cannot be mixed; None where they can (or are copied)."""
    if dtype in COMPUTED or dtype in _COPIED:
        return None
    if dtype.is_complex:
        return f"is complex ({_short(dtype)})"
    return f"is quantised ({_short(dtype)}); its scales lie elsewhere"


def finite(tensor: Tensor) -> bool:
    """No NaN and no infinity; true of integers."""
    if tensor.dtype not in COMPUTED or tensor.numel() == 0:
        return True
    # min and max carry NaN along, and need no boolean tensor of the same size.
    low, high = torch.aminmax(tensor)
    return bool(torch.isfinite(low) and torch.isfinite(high))


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
    """
    problems: list[str] = []
    for name in sorted(set(a) | set(b)):
        if name not in b:
            problems.append(f"{name!r} {tuple(a[name].shape)} is in the first set only")
        elif name not in a:
            problems.append(f"{name!r} {tuple(b[name].shape)} is in the second set only")
        else:
            problems += [f"{name!r} {what}" for what in _differences(a[name], b[name], values)]
    return problems


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


def listed(problems: list[str], shown: int = 20) -> str:
    """Problems as indented lines; those beyond ``shown`` are counted."""
    lines = "".join(f"\n    - {p}" for p in problems[:shown])
    more = len(problems) - shown
    return lines + (f"\n    ... and {more} more" if more > 0 else "")


def _differences(x: Tensor, y: Tensor, values: bool) -> list[str]:
    found: list[str] = []
    if x.shape != y.shape:
        found.append(f"has the shape {tuple(x.shape)} in the first set and {tuple(y.shape)} in "
                     "the second set")  # fmt: skip
    if x.dtype != y.dtype:
        found.append(f"is {_short(x.dtype)} in the first set and {_short(y.dtype)} in the "
                     "second set")  # fmt: skip
    sides = ((x, "the first set"), (y, "the second set"))
    bad = [f"{why} in {side}" for t, side in sides if (why := _storage(t, values)) is not None]
    if bad or not values:
        return found + bad
    unequal = found or (not (finite(x) and finite(y)) and not torch.equal(x, y.to(x.device)))
    if unequal:
        bad = [f"holds {_what(t)} in {side}" for t, side in sides if not finite(t)]
    return found + bad


def _storage(tensor: Tensor, values: bool) -> str | None:
    if tensor.layout != torch.strided:
        return f"is sparse ({str(tensor.layout).removeprefix('torch.')})"
    if values and tensor.is_meta:
        return "has no data (it is on the meta device)"
    return unusable(tensor.dtype)


def _what(tensor: Tensor) -> str:
    nan = int(torch.isnan(tensor).sum())
    inf = int(torch.isinf(tensor).sum())
    both = [f"{count} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count]
    return " and ".join(both)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
