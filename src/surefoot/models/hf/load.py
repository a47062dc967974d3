"""transformers folders and hub repositories -> Model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, ModelError
from ...transforms import TransformSpec
from ..downloads import hub_folder
from ..foreign import IMAGE_TEXT, hf_pretrained
from ..model import Model, ModelSpec
from ..names import Source
from ..record import Fact, make_record, settle
from .towers import IMAGE_ONLY, split
from .transform import read_transform

__all__ = ["from_folder", "from_hub"]


def from_folder(folder: Path, source: Source) -> Model:
    """A folder that ``save_pretrained`` wrote.

    Raises:
        ModelError: A model type that is not understood.
        CheckpointError: Weights missing, of other shapes, or not finite.
    """
    source.allow("mean", "std", "img_size", "global_pool", what="a folder of transformers")
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
    pooling = _pooling(kind, source)
    transform, where = _transform(folder, kind, config, source)
    left = sorted(about["unexpected_keys"])
    said = f"config.json of {folder.name}"
    notes = (f"{len(left)} tensors of the file were left out ({', '.join(left[:4])})",)
    averaged = source.options.get("global_pool") == "avg"
    builder = {"kind": "hf", "config": config, **({"pooling": "avg"} if averaged else {})}
    kept = len(model.state_dict())
    architecture = type(model).__name__
    parts = split(model, config, folder, pooling="avg" if averaged else "token")
    facts = {
        "architecture": Fact(architecture, said),
        "tensors": Fact(f"{kept} taken", folder.name),
        "activation": Fact("", said),
        "transform": Fact("", where),
        "pooling": pooling,
        "head": Fact(f"left out: {', '.join(left[:4])}" if left else "none", folder.name),
        "text": Fact("yes" if text else "no", f"the type {kind}"),
    }
    spec = ModelSpec(
        name=folder.resolve().name if source.scheme != "hf-hub" else source.name.split("/")[-1],
        source=source.text,
        builder=builder,
        transform=transform,
        normalize=text,
        saw_text=text,
        notes=notes if left else (),
        record=make_record(parts.encoder, transform, facts),
    )
    return parts.model(spec)


def _pooling(kind: str, source: Source) -> Fact:
    """How tokens become one feature.

    Raises:
        ModelError: Another way was asked for than the model has.
    """
    asked = source.options.get("global_pool")
    if kind not in IMAGE_ONLY:
        if asked is not None:
            raise ModelError(
                f"features of {kind} are those that its text tower was trained with",
                fix="leave ?global_pool= out",
            )
        return Fact("the model's own, then its projection", "transformers' pooler_output")
    if asked not in (None, "token", "avg"):
        raise ModelError(f"{kind} has no pooling {asked!r}", expected="token or avg")
    if asked is not None:
        value = "class token" if asked == "token" else "mean of patch tokens"
        return Fact(value, "as asked for")
    return Fact("class token", "transformers' pooler_output; ?global_pool=avg for the patches")


def _transform(
    folder: Path, kind: str, config: Mapping[str, Any], source: Source
) -> tuple[TransformSpec, str]:
    """How images are shown to the model, and where that was read.

    Raises:
        ModelError: A size was asked for, and the model has one alone.
    """
    spec = read_transform(folder, kind, config)
    file = next((n for n in ("preprocessor_config.json", "processor_config.json")
                 if (folder / n).is_file()), None)  # fmt: skip
    where = file or f"transformers' own for {kind}, as no file says"
    record = {"mean": spec.mean, "std": spec.std}
    asked, where = settle(kind, {"": record}, record, source.options, where)
    if "img_size" in source.options:
        if kind not in IMAGE_ONLY:
            raise ModelError(f"{kind} takes images of one size", fix="leave ?img_size= out")
        size = int(source.options["img_size"])
        resize = None if spec.resize is None else round(spec.resize * size / spec.size[0])
        asked |= {"size": (size, size), "resize": resize}
        where = f"size as asked for, the rest from {where}"
    return spec.changed(**asked), where


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
