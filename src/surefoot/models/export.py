"""A model in the files of open_clip, timm, transformers, or plain safetensors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ..errors import ModelError
from ..records import write_atomic
from ..weights import write_safetensors
from .foreign import hf_model, timm
from .hf.towers import to_hf_state
from .hf.transform import write_transform
from .model import Model
from .open_clip.towers import preprocess_of, to_open_clip_state
from .save import save_model, text_files
from .timm.encoder import classifier_state

__all__ = ["Target", "export"]

Target = Literal["open_clip", "timm", "hf", "safetensors"]


def export(model: Model, path: str | os.PathLike[str], to: Target) -> list[Path]:
    """Write a model so that another library loads it back.

    =============  ===============================================================================
    open_clip      a folder: ``open_clip_model.safetensors`` (for ``create_model(arch,
                   pretrained=FILE)``) and ``open_clip_config.json`` (for ``local-dir:FOLDER``)
    timm           a folder for ``timm.create_model("local-dir:FOLDER", pretrained=True)``, the
                   head in it where it is linear on raw features
    hf             a folder for ``AutoModel.from_pretrained``, with processor and tokenizer
    safetensors    one file that surefoot rebuilds alone and any safetensors reader opens
    =============  ===============================================================================

    A head that the library's format cannot hold lies beside it as ``head.safetensors`` (``weight``
    (classes, d), ``bias``; its metadata name the classes and whether it normalises features first).

    Args:
        model: What to write.
        path: A folder, made if missing; a file for safetensors.
        to: The format.

    Returns:
        The files written.

    Raises:
        ModelError: The architecture does not exist in that library.
    """
    writers: dict[str, Callable[[Model, Path], list[Path]]] = {
        "open_clip": _open_clip,
        "timm": _timm,
        "hf": _hf,
        "safetensors": _safetensors,
    }
    if to not in writers:
        raise ModelError(f"there is no export to {to!r}", expected=f"one of {', '.join(writers)}")
    if "adapter" in model.spec.builder and to != "safetensors":
        raise ModelError(
            f"{model.spec.name} carries an adapter, which {to} does not have",
            expected="a plain model",
            fix="fold it first (surefoot.models.adapters.fold), or export to safetensors",
        )
    kind = model.spec.builder.get("kind")
    if to not in ("safetensors", kind):
        raise ModelError(
            f"{model.spec.name} is a model of the kind {kind!r}, which {to} does not have",
            expected=f"to={'safetensors' if kind not in writers else kind!r}",
            fix="export it to safetensors, which every model can be",
        )
    return writers[to](model, Path(path))


def _safetensors(model: Model, path: Path) -> list[Path]:
    if path.suffix != ".safetensors":
        path = path / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, path)
    return [path]


def _open_clip(model: Model, folder: Path) -> list[Path]:
    state = to_open_clip_state(model)
    arch = model.spec.builder["arch"]
    config = {
        "architecture": arch,
        "model_cfg": dict(model.spec.builder["config"]),
        "preprocess_cfg": preprocess_of(model.spec.transform),
    }
    files = {"open_clip_config.json": _json(config), **text_files(model)}
    return _folder(folder, state, "open_clip_model.safetensors", files, model)


def _timm(model: Model, folder: Path) -> list[Path]:
    builder = model.spec.builder
    state, classes = classifier_state(model)
    full = f"{builder['name']}.{builder['tag']}" if builder.get("tag") else builder["name"]
    record: Any = timm().get_pretrained_cfg(full) or timm().get_pretrained_cfg(builder["name"])
    about = record.to_dict(remove_source=True) if record is not None else {}
    spec = model.spec.transform
    about.update(
        input_size=[3, *spec.size],
        mean=list(spec.mean),
        std=list(spec.std),
        interpolation=spec.interpolation,
        num_classes=len(classes),
    )
    config = {
        "architecture": builder["name"],
        "num_classes": len(classes),
        "num_features": model.feature_dim,
        "pretrained_cfg": about,
        "model_args": dict(builder.get("args") or {}),
    }
    if classes:
        config["label_names"] = list(classes)
    files = {"config.json": _json(config)}
    return _folder(folder, state, "model.safetensors", files, model, head=not classes)


def _hf(model: Model, folder: Path) -> list[Path]:
    state = to_hf_state(model)
    builder = model.spec.builder
    shell: Any = hf_model(builder["config"])
    shell.load_state_dict(state)
    config = json.loads(shell.config.to_json_string(use_diff=False))
    config["architectures"] = [type(shell).__name__]
    kind = builder["config"]["model_type"]
    files = {
        "config.json": _json(config),
        "preprocessor_config.json": _json(write_transform(model.spec.transform, kind)),
        **text_files(model),
    }
    return _folder(folder, shell.state_dict(), "model.safetensors", files, model)


def _folder(
    folder: Path,
    state: Mapping[str, Tensor],
    weights: str,
    files: Mapping[str, str],
    model: Model,
    *,
    head: bool = True,
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    notes = {"notes": json.dumps(list(model.spec.notes))} if model.spec.notes else {}
    write_safetensors(folder / weights, state, {"format": "pt", **notes})
    written = [folder / weights]
    for name, text in files.items():
        write_atomic(folder / Path(name).name, text)
        written.append(folder / Path(name).name)
    if head and model.head is not None:
        about = {
            "format": "pt",
            "class_names": json.dumps(list(model.head.class_names)),
            "normalize": json.dumps(model.head.normalize),
        }
        tensors = {"weight": model.head.weight, "bias": model.head.bias}
        write_safetensors(folder / "head.safetensors", tensors, about)
        written.append(folder / "head.safetensors")
    return written


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
