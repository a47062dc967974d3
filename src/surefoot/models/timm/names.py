"""Which timm architecture a plain vision transformer's state dict belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ...errors import CheckpointError
from ..checkpoints import Checkpoint

__all__ = ["infer_name", "is_self_supervised"]

_WIDTHS = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
_DEPTHS = {"tiny": 12, "small": 12, "base": 12, "large": 24}


def is_self_supervised(found: Checkpoint) -> bool:
    """The file is DINO's training state: a teacher, or a backbone beside a projection head."""
    return "teacher" in found.inside or any("backbone." in key for key in found.state)


def infer_name(state: Mapping[str, Tensor], found: Checkpoint, *, file: Path) -> str:
    """The timm name of DINO's vision transformers (arXiv 2104.14294), from the shapes.

    DINO publishes plain transformers without a classifier, normalised by ImageNet's mean and
    standard deviation. A transformer with a classifier could be any of many training recipes that
    differ in their transform, so it is not guessed.

    Raises:
        CheckpointError: Not such a transformer; the message asks for the architecture.
    """
    end = "patch_embed.proj.weight"
    key = next((k for k in state if k.endswith(end)), None)
    if key is not None:
        prefix = key[: -len(end)]
        patch = state[key]
        size = _WIDTHS.get(int(patch.shape[0]))
        blocks = f"{prefix}blocks."
        depth = len({k[len(blocks) :].split(".")[0] for k in state if k.startswith(blocks)})
        position = state.get(f"{prefix}pos_embed")
        classifier = any(k == f"{prefix}head.weight" or k == f"{prefix}fc.weight" for k in state)
        square = position is not None and position.shape[1] == (224 // patch.shape[-1]) ** 2 + 1
        ls = any(k.startswith(blocks) and ".ls1." in k for k in state)
        right = size is not None and depth == _DEPTHS[size] and square and not ls
        if right and not classifier and patch.shape[-1] in (8, 16) and size in ("small", "base"):
            return f"vit_{size}_patch{patch.shape[-1]}_224.dino"
    raise CheckpointError(
        f"the architecture of {file} cannot be inferred from its {len(found.state)} tensors "
        f"({', '.join(list(found.state)[:4])}, ...)",
        expected="CLIP's keys, DINO's vision transformers, or a file that surefoot wrote",
        fix=f"name it: surefoot.load({str(file)!r}, architecture='timm:NAME' or 'open_clip:NAME'), "
        f"or timm:NAME@{file}",
    )
