"""transformers' preprocessor_config.json <-> TransformSpec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...transforms import IMAGENET_MEAN, IMAGENET_STD, Interpolation, TransformSpec

__all__ = ["read_transform", "write_transform"]

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_RESAMPLE: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
_NAMES = {
    "clip": "CLIPImageProcessor",
    "align": "EfficientNetImageProcessor",
    "siglip": "SiglipImageProcessor",
    "dinov2": "BitImageProcessor",
    "dinov3_vit": "DINOv3ViTImageProcessorFast",
}


def read_transform(folder: Path, kind: str, config: Mapping[str, Any]) -> TransformSpec:
    """The transform of a folder, or its model type's own where the folder does not say.

    Args:
        folder: With ``preprocessor_config.json`` or ``processor_config.json``, or neither.
        kind: ``model_type``.
        config: The model's configuration.
    """
    size = int((config.get("vision_config") or config)["image_size"])
    said: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            read = json.loads((folder / name).read_text(encoding="utf-8"))
            said = read.get("image_processor", read)
    about = {**_default(kind, size), **{k: v for k, v in said.items() if v is not None}}
    return _spec(about, size)


def _default(kind: str, size: int) -> dict[str, Any]:
    square = {"height": size, "width": size}
    if kind == "clip":
        mean, std, resize = _CLIP_MEAN, _CLIP_STD, {"shortest_edge": size}
    elif kind == "dinov2":
        # Its configuration's image size is 518, at which it was pretrained last; it is used at 224.
        size = min(size, 224)
        square = {"height": size, "width": size}
        mean, std, resize = IMAGENET_MEAN, IMAGENET_STD, {"shortest_edge": round(size * 256 / 224)}
    elif kind == "dinov3_vit":
        mean, std, resize = IMAGENET_MEAN, IMAGENET_STD, square
    else:
        mean, std, resize = (0.5,) * 3, (0.5,) * 3, square
    return {
        "size": resize,
        "crop_size": square,
        "do_center_crop": kind in ("clip", "dinov2"),
        "resample": 2 if kind in ("align", "dinov3_vit") else 3,
        "image_mean": mean,
        "image_std": std,
        "do_normalize": True,
        "rescale_factor": 1 / 255,
    }


def _spec(about: Mapping[str, Any], model_size: int) -> TransformSpec:
    size, crop = about["size"], about["crop_size"]
    size = {"shortest_edge": size} if isinstance(size, int) else size
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
    shortest = size.get("shortest_edge")
    if about.get("do_center_crop"):
        final = (int(crop["height"]), int(crop["width"]))
    elif shortest:
        final = (int(shortest), int(shortest))
    else:
        final = (int(size.get("height", model_size)), int(size.get("width", model_size)))
    if final[0] > 0 and about.get("do_resize", True):
        resize = int(shortest or size.get("height", final[0]))
    else:
        resize = None
    mean, std = tuple(about["image_mean"]), tuple(about["image_std"])
    if not about["do_normalize"]:
        mean, std = (0.0,) * 3, (1.0,) * 3
    if about.get("rescale_offset"):
        # EfficientNet's processor: x / 127.5 - 1 before any normalisation.
        mean = tuple((m + 1) / 2 for m in mean)
        std = tuple(s / 2 for s in std)
    return TransformSpec(
        size=final,
        mean=mean,
        std=std,
        interpolation=_RESAMPLE.get(int(about["resample"]), "bicubic"),
        resize=resize,
        resize_mode="shortest" if shortest else "squash",
    )


def write_transform(spec: TransformSpec, kind: str) -> dict[str, Any]:
    """``preprocessor_config.json`` of a transform."""
    height, width = spec.size
    resize = spec.resize or height
    codes = {name: code for code, name in _RESAMPLE.items()}
    shortest = spec.resize_mode == "shortest"
    return {
        "image_processor_type": _NAMES[kind],
        "do_resize": spec.resize is not None,
        "size": {"shortest_edge": resize} if shortest else {"height": resize, "width": resize},
        "do_center_crop": shortest or resize != height,
        "crop_size": {"height": height, "width": width},
        "resample": codes[spec.interpolation],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(spec.mean),
        "image_std": list(spec.std),
    }
