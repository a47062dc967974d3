"""One tensor at an alpha, in place, and what extrapolation must not do."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import WeightsError
from ..weights.ops import lerp_tensor

__all__ = ["mix_tensor", "require_variances"]


def mix_tensor(target: Tensor, x: Tensor, y: Tensor, alpha: float) -> None:
    """Write lerp(x, y, alpha) into target, without a temporary where the dtypes allow it."""
    if target.dtype == x.dtype and x.dtype in (torch.float32, torch.float64):
        torch.lerp(x, y, alpha, out=target)
    else:
        target.copy_(lerp_tensor(x, y, alpha))


def require_variances(targets: Mapping[str, Tensor], alpha: float) -> None:
    """Raise where a BatchNorm variance is negative.

    Raises:
        WeightsError: Names the first few.
    """
    negative = [k for k, t in targets.items() if k.endswith("running_var") and bool((t < 0).any())]
    if negative:
        raise WeightsError(
            f"at alpha {alpha:g} the variances {', '.join(negative[:5])} are negative",
            expected="variances >= 0",
            fix="stay nearer to [0, 1], or choose batchnorm='keep' or 'recalibrate'",
        )
