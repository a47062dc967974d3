"""Which open_clip architecture a CLIP state dict belongs to, read from its shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import CheckpointError
from ..foreign import open_clip

__all__ = ["config_of", "shapes_of", "size_of"]


def config_of(
    state: Mapping[str, Tensor], arch: str | None, beside: Mapping[str, Any], *, file: Path
) -> tuple[str, dict[str, Any]]:
    """The architecture's name and configuration for a state dict.

    Args:
        state: CLIP's keys, prefix taken off.
        arch: What the user named, or None.
        beside: Content of an ``open_clip_config.json`` beside the file, or empty.
        file: For messages.

    Raises:
        CheckpointError: No architecture named, and the shapes belong to none that is known.
    """
    clip = open_clip(str(file))
    if arch is not None:
        config: dict[str, Any] = clip.get_model_config(arch)
        if "model_cfg" in beside and "quick_gelu" in beside["model_cfg"]:
            config.setdefault("quick_gelu", beside["model_cfg"]["quick_gelu"])
        return arch, config
    if "model_cfg" in beside:
        return str(beside.get("architecture", file.stem)), dict(beside["model_cfg"])
    shapes = shapes_of(state)
    if shapes:
        for name in clip.list_models():
            config = clip.get_model_config(name)
            if not name.endswith("-quickgelu") and _matches(config, shapes):
                return name, config
        if "input_resolution" in state:
            return file.stem, _openai(shapes)
    raise CheckpointError(
        f"the shapes in {file} belong to no architecture that open_clip lists",
        expected="a known CLIP",
        fix="name it: surefoot.load(file, architecture='open_clip:NAME')",
    )


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Widths and depths of a CLIP with a native image tower, empty where it has another one."""
    text = "text." if "text.token_embedding.weight" in state else ""
    if f"{text}token_embedding.weight" not in state or f"{text}text_projection" not in state:
        return {}
    found: dict[str, Any] = {
        "embed_dim": state[f"{text}text_projection"].shape[1],
        "context_length": state[f"{text}positional_embedding"].shape[0],
        "vocab_size": state[f"{text}token_embedding.weight"].shape[0],
        "text_width": state[f"{text}ln_final.weight"].shape[0],
        "text_layers": _count(state, f"{text}transformer.resblocks."),
    }
    if "visual.conv1.weight" not in state:
        return {}
    if "visual.proj" in state and "visual.positional_embedding" in state:
        conv = state["visual.conv1.weight"]
        found.update(
            layers=_count(state, "visual.transformer.resblocks."),
            width=conv.shape[0],
            patch_size=conv.shape[-1],
            image_size=size_of(state),
        )
        return found
    if "visual.attnpool.positional_embedding" in state:
        grid = round((state["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
        found.update(
            layers=tuple(_count(state, f"visual.layer{i}.") for i in (1, 2, 3, 4)),
            width=state["visual.layer1.0.conv1.weight"].shape[0],
            patch_size=None,
            image_size=grid * 32,
        )
        return found
    return {}


def size_of(state: Mapping[str, Tensor]) -> int:
    """Image size of a vision transformer with a class token, in pixels; 0 where not told."""
    position, patches = (state.get(f"visual.{k}") for k in ("positional_embedding", "conv1.weight"))
    if position is None or patches is None or patches.ndim != 4:
        return 0
    grid = math.isqrt(position.shape[0] - 1)
    return grid * int(patches.shape[-1]) if grid**2 == position.shape[0] - 1 else 0


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({k[len(prefix) :].split(".")[0] for k in state if k.startswith(prefix)})


def _matches(config: Mapping[str, Any], shapes: Mapping[str, Any]) -> bool:
    clip = open_clip("CLIP")
    if "multimodal_cfg" in config or config["text_cfg"].get("hf_model_name"):
        return False
    vision = clip.CLIPVisionCfg(**config["vision_cfg"])
    text = clip.CLIPTextCfg(**config["text_cfg"])
    if vision.timm_model_name:
        return False
    layers = tuple(vision.layers) if isinstance(vision.layers, (list, tuple)) else vision.layers
    resnet = isinstance(layers, tuple)
    own = {
        "embed_dim": config["embed_dim"],
        "context_length": text.context_length,
        "vocab_size": text.vocab_size,
        "text_width": text.width,
        "text_layers": text.layers,
        "layers": layers,
        "width": vision.width,
        "patch_size": None if resnet else vision.patch_size,
        "image_size": vision.image_size,
    }
    # Options that leave no trace in the shapes (pooling, masks) must be CLIP's own.
    plain = text.pool_type == "argmax" and not text.no_causal_mask and vision.pool_type == "tok"
    return plain and all(own[key] == value for key, value in shapes.items())


def _openai(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's own rule: 64 channels per attention head, text and image."""
    vision = {k: shapes[k] for k in ("layers", "width", "image_size")}
    if shapes["patch_size"] is not None:
        vision["patch_size"] = shapes["patch_size"]
    return {
        "embed_dim": shapes["embed_dim"],
        "vision_cfg": vision,
        "text_cfg": {
            "context_length": shapes["context_length"],
            "vocab_size": shapes["vocab_size"],
            "width": shapes["text_width"],
            "heads": max(1, shapes["text_width"] // 64),
            "layers": shapes["text_layers"],
        },
    }
