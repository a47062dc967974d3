"""Coefficients, checked; and whose integers are taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..errors import AlphaError, WeightsError

__all__ = ["Side", "check_alpha", "nearer_end", "normalised"]

Side = Literal["start", "end"]


def check_alpha(alpha: float, *, extrapolate: bool = False) -> float:
    """The mixing coefficient, as a float.

    Raises:
        AlphaError: It is not finite, or lies outside [0, 1] without leave.

    Example:
        >>> sf.weights.check_alpha(0.5)
        0.5
    """
    alpha = float(alpha)
    if not math.isfinite(alpha) or not (extrapolate or 0.0 <= alpha <= 1.0):
        leave = "" if not math.isfinite(alpha) else " (or extrapolate=True, --extrapolate)"
        raise AlphaError(
            f"alpha is {alpha:g}",
            expected="a number from 0 (the start) to 1 (the end)",
            fix=f"choose one in that range{leave}",
        )
    return alpha


def normalised(weights: Sequence[float], count: int) -> list[float]:
    """Coefficients of an average of ``count`` sets: weights over their sum.

    Raises:
        WeightsError: There is no set, another number of weights, or a weight that is not usable.
    """
    usable = all(math.isfinite(w) and w >= 0 for w in weights) and sum(weights) > 0
    if not count or count != len(weights) or not usable:
        raise WeightsError(
            f"{count} sets of weights cannot be averaged with the coefficients {list(weights)}",
            expected="one or more sets, one finite coefficient >= 0 each, not all 0",
        )
    total = math.fsum(weights)
    return [w / total for w in weights]


def nearer_end(alpha: float, *, single: bool) -> tuple[bool, float]:
    """How a point on a line is computed: as that end, plus a factor times (second - first).

    Starting at the nearer end keeps the factor at or below one half, so that the error stays within
    one and a half units in the last place of the larger operand. Subtract, multiply, add, each
    rounded by itself, give the same bits on every machine and by every library. ``torch.lerp`` does
    not: it rounds the last two at once where the processor can.

    Args:
        alpha: The share of the second end.
        single: Round the factor to float32, in which the numbers are.

    Returns:
        Whether it is the second, and the factor.
    """
    share = float(np.float32(alpha)) if single else float(alpha)
    second = abs(share) >= 0.5
    factor = share - 1 if second else share
    return second, float(np.float32(factor)) if single else factor
