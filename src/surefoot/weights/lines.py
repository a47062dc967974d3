"""LiNeS: a delta scaled with the depth of the layer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..errors import WeightsError
from .alpha import Side, check_alpha
from .audit import COMPUTED, require_compatible
from .depths import layer_depths
from .ops import lerp_tensor, zip_named

__all__ = ["lines"]


def lines(
    start: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    depths: Mapping[str, float] | None = None,
    integers: Side = "end",
    extrapolate: bool = False,
) -> dict[str, Tensor]:
    """LiNeS (Wang et al., arXiv 2410.17146, section 3): start + (alpha + beta * depth) * delta.

    No training: shallow layers stay near the start, deep ones keep what they learnt. beta = 0 is
    :func:`~surefoot.weights.lerp` at alpha.

    Args:
        start: The pretrained weights.
        end: The tuned ones.
        alpha: Scale of the delta at depth 0, the first block.
        beta: What is added to it at depth 1, the last block.
        depths: Name -> depth in [0, 1]; :func:`layer_depths` when left out.
        integers: Whose integer tensors are taken where the scale is neither 0 nor 1.
        extrapolate: Allow scales outside [0, 1].

    Raises:
        AlphaError: alpha or alpha + beta is outside [0, 1] without leave, or not finite.
        WeightsError: The sets do not fit, or the depth of a parameter cannot be told.

    Example:
        >>> sf.weights.lines(start, end, alpha=0.5, beta=0.0, depths={"w": 0.0})
        {'w': tensor([1., 2.])}
    """
    check_alpha(alpha, extrapolate=extrapolate)
    check_alpha(alpha + beta, extrapolate=extrapolate)
    require_compatible(start, end, first="the start", second="the end")
    depth = layer_depths(start) if depths is None else depths
    missing = sorted(set(start) - set(depth))
    if missing:
        raise WeightsError(
            f"no depth is given for {', '.join(repr(n) for n in missing[:5])}",
            expected="depths for every tensor, in [0, 1]",
        )

    def scaled(name: str, x: Tensor, y: Tensor) -> Tensor:
        scale = alpha + beta * depth[name]
        if x.dtype not in COMPUTED:
            keep_start = scale == 0 or (scale != 1 and integers == "start")
            return (x if keep_start else y).clone()
        return lerp_tensor(x, y, scale)

    return zip_named(scaled, start, end)
