"""transformers folders and hub repositories -> Model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError
from .downloads import hub_folder
from .foreign import IMAGE_TEXT, hf_pretrained
from .hf_transform import read_transform
from .huggingface import IMAGE_ONLY, split
from .model import Model, ModelSpec
from .names import Source

__all__ = ["from_folder", "from_hub"]


def from_folder(folder: Path, source: Source) -> Model:
    """A folder that ``save_pretrained`` wrote.

    Raises:
        ModelError: A model type that is not understood.
        CheckpointError: Weights missing, of other shapes, or not finite.
    """
    try:
        model, about = hf_pretrained(folder, IMAGE_TEXT)
    except (OSError, RuntimeError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{folder} cannot be read: {error}", expected="config.json and model.safetensors"
        ) from error
    _require_whole(model, about, folder)
    config = json.loads(model.config.to_json_string(use_diff=False))
    kind = config["model_type"]
    text = kind not in IMAGE_ONLY
    spec = ModelSpec(
        name=folder.resolve().name if source.scheme != "hf-hub" else source.name.split("/")[-1],
        source=source.text,
        builder={"kind": "hf", "config": config},
        transform=read_transform(folder, kind, config),
        normalize=text,
        saw_text=text,
    )
    return split(model, config, folder).model(spec)


def _require_whole(model: nn.Module, about: Mapping[str, Any], folder: Path) -> None:
    problems = [f"missing: {key}" for key in sorted(about["missing_keys"])]
    problems += [f"shape: {' '.join(map(str, m))}" for m in sorted(about["mismatched_keys"])]
    problems += [
        f"not finite: {key}"
        for key, value in model.state_dict().items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if problems:
        listed = "".join(f"\n    {p}" for p in problems)
        raise CheckpointError(
            f"the weights in {folder} do not fit its config.json, {len(problems)} mismatches:"
            f"{listed}",
            expected="every key of the architecture, all values finite",
            fix="fetch the folder again, or mend config.json",
        )


def from_hub(source: Source) -> Model:
    """A hub repository of transformers, as a folder in the cache.

    Raises:
        DownloadUnavailable: Not cached, and no network.
    """
    instead = "surefoot.load('/folder/of/the/repository')"
    patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
    folder = hub_folder(source.name, patterns, instead=instead)
    if not any(folder.glob("*.safetensors")):
        folder = hub_folder(source.name, [*patterns[:-1], "pytorch_model*.bin"], instead=instead)
    return from_folder(folder, source)
