"""What weights want of a timm encoder: by name, records, shapes, and what the user says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import CheckpointError
from ..activation import decide, evidence_of
from ..checkpoints import Checkpoint
from ..names import Source, unknown_name
from ..record import Fact, settle
from ..states import chosen_prefix
from .records import (
    names,
    quick_gelu,
    record_of,
    records_of,
    sibling,
    training_arguments,
    with_activation,
)

__all__ = [
    "OPTIONS",
    "activation_for",
    "architecture_of",
    "asked_arguments",
    "is_self_supervised",
    "read_off",
    "records_for",
    "shown",
]

OPTIONS = ("activation", "mean", "std", "img_size", "global_pool")


def asked_arguments(source: Source, name: str) -> dict[str, Any]:
    """Arguments of an architecture that the user named."""
    args: dict[str, Any] = {}
    if "global_pool" in source.options:
        args["global_pool"] = source.options["global_pool"]
    # Only a network that is built for one size is told it; others take any.
    if "img_size" in source.options and record_of(name).get("fixed_input_size"):
        args["img_size"] = int(source.options["img_size"])
    return args


def shown(
    name: str, records: Mapping[str, Mapping[str, Any]], source: Source, said: str = ""
) -> tuple[dict[str, Any], dict[str, Fact]]:
    """How images are shown to these weights, for :func:`finish`, and the fact about it.

    Args:
        name: Architecture.
        records: Tag -> record, those that the weights may belong to.
        source: Its options go before them.
        said: Where the one record was read, if not in timm.

    Raises:
        ModelError: The records have different means.
    """
    data, label = settle(f"timm:{name}", records, ("mean", "std"), source.options, said)
    if len({(r.get("crop_pct"), r.get("interpolation")) for r in records.values()}) > 1:
        label += f"; resized as {next(iter(records))}, as they differ in this"
    if "img_size" in source.options:
        size = int(source.options["img_size"])
        data["input_size"] = (3, size, size)
        label = f"size as asked for, the rest from {label}"
    return data, {"transform": Fact("", label)}


def architecture_of(found: Checkpoint, file: Path) -> tuple[str, str]:
    """Its name, from what timm's training script wrote or from shapes, and a note."""
    arch = str(found.facts.get("arch", ""))
    if arch.partition(".")[0] in names():
        return arch, f"architecture {arch}, as {file.name} says"
    arch = infer_name(found.state, found, file=file)
    return arch, f"architecture {arch}, inferred from the shapes in {file.name}"


def activation_for(
    name: str, tag: str, found: Checkpoint, source: Source, file: Path
) -> tuple[bool | None, str]:
    """QuickGELU or not, and why; None where the architecture has no such choice."""
    other = sibling(name)
    if not other and "quickgelu" not in name:
        if "activation" in source.options:
            with_activation(name, source.options["activation"] == "quickgelu")
        return None, ""
    says, where = quick_gelu(name, tag) if tag else (None, "")
    quick, why = decide(
        name,
        fixed=True if "quickgelu" in name else None,
        asked=source.options.get("activation"),
        tag_says=bool(says) if tag else None,
        evidence=evidence_of(found.state, found.classes, found.facts),
        sibling=other,
        where=where or (f"{name}.{tag}" if tag else file.name),
    )
    return quick, why


def records_for(
    name: str, tag: str, found: Checkpoint, file: Path
) -> tuple[dict[str, Mapping[str, Any]], str]:
    """Records that a file's weights may belong to, and where they were read if not in timm."""
    trained = training_arguments(found)
    if trained is not None:
        return {tag: {**record_of(name, tag), **trained}}, f"the training arguments in {file.name}"
    records = records_of(name)
    if tag in records:
        return {tag: records[tag]}, ""
    if tag:
        raise unknown_name(f"tag of {name}", tag, records, fix=f"choose one, or timm:{name}@FILE")
    default = f"timm's default for {name}, of which no weights are published"
    return (records, "") if records else ({"": record_of(name)}, default)


def read_off(
    encoder: nn.Module, state: Mapping[str, Tensor], args: Mapping[str, Any]
) -> dict[str, Any]:
    """What shapes of a file tell about a vision transformer: its image size, its pooling."""
    wanted = encoder.state_dict()
    prefix = chosen_prefix(state, wanted)[0]
    read: dict[str, Any] = {}
    own, theirs = wanted.get("pos_embed"), state.get(f"{prefix}pos_embed")
    patch = state.get(f"{prefix}patch_embed.proj.weight")
    grid = getattr(getattr(encoder, "patch_embed", None), "grid_size", None)
    if "img_size" not in args and grid and own is not None and own.ndim == 3:
        prefixes = own.shape[1] - grid[0] * grid[1]
        tokens = theirs.shape[1] - prefixes if theirs is not None and theirs.ndim == 3 else 0
        side = math.isqrt(max(0, tokens))
        if patch is not None and side and side**2 == tokens and side**2 != grid[0] * grid[1]:
            read["img_size"] = side * int(patch.shape[-1])
    has, wants = f"{prefix}fc_norm.weight" in state, "fc_norm.weight" in wanted
    if has is not wants and (has or f"{prefix}norm.weight" in state):
        # With another pooling than it was trained with, a network keeps its norm where it was.
        read |= {"fc_norm": has} if "global_pool" in args else {"global_pool": "avg"} if has else {}
    return read


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
