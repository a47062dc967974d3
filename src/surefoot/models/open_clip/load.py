"""`open_clip:ARCH/TAG`, `open_clip:ARCH@FILE`, local CLIP checkpoints, open_clip folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CheckpointError, ModelError
from ..activation import OPENAI_KEYS, activation_of, decide, evidence_of
from ..checkpoints import Checkpoint, read_checkpoint
from ..downloads import hub_file, unavailable
from ..foreign import open_clip as library
from ..heads import Head
from ..model import Model, ModelSpec
from ..names import Source, unknown_name
from ..record import Fact, ModelRecord, settle, shown_transform
from ..states import Checked, check_state, chosen_prefix, strip_prefix
from .records import default, preprocess_of_file, preprocess_of_tag, records_of, sibling
from .shapes import config_of, size_of
from .towers import split, transform_of, whole

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
    source.allow("activation", "mean", "std", "img_size", what="a pretrained tag")
    clip = library(source.text)
    record = clip.get_pretrained_cfg(source.name, source.tag)
    builder, why = _builder(source, tag_says=bool(record.get("quick_gelu")))
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
    return finish(model, builder, source, preprocess, (why,), facts=facts)


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
    builder, why = _builder(source, tag_says=None, certain=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(source.options.get("seed", "0")))
        model = whole(builder)
    preprocess, where = settle(
        source.name, {"": default()}, default(), source.options, "open_clip's default"
    )
    facts = {"activation": Fact("", why), "transform": Fact("", where)}
    return finish(
        model, builder, source, preprocess, ("random weights, never trained",), facts=facts
    )


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
            sibling=sibling(source.name),
            where=source.text,
        )
    config["quick_gelu"] = quick
    if "img_size" in source.options:
        config["vision_cfg"] = _of_size(config["vision_cfg"], int(source.options["img_size"]))
    return {"kind": "open_clip", "arch": source.name, "config": config}, why


def _of_size(vision: Mapping[str, Any], size: int) -> dict[str, Any]:
    """An image tower's configuration for another image size.

    Raises:
        ModelError: It is none of open_clip's own vision transformers.
    """
    if vision.get("timm_model_name") or not isinstance(vision.get("layers", 12), int):
        raise ModelError(
            "only open_clip's own vision transformers can be told another image size",
            expected="an architecture such as ViT-B-16",
            fix="leave ?img_size= out, or load the image tower alone as timm:NAME",
        )
    return {**vision, "image_size": size}


def finish(
    model: nn.Module,
    builder: dict[str, Any],
    source: Source,
    preprocess: Mapping[str, Any],
    notes: tuple[str, ...],
    *,
    head: Head | None = None,
    files: Mapping[str, str] | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> Model:
    """The Model of a filled open_clip model, with the transform of ``preprocess``.

    Args:
        model: Used up.
        builder: Of it.
        source: As the user named it.
        preprocess: open_clip's, but for the size, which is the image tower's.
        notes: For the report.
        head: The file's classifier, if any.
        files: Of its tokenizer.
        facts: Of the record; a fact without a value gets it here.
    """
    visual: Any = model.visual
    size = getattr(visual, "image_size", None) or preprocess.get("size", 224)
    parts = split(model, builder, files)
    name = f"{builder['arch']}/{source.tag}" if source.tag else builder["arch"]
    inner: Any = getattr(parts.text, "model", None)
    if getattr(inner, "logit_bias", None) is not None:
        notes = (*notes, "it has a logit bias (sigmoid loss), which no ranking of classes needs")
    transform = transform_of({**preprocess, "size": size}, name=name)
    record = ModelRecord(
        **{
            "architecture": Fact(name, "as named"),
            "tensors": Fact("none: random weights, never trained"),
            "pooling": Fact(_pooling(builder["config"]["vision_cfg"]), "open_clip's configuration"),
            "head": Fact("none" if head is None else f"kept, {len(head.class_names)} classes"),
            "text": Fact("yes", "trained as CLIP"),
            "licence": Fact("unknown", "open_clip's records have none"),
            **(facts or {}),
            "activation": Fact(activation_of(parts.encoder), _source(facts, "activation")),
            "transform": Fact(shown_transform(transform), _source(facts, "transform")),
        }
    )
    spec = ModelSpec(
        name=name,
        source=source.text,
        builder=builder,
        transform=transform,
        normalize=True,
        saw_text=True,
        notes=tuple(n for n in notes if n),
        record=record,
    )
    return parts.model(spec, head)


def _source(facts: Mapping[str, Fact] | None, name: str) -> str:
    return (facts or {}).get(name, Fact("")).source


def _pooling(vision: Mapping[str, Any]) -> str:
    """How an image tower of open_clip makes one feature of its tokens, then projects it."""
    if vision.get("timm_model_name"):
        return str(vision.get("timm_pool") or "timm's own")
    if isinstance(vision.get("layers"), (list, tuple)) or vision.get("attentional_pool"):
        return "attention pooling"
    return {"tok": "class token", "avg": "mean of patch tokens"}.get(
        vision.get("pool_type", "tok"), "none"
    )


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
    tag = records_of(arch).get(source.options.get("tag", ""), None)
    quick, why = decide(
        arch,
        fixed=config.get("quick_gelu"),
        asked=source.options.get("activation"),
        tag_says=None if tag is None else bool(tag.get("quick_gelu")),
        evidence=evidence,
        sibling=sibling(arch),
        where=f"{arch}/{source.options['tag']}" if tag is not None else file.name,
    )
    config["quick_gelu"] = quick
    openai = set(state) >= OPENAI_KEYS
    preprocess, where = preprocess_of_file(
        arch, source, beside.get("preprocess_cfg", {}), quick=quick, openai=openai
    )
    size = int(source.options["img_size"]) if "img_size" in source.options else size_of(state)
    if size and config["vision_cfg"].get("image_size", 224) != size:
        config["vision_cfg"] = _of_size(config["vision_cfg"], size)
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
    return finish(model, builder, source, preprocess, notes, head=head, facts=facts)


def fill(
    model: nn.Module, state: dict[str, Tensor], where: str, *, resize: bool = False
) -> Checked:
    """Load a state dict, in open_clip's older key layout too, or list what does not fit.

    Args:
        model: Whose weights are replaced.
        state: As read.
        where: The file, for messages.
        resize: Resample position embeddings of another size, as was asked for.
    """
    clip = library()
    state = strip_prefix(state, model.state_dict())
    state = clip.convert.convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = clip.model.convert_to_custom_text_state_dict(state)
    bias = getattr(model, "logit_bias", None)
    if bias is not None:
        state.setdefault("logit_bias", torch.zeros_like(bias))
    if resize:
        clip.model.resize_pos_embed(state, model)
    wanted = model.state_dict()
    # OpenAI's archives store the causal mask; it is derived, not a weight.
    state = {k: v for k, v in state.items() if k in wanted or not k.endswith("attn_mask")}
    checked = check_state(state, wanted, where=where, tolerate_heads=True)
    model.load_state_dict(checked.state)
    return checked


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
