"""One tensor at an alpha, in place, and what extrapolation must not do."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import WeightsError
from ..weights.ops import lerp_into, lerp_tensor, tied

__all__ = ["mix_tensor", "require_variances"]


def mix_tensor(target: Tensor, x: Tensor, y: Tensor, alpha: float) -> None:
    """Write lerp(x, y, alpha) into target, without a temporary where the dtypes allow it."""
    direct = target.dtype == x.dtype == y.dtype and x.dtype in (torch.float32, torch.float64)
    if direct and tied(target) not in (tied(x), tied(y)):
        lerp_into(target, x, y, alpha)
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
