"""What open_clip's records say of an architecture: how images are shown, which activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..foreign import open_clip as library
from ..names import Source
from ..record import settle, triple

__all__ = ["preprocess_of_file", "preprocess_of_tag", "records_of", "sibling", "tag_says"]

_SHOWN = ("mean", "std", "interpolation", "resize_mode")


def records_of(arch: str) -> dict[str, Mapping[str, Any]]:
    """Tag -> open_clip's record, of every pretrained tag of an architecture."""
    clip = library(f"open_clip:{arch}")
    return {
        tag: clip.get_pretrained_cfg(arch, tag) for tag in clip.list_pretrained_tags_by_model(arch)
    }


def sibling(arch: str) -> str:
    """The QuickGELU form of an architecture, "" where no such weights are known."""
    exists = any(record.get("quick_gelu") for record in records_of(arch).values())
    named = f"{arch}-quickgelu" in library().list_models()
    return f"{arch}-quickgelu" if exists or named else ""


def tag_says(arch: str, tag: str) -> bool | None:
    """Whether a tag was trained with QuickGELU; None where its architecture decides that.

    A record without a word about it means GELU, but where the configuration, which is the one that
    was trained with, has QuickGELU (roberta-ViT-B-32).
    """
    said = records_of(arch)[tag].get("quick_gelu")
    fixed = library().get_model_config(arch).get("quick_gelu")
    return None if said is None and fixed else bool(said)


def preprocess_of_tag(source: Source) -> tuple[dict[str, Any], str]:
    """How images are shown to ``open_clip:ARCH/TAG``, and where that was read."""
    record = records_of(source.name)[source.tag]
    return settle(f"open_clip:{source.name}", {source.tag: record}, _SHOWN, source.options)


def preprocess_of_file(
    arch: str, source: Source, beside: Mapping[str, Any], *, quick: bool, openai: bool = False
) -> tuple[dict[str, Any], str]:
    """How images are shown to weights in a file, and where that was read.

    Args:
        arch: Architecture.
        source: As the user named it.
        beside: ``preprocess_cfg`` beside the weights, or empty.
        quick: They were trained with QuickGELU; records of the other activation are not theirs.
        openai: They are in OpenAI's own format.

    Raises:
        ModelError: Records of the architecture differ in this.
    """
    name = f"open_clip:{arch}"
    if beside and "tag" not in source.options:
        base = {**default(), **{k: v for k, v in beside.items() if v is not None}}
        given, said = settle(
            name, {"": base}, _SHOWN, source.options, "open_clip_config.json beside the weights"
        )
        return {**base, **given}, said
    records = records_of(arch)
    if "tag" not in source.options:
        records = {
            t: r for t, r in records.items() if bool(r.get("quick_gelu")) is quick
        } or records
        records = {"openai": records["openai"]} if openai and "openai" in records else records
    if not records:
        said = f"open_clip's default, as no weights of {arch} are published"
        return settle(name, {"": default()}, _SHOWN, source.options, said)
    return settle(name, records, _SHOWN, source.options)


def default() -> dict[str, Any]:
    """What open_clip trains with where nothing else is said."""
    clip = library()
    return {
        "mean": triple(clip.OPENAI_DATASET_MEAN),
        "std": triple(clip.OPENAI_DATASET_STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
