"""LiNeS: a delta scaled with the depth of the layer; and how deep a parameter lies, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from ..errors import WeightsError
from .audit import COMPUTED, require_compatible
from .ops import Side, check_alpha, lerp_tensor, zip_named

__all__ = ["layer_depths", "lines"]

_BLOCK = re.compile(
    r"(?:^|\.)(?:blocks|resblocks|layers|stages|h|layer(?=\d|\.))\.?(\d+)"
    r"(?:\.(?:(?:blocks|layers|layer)\.)?(\d+))?(?=\.)"
)
"""timm ``blocks.N.``, open_clip ``transformer.resblocks.N.``, transformers ``layers.N.`` and
``encoder.layer.N.``, ResNets ``layerN.M.``, stages of blocks ``stages.N.blocks.M.``."""

_STEM = {"patch_embed", "patch_embedding", "embeddings", "stem", "embed", "conv1", "bn1", "ln_pre",
         "norm_pre", "pre_layernorm", "pre_layrnorm", "token_embedding"}  # fmt: skip

_LAST = {"head", "norm", "fc_norm", "ln_post", "proj", "classifier", "fc", "post_layernorm",
         "layernorm", "visual_projection", "attn_pool", "pooler", "ln_final", "text_projection",
         "final_layer_norm", "norm_head", "conv_head", "bn2", "logit_scale"}  # fmt: skip


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


def layer_depths(names: Iterable[str]) -> dict[str, float]:
    """How deep each parameter lies, from 0 (stem and first block) to 1 (last block and head).

    Block l of L is at l / (L - 1), counted from 0, as in LiNeS (arXiv 2410.17146, section 3).
    Readings: final norm, projection and head lie as deep as the last block (the paper's code
    leaves them, as everything outside of blocks, at depth 0); in a network of stages every block
    counts; each tower (``encoder.``, ``text.``) is counted by itself.

    Args:
        names: Of parameters, as timm, open_clip, transformers and torchvision name them.

    Raises:
        WeightsError: No name looks like a block's.
    """
    names = list(names)
    matches = {name: match for name in names if (match := _BLOCK.search(name)) is not None}
    found = {name: match for name, match in matches.items() if not _is_stem(name, match)}
    towers: dict[str, set[tuple[int, ...]]] = {}
    for name, match in found.items():
        towers.setdefault(name[: match.start()], set()).add(_place(match))
    if not found:
        raise WeightsError(
            "the depth of the layers cannot be told from the names "
            f"{', '.join(repr(n) for n in names[:5])}, ...",
            expected="blocks.N., resblocks.N., layers.N., layerN. or stages.N. in the names",
            fix="give depths: name -> number from 0 (stem) to 1 (head)",
        )
    rank = {tower: {place: i for i, place in enumerate(sorted(places))}
            for tower, places in towers.items()}  # fmt: skip

    def depth(name: str) -> float:
        match = found.get(name)
        if match is None:
            return 1.0 if not _is_stem(name) and _LAST & set(name.split(".")) else 0.0
        places = rank[name[: match.start()]]
        return places[_place(match)] / (len(places) - 1) if len(places) > 1 else 1.0

    return {name: depth(name) for name in names}


def _is_stem(name: str, block: re.Match[str] | None = None) -> bool:
    """Is it, or does it lie in, something named like a stem; what stands in a block does not."""
    before = name if block is None else name[: block.start()]
    return bool(_STEM & set(before.split(".")))


def _place(match: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) for number in match.groups() if number is not None)
