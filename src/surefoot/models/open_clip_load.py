"""`open_clip:ARCH/TAG`, `open_clip:ARCH@FILE`, local CLIP checkpoints, open_clip folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, ModelError
from .activation import decide, evidence_of, open_clip_sibling
from .checkpoints import Checkpoint, read_checkpoint
from .clip_config import config_of
from .downloads import hub_file, unavailable
from .foreign import open_clip as library
from .heads import Head
from .model import Model, ModelSpec
from .names import Source
from .open_clip import split, transform_of, whole
from .parts import unknown_name
from .states import check_state, chosen_prefix, strip_prefix

__all__ = ["WEIGHTS", "beside_of", "fill", "finish", "from_checkpoint", "from_name", "is_clip"]

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def from_name(source: Source) -> Model:
    """``open_clip:ARCH/TAG``, ``open_clip:ARCH/random`` or ``open_clip:ARCH@FILE``.

    Raises:
        UnknownName: No such architecture or tag.
        ModelError: Neither tag nor file, or the activation is in doubt.
        CheckpointError: The file does not fit.
        DownloadUnavailable: The tag's weights are not cached and there is no network.
    """
    clip = library(source.text)
    if source.name not in clip.list_models():
        raise unknown_name(
            "open_clip architecture",
            source.name,
            clip.list_models(),
            fix="`python -c 'import open_clip; print(open_clip.list_models())'` lists them",
        )
    if source.file is not None:
        return from_checkpoint(
            read_checkpoint(source.file), source, arch=source.name, file=source.file
        )
    if source.tag == "random":
        return _random(source)
    tags = clip.list_pretrained_tags_by_model(source.name)
    if not source.tag:
        raise ModelError(
            f"{source.text!r} says which architecture, not which weights",
            expected=f"open_clip:{source.name}/TAG with TAG one of {', '.join(tags) or '(none)'}",
            fix=f"or open_clip:{source.name}@FILE, or open_clip:{source.name}/random to begin "
            "from random weights",
        )
    if not clip.is_pretrained_cfg(source.name, source.tag):
        raise unknown_name(
            f"pretrained tag of {source.name}",
            source.tag,
            [*tags, "random"],
            fix=f"choose one, or give a file: open_clip:{source.name}@FILE",
        )
    return _pretrained(source)


def _pretrained(source: Source) -> Model:
    clip = library(source.text)
    record = clip.get_pretrained_cfg(source.name, source.tag)
    builder, why = _builder(source, tag_says=bool(record.get("quick_gelu")))
    path = _weights_of(record, source)
    model = whole(builder)
    try:
        # open_clip's own reader: it knows every format that its tags point to.
        clip.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit {source.name}: {error}",
            expected=f"the weights of {source.text}",
            fix="remove it from the cache and fetch it again",
        ) from error
    return finish(model, builder, source, record, (why,))


def _weights_of(record: Mapping[str, Any], source: Source) -> Path:
    instead = f"open_clip:{source.name}@FILE?activation=" + (
        "quickgelu" if record.get("quick_gelu") else "gelu"
    )
    repo, _, filename = str(record.get("hf_hub", "")).rpartition("/")
    for name in (filename,) if filename else WEIGHTS:
        found = hub_file(repo, name, instead=instead) if repo else None
        if found is not None:
            return found
    raise unavailable(filename or WEIGHTS[0], repo or source.name, instead=instead)


def _random(source: Source) -> Model:
    builder, _ = _builder(source, tag_says=None, certain=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(source.options.get("seed", "0")))
        model = whole(builder)
    return finish(model, builder, source, {}, ("random weights, never trained",))


def _builder(
    source: Source, *, tag_says: bool | None, certain: bool = False
) -> tuple[dict[str, Any], str]:
    config = library().get_model_config(source.name)
    fixed = config.get("quick_gelu")
    asked = source.options.get("activation")
    if certain and asked is None:
        quick, why = bool(fixed), ""
    else:
        quick, why = decide(
            source.name,
            fixed=fixed,
            asked=asked,
            tag_says=tag_says,
            sibling=open_clip_sibling(source.name),
            where=source.text,
        )
    config["quick_gelu"] = quick
    return {"kind": "open_clip", "arch": source.name, "config": config}, why


def finish(
    model: nn.Module,
    builder: dict[str, Any],
    source: Source,
    preprocess: Mapping[str, Any],
    notes: tuple[str, ...],
    *,
    head: Head | None = None,
    files: Mapping[str, str] | None = None,
) -> Model:
    """The Model of a filled open_clip model, with the transform of ``preprocess``."""
    clip = library()
    default = {"mean": clip.OPENAI_DATASET_MEAN, "std": clip.OPENAI_DATASET_STD}
    visual: Any = model.visual
    size = getattr(visual, "image_size", None) or preprocess.get("size", 224)
    parts = split(model, builder, files)
    name = f"{builder['arch']}/{source.tag}" if source.tag else builder["arch"]
    inner: Any = getattr(parts.text, "model", None)
    if getattr(inner, "logit_bias", None) is not None:
        notes = (*notes, "it has a logit bias (sigmoid loss), which no ranking of classes needs")
    spec = ModelSpec(
        name=name,
        source=source.text,
        builder=builder,
        transform=transform_of({**default, **preprocess, "size": size}, name=name),
        normalize=True,
        saw_text=True,
        notes=tuple(n for n in notes if n),
    )
    return parts.model(spec, head)


def is_clip(state: Mapping[str, Tensor]) -> bool:
    """The keys are CLIP's as OpenAI and open_clip name them, under any prefix."""
    text = ("token_embedding.weight", "text.token_embedding.weight", "text.transformer.")
    has_text = any(key.endswith(text[0]) or text[2] in key for key in state)
    return has_text and any(key.startswith("visual.") or ".visual." in key for key in state)


def from_checkpoint(found: Checkpoint, source: Source, *, arch: str | None, file: Path) -> Model:
    """A local CLIP checkpoint: open_clip's, OpenAI's two formats, or a pickled wise-ft module.

    Args:
        found: What the file holds.
        source: As the user named it.
        arch: open_clip's name of the architecture; None to infer it from the shapes.
        file: For messages, and for an ``open_clip_config.json`` beside it.

    Raises:
        CheckpointError: It does not fit, or its architecture cannot be inferred.
        ModelError: Its activation is in doubt.
    """
    anchors = ("logit_scale", "visual.conv1.weight", "visual.proj", "visual.trunk.norm.weight")
    prefix, which = chosen_prefix(found.state, anchors)
    state = {k[len(prefix) :]: v for k, v in found.state.items() if k.startswith(prefix)}
    evidence = evidence_of(state, found.classes, found.facts)
    beside = beside_of(file)
    arch, config = config_of(state, arch, beside, file=file)
    quick, why = decide(
        arch,
        fixed=config.get("quick_gelu"),
        asked=source.options.get("activation"),
        evidence=evidence,
        sibling=open_clip_sibling(arch),
        where=file.name,
    )
    config["quick_gelu"] = quick
    builder = {"kind": "open_clip", "arch": arch, "config": config}
    model = whole(builder)
    notes = (*found.notes, *which, why, *fill(model, state, str(file)))
    head, about = _head_of(found, prefix)
    preprocess = beside.get("preprocess_cfg", {})
    return finish(model, builder, source, preprocess, (*notes, *about), head=head)


def fill(model: nn.Module, state: dict[str, Tensor], where: str) -> tuple[str, ...]:
    """Load a state dict, in open_clip's older key layout too, or list what does not fit."""
    clip = library()
    state = strip_prefix(state, model.state_dict())
    state = clip.convert.convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = clip.model.convert_to_custom_text_state_dict(state)
    bias = getattr(model, "logit_bias", None)
    if bias is not None:
        state.setdefault("logit_bias", torch.zeros_like(bias))
    wanted = model.state_dict()
    # OpenAI's archives store the causal mask; it is derived, not a weight.
    state = {k: v for k, v in state.items() if k in wanted or not k.endswith("attn_mask")}
    checked = check_state(state, wanted, where=where, tolerate_heads=True)
    model.load_state_dict(checked.state)
    return checked.notes


def _head_of(found: Checkpoint, prefix: str) -> tuple[Head | None, tuple[str, ...]]:
    """The classifier of wise-ft's ImageClassifier, which works on normalised features."""
    weight = found.state.get("classification_head.weight")
    if weight is None or not prefix.startswith("image_encoder."):
        return None, ()
    names = [f"class {i}" for i in range(len(weight))]
    bias = found.state.get("classification_head.bias")
    head = Head(weight.float(), bias, normalize=True, class_names=names)
    return head, (f"its classifier has {len(names)} classes, whose names the file does not hold",)


def beside_of(file: Path) -> dict[str, Any]:
    """Content of the ``open_clip_config.json`` in the folder of a file, or empty."""
    path = file.parent / CONFIG
    if not path.is_file():
        return {}
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return about
