"""QuickGELU or GELU: the same keys and shapes, another function. Inferred, or refused.

OpenAI's CLIP was trained with x * sigmoid(1.702 x) (arXiv 2103.00020, its code); most of
open_clip's models with the exact GELU. Nothing in a plain state dict tells them apart, and the
wrong one loads without a word and loses accuracy. So the choice is made from evidence:

1. ``?activation=gelu`` or ``?activation=quickgelu`` in the name: the user says so;
2. an architecture that fixes it (``ViT-B-16-quickgelu``, an ``open_clip_config.json``);
3. the record of the pretrained tag, in open_clip (``quick_gelu: True``) or timm;
4. the checkpoint: OpenAI's constants in the state dict, or the class of the activation in a
   pickled module or TorchScript archive, or ``-quickgelu`` in the name of a training run;
5. an architecture for which no QuickGELU weights exist anywhere in open_clip: GELU;
6. otherwise the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from ..errors import ModelError

__all__ = ["OPENAI_KEYS", "activation_of", "decide", "evidence_of"]


OPENAI_KEYS = frozenset({"input_resolution", "context_length", "vocab_size"})
"""Constants, not weights, that OpenAI's own files hold."""


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
    if set(keys) >= OPENAI_KEYS:
        return True, "the state dict is in OpenAI's format"
    last = {name.rsplit(".", 1)[-1] for name in classes}
    if "QuickGELU" in last:
        return True, "its module tree holds QuickGELU"
    if "GELU" in last:
        return False, "its module tree holds GELU and no QuickGELU"
    trained = re.search(r"model_(.+?)-lr_", str(facts.get("name", "")))
    if trained:
        # Without the ending nothing follows: open_clip's --force-quick-gelu leaves no trace in it.
        name = trained.group(1)
        if name.endswith("-quickgelu"):
            return True, f"it was trained as {name}"
    return None, ""


_NAMES = {False: "GELU", True: "QuickGELU"}


def activation_of(module: nn.Module) -> str:
    """Names of the activations among the modules of a network, "unknown" where there are none."""
    leaves = (type(m).__name__ for m in module.modules() if not list(m.children()))
    own = {name.removesuffix("Activation") for name in leaves}
    known = [name for name in sorted(own) if _ACTIVATION.search(name)]
    return ", ".join(known) or "unknown"


_ACTIVATION = re.compile(r"(?i)^(?!.*(attention|norm)).*(elu|silu|swish|mish|gelu|tanh|sigmoid)")


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
    if tag_says is not None and found is not None and tag_says is not found:
        raise ModelError(
            f"the record says {_NAMES[tag_says]}, and {where} {_NAMES[found]}: {why}",
            expected="one activation",
            fix="name the tag that the weights began from, or append ?activation=gelu or "
            "?activation=quickgelu",
        )
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
