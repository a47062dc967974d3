"""How deep a parameter lies in its network, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import WeightsError

__all__ = ["layer_depths"]

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

    Example:
        >>> sf.weights.layer_depths(["blocks.0.w", "blocks.1.w", "blocks.2.w", "head.weight"])
        {'blocks.0.w': 0.0, 'blocks.1.w': 0.5, 'blocks.2.w': 1.0, 'head.weight': 1.0}
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
