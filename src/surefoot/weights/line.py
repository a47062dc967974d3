"""A point between two blocks of numbers, computed as ``torch.lerp`` does, without torch.

``torch.lerp`` rounds once, after a fused multiply-add (on a CPU that has one). numpy has none; in
float64 the product of two float32 is exact, and their sum is right to 53 bits. Rounding that to
float32 rounds twice, which differs where the first rounding ends exactly between two float32: there
the sum is rounded to odd instead (Boldo and Melquiond 2008), so that the second rounding is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinds import KINDS, Stored, narrow, widen
from .scratch import Scratch

__all__ = ["lerp32", "lerp_stored"]

Single = NDArray[np.float32]
Double = NDArray[np.float64]

_STEP = 1 << 16
"""Numbers at once: calls should cost little, and their float64 stay in cache."""

_HALFWAY = np.int64((1 << 28) - 1)
"""The bits of a float64 that are 0 when it lies on or halfway between two float32."""


def lerp_stored(x: Stored, y: Stored, alpha: float, kind: str, scratch: Scratch) -> Stored:
    """(1 - alpha) x + alpha y in float32, rounded to ``kind``; numbers of at most 32 bits.

    Args:
        x: (n,).
        y: (n,).
        alpha: The share of ``y``; 0 and 1 copy.
        kind: Of the result, at most 32 bits.
        scratch: Where the result lies, until this thread's next call.
    """
    out = Stored(kind, scratch("mixed", len(x) * KINDS[kind].size))
    step = max(1, min(_STEP, len(x)))  # small blocks were asked for to save memory
    rooms = [scratch(name, 4 * step) for name in ("x", "y", "sum", "bits")]
    double = scratch("double", 8 * step).view(np.float64)
    mask = scratch("mask", 8 * step).view(np.int64)
    for at in range(0, len(x), step):
        to = min(at + step, len(x))
        size = to - at
        a, b, mixed = (room.view(np.float32)[:size] for room in rooms[:3])
        a, b = widen(x.part(at, to), a), widen(y.part(at, to), b)
        into = out.part(at, to)
        direct = into.array if kind == "F32" else mixed
        if alpha in (0, 1):
            np.copyto(direct, a if alpha == 0 else b)
        else:
            lerp32(a, b, alpha, direct, double[:size], mask[:size])
        if kind != "F32":
            narrow(mixed, into, rooms[3].view(np.uint32)[:size])
    return out


def lerp32(
    x: Single, y: Single, alpha: float, out: Single, double: Double, bits: NDArray[np.int64]
) -> None:
    """Below one half x + alpha (y - x), else y - (1 - alpha) (y - x), rounded once; all (n,).

    Args:
        x: The start.
        y: The end.
        alpha: Taken in float32, as torch does.
        out: The result; other memory than ``x`` and ``y``.
        double: Overwritten.
        bits: Overwritten.
    """
    share = np.float32(alpha)
    base = x if abs(share) < 0.5 else y
    factor = float(share if base is x else share - np.float32(1))
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for what is not finite
        np.subtract(y, x, out=out)
        np.copyto(double, out)
        np.multiply(double, factor, out=double)
        np.add(double, base, out=double)
        np.copyto(out, double, casting="same_kind")
        np.bitwise_and(double.view(np.int64), _HALFWAY, out=bits)
        if not bits.all():
            at = np.flatnonzero(bits == 0)
            out[at] = _fused(y[at] - x[at], factor, base[at])


def _fused(x: Single, factor: float, base: Single) -> Any:
    """A fused multiply-add: factor x + base, rounded once."""
    product = x.astype(np.float64) * factor
    addend = base.astype(np.float64)
    total = product + addend
    back = total - product
    error = (product - (total - back)) + (addend - back)  # exact (Knuth's two-sum)
    even = (total.view(np.int64) & 1) == 0
    inexact = (error != 0) & np.isfinite(error) & even
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact, np.nextafter(total, toward), total).astype(np.float32)
