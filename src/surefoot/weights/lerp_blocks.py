"""A point between two blocks of numbers, by numpy, with the bits of :func:`~.ops.lerp_tensor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alpha import nearer_end
from .dtypes import KINDS, Stored, common_kind, narrow, widen
from .scratch import Scratch

__all__ = ["lerp_stored"]


def lerp_stored(x: Stored, y: Stored, alpha: float, kind: str, scratch: Scratch) -> Stored:
    """(1 - alpha) x + alpha y in float32 (float64 where one of them is), rounded to ``kind``.

    Args:
        x: (n,), floating.
        y: (n,), likewise.
        alpha: The share of ``y``; 0 and 1 copy.
        kind: Of the result, floating.
        scratch: Where the result lies, until this thread's next call.
    """
    wide, n = common_kind([x.kind, y.kind, "F32"]), len(x)
    out = Stored(kind, scratch("mixed", n * KINDS[kind].size))

    def room(slot: str) -> Stored:
        return Stored(wide, scratch(slot, n * KINDS[wide].size))

    # Whole blocks: every call waits for the interpreter's lock, which costs more than the cache.
    a = x.array if x.kind == wide else widen(x, room("x"))
    b = y.array if y.kind == wide else widen(y, room("y"))
    mixed = out if kind == wide else room("sum")
    if alpha in (0, 1):
        np.copyto(mixed.array, a if alpha == 0 else b)
    else:
        _lerp(a, b, alpha, mixed.array)
    if kind != wide:
        narrow(mixed, out, scratch("bits", 4 * n).view(np.uint32))
    return out


def _lerp(x: NDArray[Any], y: NDArray[Any], alpha: float, out: NDArray[Any]) -> None:
    """All (n,), of one dtype; ``out`` is other memory than the ends."""
    second, factor = nearer_end(alpha, single=out.dtype == np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks for what is not finite
        np.subtract(y, x, out=out)
        np.multiply(out, out.dtype.type(factor), out=out)
        np.add(out, y if second else x, out=out)
