"""`open_clip:ARCH/TAG`, `open_clip:ARCH@FILE`, local CLIP checkpoints, open_clip folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import CheckpointError, ModelError
from ..activation import OPENAI_KEYS, decide, evidence_of
from ..checkpoints import Checkpoint, read_checkpoint
from ..downloads import hub_file, unavailable
from ..foreign import open_clip as library
from ..heads import Head
from ..model import Model
from ..names import Source, unknown_name
from ..record import Fact, settle
from ..states import chosen_prefix
from .filled import fill, finish, of_size
from .records import default, preprocess_of_file, preprocess_of_tag, records_of, sibling, tag_says
from .shapes import config_of, size_of
from .towers import whole

__all__ = ["CONFIG", "WEIGHTS", "beside_of", "from_checkpoint", "from_name", "is_clip"]

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
    source.allow("activation", "mean", "std", "img_size", what="a pretrained tag")
    clip = library(source.text)
    record = clip.get_pretrained_cfg(source.name, source.tag)
    builder, why = _builder(source, says=tag_says(source.name, source.tag))
    preprocess, where = preprocess_of_tag(source)
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
    facts = {
        "tensors": Fact(f"{len(model.state_dict())} taken", path.name),
        "activation": Fact("", why),
        "transform": Fact("", where),
    }
    return finish(model, builder, source, preprocess, (why,), facts)


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
    source.allow("activation", "seed", "mean", "std", "img_size", what="a random model")
    builder, why = _builder(source, says=None, certain=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(source.options.get("seed", "0")))
        model = whole(builder)
    preprocess, where = settle(
        source.name, {"": default()}, default(), source.options, "open_clip's default"
    )
    facts = {"activation": Fact("", why), "transform": Fact("", where)}
    return finish(model, builder, source, preprocess, ("random weights, never trained",), facts)


def _builder(
    source: Source, *, says: bool | None, certain: bool = False
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
            tag_says=says,
            sibling=sibling(source.name),
            where=source.text,
        )
    config["quick_gelu"] = quick
    if "img_size" in source.options:
        config["vision_cfg"] = of_size(config["vision_cfg"], int(source.options["img_size"]))
    return {"kind": "open_clip", "arch": source.name, "config": config}, why


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
    source.allow("activation", "tag", "mean", "std", "img_size", what="a CLIP file")
    anchors = ("logit_scale", "visual.conv1.weight", "visual.proj", "visual.trunk.norm.weight")
    prefix, which = chosen_prefix(found.state, anchors)
    state = {k[len(prefix) :]: v for k, v in found.state.items() if k.startswith(prefix)}
    evidence = evidence_of(state, found.classes, found.facts)
    beside = beside_of(file)
    named = arch is not None
    arch, config = config_of(state, arch, beside, file=file)
    tag = source.options.get("tag", "")
    tagged = tag in records_of(arch)
    quick, why = decide(
        arch,
        fixed=config.get("quick_gelu"),
        asked=source.options.get("activation"),
        tag_says=tag_says(arch, tag) if tagged else None,
        evidence=evidence,
        sibling=sibling(arch),
        where=f"{arch}/{tag}" if tagged else file.name,
    )
    config["quick_gelu"] = quick
    openai = set(state) >= OPENAI_KEYS
    preprocess, where = preprocess_of_file(
        arch, source, beside.get("preprocess_cfg", {}), quick=quick, openai=openai
    )
    size = int(source.options["img_size"]) if "img_size" in source.options else size_of(state)
    if size and config["vision_cfg"].get("image_size", 224) != size:
        config["vision_cfg"] = of_size(config["vision_cfg"], size)
        by = "as asked for" if "img_size" in source.options else "from the position embedding"
        where = f"size {by}; {where}"
    builder = {"kind": "open_clip", "arch": arch, "config": config}
    model = whole(builder)
    checked = fill(model, state, str(file), resize="img_size" in source.options)
    head, about = _head_of(found, prefix)
    facts = {
        **checked.facts(file),
        "architecture": Fact(arch, "as named" if named else f"shapes in {file.name}"),
        "activation": Fact("", why),
        "transform": Fact("", where),
    }
    if head is not None:
        facts["head"] = Fact(f"kept, {len(head.class_names)} classes", file.name)
    notes = (*found.notes, *which, why, *checked.notes, *about)
    return finish(model, builder, source, preprocess, notes, facts, head=head)


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
