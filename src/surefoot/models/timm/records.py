"""What timm's records say of a model: its tags, whether it saw text, which activation it wants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...errors import ModelError
from ..checkpoints import Checkpoint
from ..foreign import open_clip
from ..foreign import timm as library
from ..record import Fact

__all__ = [
    "names",
    "quick_gelu",
    "record_of",
    "records_of",
    "sibling",
    "text_fact",
    "training_arguments",
    "with_activation",
]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Every architecture that timm lists."""
    return tuple(library("timm models").list_models())


def sibling(name: str) -> str:
    """The QuickGELU form of an architecture, "" where there is none or it is one."""
    other = name.replace("_clip_", "_clip_quickgelu_")
    return other if "quickgelu" not in name and other != name and other in names() else ""


def with_activation(name: str, quick: bool) -> str:
    """The form of an architecture with this activation.

    Raises:
        ModelError: timm has no such form.
    """
    plain = name.replace("_clip_quickgelu_", "_clip_")
    found = (sibling(plain) or plain) if quick else plain
    if quick and "quickgelu" not in found:
        raise ModelError(
            f"timm has no form of {name} with QuickGELU",
            expected="an architecture of timm that exists with it (vit_..._clip_quickgelu_...)",
            fix="leave ?activation= out, or load the weights through open_clip",
        )
    return found


def records_of(name: str) -> dict[str, Mapping[str, Any]]:
    """Tag -> timm's record, of every published checkpoint of an architecture without a tag."""
    timm = library()
    found = (timm.get_pretrained_cfg(full) for full in timm.list_pretrained(f"{name}.*"))
    return {record.tag: record.to_dict() for record in found}


def record_of(name: str, tag: str = "") -> dict[str, Any]:
    """Timm's record of a name (its default tag's, where it has none), weights or no weights."""
    record = library().get_pretrained_cfg(f"{name}.{tag}" if tag else name)
    found: dict[str, Any] = {} if record is None else record.to_dict()
    return found


_TEXT = re.compile(
    r"clip|siglip|laion|openai|datacomp|dfn|mclip|_mci|mci\d|vitamin|webli|aimv2|tipsv2|_pe_|"
    r"coca|radio|gemma|qwen|florence|deepseek|ogvl|swag|ig1b|yfcc100m|wsl|beit3|beitv2|^eva|eupe"
)
"""Parts of names of models that were trained with text, or to agree with a model that was: CLIP's
kin; AIMv2 (arXiv 2411.14402), TIPSv2, Perception Encoder (2504.13181); RADIO, which is distilled
from CLIP and SigLIP (2312.06709), as EUPE is from PE; BEiT v2 and EVA, whose targets are CLIP's
features (2208.06366, 2211.07636); BEiT-3; towers of language models; hashtags (2201.08371)."""

_NO_TEXT = re.compile(
    r"in1k|in12k|in21k|in22k|in22ft1k|inw21k|inat21|lvd142m|lvd1689m|sat493m|sa1b|sam2|dino|ijepa|"
    r"mae|jft|seer|bamboo"
)
"""Parts of names of models whose training data hold images, and labels at most."""


def text_fact(name: str, tag: str) -> Fact:
    """Whether weights under a name of timm saw text.

    Args:
        name: Without a tag.
        tag: "" for a file under a name alone.
    """
    tags = [tag] if tag else sorted(records_of(name))
    found = {_saw(f"{name}.{one}") for one in tags}
    if len(found) != 1:
        return Fact("unknown", f"{name} has tags of both kinds" if found else "no tag is published")
    source = f"the name {name}.{tag}" if tag else f"all {len(tags)} tags of {name}"
    value = found.pop()
    return Fact(value, source if value != "unknown" else f"{source} does not tell")


def _saw(full: str) -> str:
    if _TEXT.search(full):
        return "yes"
    return "no" if _NO_TEXT.search(full) else "unknown"


def quick_gelu(name: str, tag: str) -> tuple[bool | None, str]:
    """Whether published weights want QuickGELU, by both registries, and who says so.

    timm notes it on some tags; of others only open_clip's record of the same weights tells (same
    repository, or same network and tag), and then that one is taken: they were trained in
    open_clip, and timm converted them.

    Returns:
        None where neither says anything.
    """
    full = f"{name}.{tag}"
    record = library().get_pretrained_cfg(full)
    noted = record is not None and any("QuickGELU" in note for note in record.notes or ())
    theirs = _open_clip_says(name, tag, getattr(record, "hf_hub_id", None))
    if theirs is not None and theirs[0] and not noted:
        return True, f"open_clip's record of {theirs[1]}; timm's of {full} does not say so"
    if noted:
        return True, f"timm's record of {full}"
    return (None, "") if theirs is None else (False, f"open_clip's record of {theirs[1]}")


def _open_clip_says(name: str, tag: str, repo: str | None) -> tuple[bool, str] | None:
    if not sibling(name) and "quickgelu" not in name:
        return None
    clip = open_clip()
    network = _network(name.replace("_quickgelu", ""))
    for arch, other in clip.list_pretrained():
        record = clip.get_pretrained_cfg(arch, other)
        same = repo and record.get("hf_hub", "").strip("/") == repo
        if same or (other == tag and _network(arch.removesuffix("-quickgelu")) == network):
            return bool(record.get("quick_gelu")), f"{arch}/{other}"
    return None


_SIZES = {"base": "B", "large": "L", "huge": "H", "giant": "g", "gigantic": "bigG"}


def _network(name: str) -> tuple[str, ...]:
    """Size, patch and resolution of a plain CLIP image tower, as either library names it."""
    ours = re.fullmatch(r"vit_([a-z]+)_patch(\d+)_clip_(\d+)", name)
    if ours:
        return _SIZES.get(ours[1], ours[1]), ours[2], ours[3]
    theirs = re.fullmatch(r"ViT-([A-Za-z]+)-(\d+)(?:-worldwide)?(?:-(\d+))?", name)
    return (theirs[1], theirs[2], theirs[3] or "224") if theirs else (name,)


def training_arguments(found: Checkpoint) -> dict[str, Any] | None:
    """How timm's training script showed images, from the arguments in its checkpoint.

    Returns:
        Fields of a record (``mean``, ``input_size``, ...) that were given; the others were those
        of the architecture's default. None for a checkpoint without such arguments.
    """
    args = found.facts.get("args")
    if not isinstance(args, Mapping) or "arch" not in found.facts:
        return None
    said = {k: args.get(k) for k in ("mean", "std", "interpolation", "crop_pct", "input_size")}
    size = args.get("img_size")
    if isinstance(size, int) and not isinstance(size, bool) and not said["input_size"]:
        said["input_size"] = [3, size, size]
    return {key: value for key, value in said.items() if value}
