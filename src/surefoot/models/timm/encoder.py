"""timm's encoders: features before the classifier, timm's own transform, and the way back."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...transforms import Interpolation, ResizeMode, TransformSpec
from ..build import Parts
from ..foreign import timm as library
from ..foreign import timm_model
from ..model import Model, ModelSpec
from ..names import Source
from ..record import Fact, make_record
from ..states import Checked, check_state, common_prefix, strip_prefix
from .records import text_fact

__all__ = ["build", "classifier_state", "fill", "finish", "transform_of"]


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The encoder of ``{"kind": "timm", "name": ..., "args": {...}}``, fresh weights.

    Its output is what timm's ``forward_head(..., pre_logits=True)`` gives: (b, d).

    Raises:
        ModelError: Its name or an argument is not passed on (:mod:`.allowed`), or timm cannot
            build it.
    """
    encoder = timm_model(builder["name"], builder.get("args"))
    return Parts(encoder, _width(encoder))


def _width(encoder: nn.Module) -> int:
    hidden = getattr(encoder, "head_hidden_size", None) or encoder.num_features
    return int(hidden)  # type: ignore[arg-type]


def fill(
    encoder: nn.Module, name: str, state: Mapping[str, Tensor], where: str, *, resize: bool = False
) -> Checked:
    """Load a state dict; where its keys are another project's, through timm's own filter.

    Args:
        encoder: Whose weights are replaced.
        name: Its architecture.
        state: As read.
        where: The file, for messages.
        resize: Let timm's filter resample position embeddings of another size, as was asked for.
    """
    wanted = encoder.state_dict()
    record: Any = getattr(encoder, "pretrained_cfg", {})
    heads = record.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    prefix = common_prefix(state, wanted)
    if prefix and prefix != "_orig_mod.":
        # A wrapped backbone: what stands beside it (DINO's head) is not part of the encoder.
        inner = {k: v for k, v in state.items() if k.startswith(prefix)}
        beside = {f"head.{k}": v for k, v in state.items() if not k.startswith(prefix)}
        state = {**strip_prefix(inner, wanted), **beside}
    else:
        state = strip_prefix(state, wanted)
    other = [k for k, v in wanted.items() if k in state and state[k].shape != v.shape]
    if not set(wanted) <= set(state) or (resize and other):
        state = _filtered(name, dict(state), encoder)
    checked = check_state(state, wanted, where=where, heads=heads, tolerate_heads=True)
    encoder.load_state_dict(checked.state)
    return checked


def _filtered(name: str, state: dict[str, Tensor], encoder: nn.Module) -> dict[str, Tensor]:
    """The state dict through the architecture's checkpoint filter in timm, where it has one."""
    entry = library().models.model_entrypoint(name)
    change = getattr(sys.modules[entry.__module__], "checkpoint_filter_fn", None)
    if change is None:
        return state
    try:
        changed: dict[str, Tensor] = change(dict(state), encoder)
    except (KeyError, RuntimeError, AttributeError, IndexError, TypeError, ValueError):
        return state
    return changed


def finish(
    encoder: nn.Module,
    source: Source,
    name: str,
    tag: str,
    notes: tuple[str, ...] = (),
    *,
    data: Mapping[str, Any] | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> Model:
    """The Model of a filled encoder, with timm's transform for it.

    Args:
        encoder: Without a classifier.
        source: As the user named it.
        name: Architecture.
        tag: "" where none is known.
        notes: For the report.
        data: In place of the encoder's own record of how images are shown to it.
        facts: Of the record, where something other than timm says them.
    """
    record: Any = getattr(encoder, "pretrained_cfg", {}) or {}
    config = library().data.resolve_data_config(dict(data or {}), model=encoder)
    transform, about = transform_of(config)
    built: Mapping[str, Any] = getattr(encoder, "_model_args", None) or {}
    full = f"{name}.{tag}" if tag else name
    pooling = pooling_fact(encoder, asked="global_pool" in source.options)
    if "?global_pool" in pooling.source:
        about = (*about, f"features are the {pooling.value} ({pooling.source})")
    licence = str(record.get("license") or "unknown")
    said = f"timm's record of {full}"
    about_weights = make_record(
        encoder,
        transform,
        facts or {},
        architecture=Fact(full, "as named"),
        activation=Fact("", f"timm's {name}"),
        transform=Fact("", said),
        pooling=pooling,
        text=text_fact(name, tag),
        licence=Fact(licence, said),
    )
    spec = ModelSpec(
        name=full,
        source=source.text,
        builder={
            "kind": "timm",
            "name": name,
            "tag": tag,
            "args": {k: v for k, v in built.items() if k != "num_classes"},
        },
        transform=transform,
        normalize=False,
        saw_text=about_weights.saw_text,
        licence=licence,
        notes=tuple(n for n in (*notes, *about) if n),
        record=about_weights,
    )
    return Parts(encoder, _width(encoder)).model(spec)


def pooling_fact(encoder: Any, *, asked: bool) -> Fact:
    """How tokens or a feature map become one feature."""
    pool = _pool_type(encoder)
    words = {"token": "class token", "avg": "mean", "map": "attention pooling", "": "none"}
    value = "unknown" if pool is None else words.get(pool, pool)
    has_class = getattr(encoder, "cls_token", None) is not None
    if asked:
        return Fact(value, "as asked for")
    if pool == "avg" and has_class:
        source = "timm's; ?global_pool=token takes the class token, as transformers does of DINO's"
        return Fact("mean of patch tokens", source)
    return Fact(value, "timm's")


def _pool_type(encoder: Any) -> str | None:
    """What timm calls it, wherever the architecture keeps it."""
    for place in (encoder, getattr(encoder, "head", None)):
        for name in ("global_pool", "pool_type"):
            found = getattr(place, name, None)
            found = found if isinstance(found, str) else getattr(found, "pool_type", None)
            if isinstance(found, str):
                return found
    return None


def transform_of(data: Mapping[str, Any]) -> tuple[TransformSpec, tuple[str, ...]]:
    """A data configuration of timm as a TransformSpec, and what it cannot say of it.

    Args:
        data: As ``timm.data.resolve_data_config`` returns it.
    """
    height, width = (int(n) for n in data["input_size"][1:])
    notes: tuple[str, ...] = ()
    mode: ResizeMode = "squash" if data["crop_mode"] == "squash" else "shortest"
    if data["crop_mode"] == "border":
        notes = ("timm pads its evaluation images to a square; here they are cropped",)
    if height != width and mode != "squash":
        notes = (f"its input is {height} x {width}; here images are squashed to it",)
        mode = "squash"
    named = data["interpolation"]
    interpolation: Interpolation = "bicubic" if named == "random" else named
    spec = TransformSpec(
        size=(height, width),
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        interpolation=interpolation,
        resize=math.floor(height / data["crop_pct"]),
        resize_mode=mode,
    )
    return spec, notes


def classifier_state(model: Model) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict of a timm model in timm's keys, and the class names, if the head is in it.

    timm's classifiers are one linear layer on raw features: a head on l2-normalised features, or
    an architecture with two classifiers, cannot be said in one; it stays out, and no class is
    named.
    """
    state = {k: v.detach() for k, v in model.encoder.state_dict().items()}
    head = model.head
    record: Any = getattr(model.encoder, "pretrained_cfg", None) or {}
    name = record.get("classifier")
    if head is None or head.normalize or not isinstance(name, str):
        return state, ()
    like = _classifier(model, name, len(head.class_names))
    if like is None:
        return state, ()
    state[f"{name}.weight"] = head.weight.detach().reshape(like.shape)
    state[f"{name}.bias"] = head.bias.detach()
    return state, head.class_names


def _classifier(model: Model, name: str, classes: int) -> Tensor | None:
    """The library's classifier weight for this many classes: (classes, d), or 1 x 1 convolution."""
    builder = model.spec.builder
    whole = timm_model(builder["name"], builder.get("args"), classes=classes).state_dict()
    weight: Tensor | None = whole.get(f"{name}.weight")
    right = weight is not None and weight.numel() == classes * model.feature_dim
    expected = set(model.encoder.state_dict()) | {f"{name}.weight", f"{name}.bias"}
    return weight if right and set(whole) == expected else None
