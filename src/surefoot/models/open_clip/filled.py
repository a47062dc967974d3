"""An open_clip model and a state dict -> the Model, with transform and record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ..foreign import open_clip as library
from ..heads import Head
from ..model import Model, ModelSpec
from ..names import Source
from ..record import Fact, make_record
from ..states import Checked, check_state, strip_prefix
from .towers import split, transform_of

__all__ = ["fill", "finish", "of_size"]


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


def finish(
    model: nn.Module,
    builder: dict[str, Any],
    source: Source,
    preprocess: Mapping[str, Any],
    notes: tuple[str, ...],
    facts: Mapping[str, Fact],
    *,
    head: Head | None = None,
    files: Mapping[str, str] | None = None,
) -> Model:
    """The Model of a filled open_clip model, with the transform of ``preprocess``.

    Args:
        model: Used up.
        builder: Of it.
        source: As the user named it.
        preprocess: open_clip's, but for the size, which is the image tower's.
        notes: For the report.
        facts: As :func:`make_record` takes them.
        head: The file's classifier, if any.
        files: Of its tokenizer.
    """
    visual: Any = model.visual
    size = getattr(visual, "image_size", None) or preprocess.get("size", 224)
    parts = split(model, builder, files)
    name = f"{builder['arch']}/{source.tag}" if source.tag else builder["arch"]
    inner: Any = getattr(parts.text, "model", None)
    if getattr(inner, "logit_bias", None) is not None:
        notes = (*notes, "it has a logit bias (sigmoid loss), which no ranking of classes needs")
    transform = transform_of({**preprocess, "size": size}, name=name)
    record = make_record(
        parts.encoder,
        transform,
        facts,
        architecture=Fact(name, "as named"),
        pooling=Fact(_pooling(builder["config"]["vision_cfg"]), "open_clip's configuration"),
        text=Fact("yes", "trained as CLIP"),
        licence=Fact("unknown", "open_clip's records have none"),
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


def _pooling(vision: Mapping[str, Any]) -> str:
    """How an image tower of open_clip makes one feature of its tokens, then projects it."""
    if vision.get("timm_model_name"):
        return str(vision.get("timm_pool") or "timm's own")
    if isinstance(vision.get("layers"), (list, tuple)) or vision.get("attentional_pool"):
        return "attention pooling"
    return {"tok": "class token", "avg": "mean of patch tokens"}.get(
        vision.get("pool_type", "tok"), "none"
    )


def of_size(vision: Mapping[str, Any], size: int) -> dict[str, Any]:
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
