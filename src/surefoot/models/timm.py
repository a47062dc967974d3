"""timm's encoders: features before the classifier, timm's own transform, and the way back."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from ..transforms import Interpolation, ResizeMode, TransformSpec
from .foreign import timm as library
from .foreign import timm_model
from .model import Model, ModelSpec
from .names import Source
from .parts import Parts
from .states import check_state, common_prefix, strip_prefix

__all__ = ["build", "fill", "finish", "names", "transform_of"]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Every architecture that timm lists."""
    return tuple(library("timm models").list_models())


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


def fill(encoder: nn.Module, name: str, state: Mapping[str, Tensor], where: str) -> tuple[str, ...]:
    """Load a state dict; where its keys are another project's, through timm's own filter."""
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
    if not set(wanted) <= set(state):
        state = _filtered(name, dict(state), encoder)
    checked = check_state(state, wanted, where=where, heads=heads, tolerate_heads=True)
    encoder.load_state_dict(checked.state)
    return checked.notes


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
    encoder: nn.Module, source: Source, name: str, tag: str, notes: tuple[str, ...]
) -> Model:
    """The Model of a filled encoder, with timm's transform for it."""
    timm = library()
    record: Any = getattr(encoder, "pretrained_cfg", {}) or {}
    transform, about = transform_of(timm.data.resolve_data_config({}, model=encoder))
    args = {
        k: v for k, v in (getattr(encoder, "_model_args", None) or {}).items() if k != "num_classes"
    }
    full = f"{name}.{tag}" if tag else name
    spec = ModelSpec(
        name=full,
        source=source.text,
        builder={"kind": "timm", "name": name, "tag": tag, "args": args},
        transform=transform,
        normalize=False,
        saw_text=any(part in full for part in ("clip", "siglip", "eva02_enormous", "mobileclip")),
        licence=str(record.get("license") or "unknown"),
        notes=tuple(n for n in (*notes, *about) if n),
    )
    return Parts(encoder, _width(encoder)).model(spec)


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
