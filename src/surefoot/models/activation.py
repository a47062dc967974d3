"""QuickGELU or GELU: the same keys and shapes, another function. Inferred, or refused.

OpenAI's CLIP was trained with x * sigmoid(1.702 x) (arXiv 2103.00020, its code); most of
open_clip's models with the exact GELU. Nothing in a plain state dict tells them apart, and the
wrong one loads without a word and loses accuracy. So the choice is made from evidence:

1. ``?activation=gelu`` or ``?activation=quickgelu`` in the name: the user says so;
2. an architecture that fixes it (``ViT-B-16-quickgelu``, an ``open_clip_config.json``);
3. the pretrained tag's own record in open_clip (``quick_gelu: True``);
4. the checkpoint: OpenAI's constants in the state dict, or the class of the activation in a
   pickled module or TorchScript archive, or the model's name in open_clip's training checkpoint;
5. an architecture for which no QuickGELU weights exist anywhere in open_clip: GELU;
6. otherwise the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ModelError
from .foreign import open_clip

__all__ = ["decide", "evidence_of", "open_clip_sibling", "timm_sibling"]


def evidence_of(
    keys: Iterable[str], classes: Iterable[str], facts: Mapping[str, Any]
) -> tuple[bool | None, str]:
    """What a checkpoint says about its activation.

    Args:
        keys: Of its state dict, constants included.
        classes: Full names of the classes in its pickle or archive.
        facts: Other entries of the checkpoint, such as ``name``.

    Returns:
        (QuickGELU?, why), with None where nothing tells.
    """
    if {"input_resolution", "context_length", "vocab_size"} <= set(keys):
        return True, "the state dict is in OpenAI's format"
    last = {name.rsplit(".", 1)[-1] for name in classes}
    if "QuickGELU" in last:
        return True, "its module tree holds QuickGELU"
    if "GELU" in last:
        return False, "its module tree holds GELU and no QuickGELU"
    trained = re.search(r"model_(.+?)-lr_", str(facts.get("name", "")))
    if trained:
        name = trained.group(1)
        if name.endswith("-quickgelu"):
            return True, f"it was trained as {name}"
        return False, f"it was trained as {name}"
    return None, ""


def decide(
    arch: str,
    *,
    fixed: bool | None,
    asked: str | None,
    tag_says: bool | None = None,
    evidence: tuple[bool | None, str] = (None, ""),
    sibling: str,
    where: str,
) -> tuple[bool, str]:
    """Whether to build with QuickGELU, and a sentence that says why.

    Args:
        arch: Name of the architecture.
        fixed: ``quick_gelu`` of its configuration, None where the configuration is silent.
        asked: The option ``activation``, None where absent.
        tag_says: ``quick_gelu`` of the pretrained tag's record; None for a local file.
        evidence: As :func:`evidence_of` returns it.
        sibling: The same architecture with QuickGELU, "" where no such weights are known.
        where: The file or tag, for messages.

    Raises:
        ModelError: Nothing tells, or the architecture and the checkpoint contradict each other.
    """
    if asked is not None:
        return asked == "quickgelu", f"activation {asked}, as asked for"
    found, why = evidence
    known = tag_says if tag_says is not None else found
    if known is not None:
        why = why or f"the record of {where}"
        if fixed and not known:
            raise ModelError(
                f"{arch} has QuickGELU, and {where} was trained with GELU ({why})",
                expected="one activation",
                fix="use the architecture without quickgelu, or ?activation=quickgelu to insist",
            )
        return known, f"activation {'quickgelu' if known else 'gelu'}, from {why}"
    if fixed is not None:
        return fixed, f"activation {'quickgelu' if fixed else 'gelu'}, fixed by {arch}"
    if not sibling:
        return False, f"activation gelu: no QuickGELU weights of {arch} are known"
    raise ModelError(
        f"nothing in {where} tells whether it was trained with GELU or with QuickGELU, and "
        f"{arch} exists with both",
        expected="the activation that the weights were trained with: OpenAI's, and fine-tuned "
        "ones that began there, need QuickGELU; loading the wrong one loses accuracy unnoticed",
        fix=f"use {sibling}, or append ?activation=gelu or ?activation=quickgelu",
    )


def open_clip_sibling(arch: str) -> str:
    """The QuickGELU form of an open_clip architecture, "" where no such weights are known."""
    clip = open_clip(f"open_clip:{arch}")
    records = (clip.get_pretrained_cfg(arch, t) for t in clip.list_pretrained_tags_by_model(arch))
    exists = any(record.get("quick_gelu") for record in records)
    named = f"{arch}-quickgelu" in clip.list_models()
    return f"{arch}-quickgelu" if exists or named else ""


def timm_sibling(name: str, known: Iterable[str]) -> str:
    """The QuickGELU form of a timm architecture, "" where there is none."""
    other = name.replace("_clip_", "_clip_quickgelu_")
    return other if other != name and other in set(known) else ""
