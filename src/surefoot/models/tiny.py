"""tiny-clip and tiny-dino: the pretrained models that ship with the package, for laptops.

A vision transformer of 2.9 million parameters for 32 px icons, once trained with language
(``tiny-clip``) and once without labels or text (``tiny-dino``). They stand in for CLIP and DINO
where no large checkpoint can be had; their cards lie beside the weights in ``builtin/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError
from ..transforms import TransformSpec
from .allowed import TinyImage, listed
from .allowed import TinyText as TextSizes
from .build import Parts
from .model import Model, ModelSpec
from .save import load_saved, save_model
from .tiny_towers import TinyText, image_tower

__all__ = [
    "BUILTIN",
    "build",
    "clip_spec",
    "dino_spec",
    "load_tiny_clip",
    "load_tiny_dino",
    "save_tiny",
]

BUILTIN = Path(__file__).parent / "builtin"
TOKENIZER = "tiny_clip_tokenizer.json"

_IMAGE = {"size": 32, "dim": 192, "depth": 6, "heads": 3, "channels": [32, 64]}
_TEXT = {"vocab": 4096, "context": 16, "dim": 128, "depth": 2, "heads": 2}

# Icons are drawn on white: shapes survive mirroring seldom ("arrow left"), so no flip.
_TRANSFORM = TransformSpec(
    size=(32, 32),
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    resize=32,
    resize_mode="longest",
    fill=255,
    train_scale=(0.7, 1.0),
)


def clip_spec() -> ModelSpec:
    """The spec of tiny-clip; reads the tokenizer to fix its fingerprint."""
    return ModelSpec(
        name="tiny-clip",
        source="tiny-clip",
        builder={
            "kind": "tiny-clip",
            "image": dict(_IMAGE),
            "text": dict(_TEXT),
            "joint": 256,
            "tokenizer": _fingerprint(BUILTIN / TOKENIZER),
        },
        transform=_TRANSFORM,
        normalize=True,
        saw_text=True,
        licence="Apache-2.0",
        notes=("Pretrained on named icons and sketches only; see builtin/tiny_clip.md.",),
    )


def dino_spec() -> ModelSpec:
    """The spec of tiny-dino."""
    return ModelSpec(
        name="tiny-dino",
        source="tiny-dino",
        builder={"kind": "tiny-dino", "image": dict(_IMAGE)},
        transform=_TRANSFORM,
        normalize=False,
        saw_text=False,
        licence="Apache-2.0",
        notes=(
            "Pretrained without labels or text on icons and sketches; see builtin/tiny_dino.md.",
        ),
    )


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The bare modules, with fresh weights, of a builder record of either tiny model.

    tiny-clip: features (b, joint) after the projection. tiny-dino: features (b, dim), the mean
    of the tokens after the last LayerNorm.

    Args:
        builder: Of either model.
        files: Of a saved model, name -> content; its tokenizer goes before the package's.

    Raises:
        CheckpointError: The tokenizer is missing or is not the one the weights were trained with.
    """
    image = listed(TinyImage, builder["image"], f"the image tower of {builder['kind']}")
    if builder["kind"] == "tiny-dino":
        return Parts(image_tower(**image, out=0), image["dim"])
    joint = int(builder["joint"])
    content = (files or {}).get(TOKENIZER)
    sizes = listed(TextSizes, builder["text"], "the text tower of tiny-clip")
    text = TinyText(BUILTIN / TOKENIZER, content=content, out=joint, **sizes)
    if _digest(text.files[TOKENIZER].encode()) != builder["tokenizer"]:
        raise CheckpointError(
            f"the tokenizer {TOKENIZER} is not the one that this tiny-clip was trained with",
            expected=f"a file whose fingerprint is {builder['tokenizer']}",
            fix="use the version of surefoot that wrote the weights",
        )
    # CLIP's first temperature, 0.07 (arXiv 2103.00020, section 2.5).
    scale = torch.tensor(1 / 0.07).log()
    return Parts(image_tower(**image, out=joint), joint, text, scale)


def load_tiny_clip() -> Model:
    """The image-text model: zero-shot heads work, features are (b, 256).

    Raises:
        CheckpointError: The weights are not in the package, or do not fit.
    """
    return _load("tiny_clip.safetensors")


def load_tiny_dino() -> Model:
    """The self-supervised model: no text tower, no head, features (b, 192).

    Raises:
        CheckpointError: The weights are not in the package, or do not fit.
    """
    return _load("tiny_dino.safetensors")


def save_tiny(model: Model, path: str | Path) -> None:
    """Write a tiny model in half precision, which the loaders widen again.

    Without its tokenizer, which lies beside the built-in weights and is named in them by its
    fingerprint.
    """
    half = model.clone().half()
    if isinstance(half.text, TinyText):
        half.text.files.clear()
    save_model(half, path)


def _load(name: str) -> Model:
    file = BUILTIN / name
    if not file.is_file():
        raise CheckpointError(
            f"the weights {name} are not in this installation of surefoot",
            expected=f"the file {file}",
            fix=f"install surefoot again, or train them with tools/pretrain_{file.stem}.py",
        )
    return load_saved(file).float().eval()


def _fingerprint(file: Path) -> str:
    """16 hexadecimal digits of a file's SHA-256, or "" for a missing file."""
    return _digest(file.read_bytes()) if file.is_file() else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
