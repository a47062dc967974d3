"""A model in one safetensors file, complete: weights, spec, head, tokenizer."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ..errors import CheckpointError
from ..weights import write_safetensors
from .build import build
from .heads import Head
from .model import Model, ModelSpec
from .states import check_state
from .tokenizer_files import checked_files

__all__ = ["FORMAT", "load_for_use", "load_saved", "read_metadata", "save_model"]

FORMAT = 2
"""Version of the metadata; readers accept this and everything older. 2: the spec has a record."""

_KEY = "surefoot"


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model so that it can be rebuilt from this file alone, whole or not at all.

    The tensors are those of ``model.state_dict()`` (``encoder.*``, ``text.*``, ``head.*``,
    ``logit_scale``), bit for bit; the metadata key ``surefoot`` holds JSON: ``spec``, ``head``,
    ``feature_dim``, ``files`` (a tokenizer, where the text tower carries one).
    """
    head = model.head
    about = {
        "format": 1 if model.spec.record is None else FORMAT,
        "spec": model.spec.to_json(),
        "feature_dim": model.feature_dim,
        "head": None if head is None else _head_json(head),
        "files": text_files(model),
    }
    metadata = {"format": "pt", _KEY: json.dumps(about, sort_keys=True)}
    write_safetensors(path, model.state_dict(), metadata)


def load_saved(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> Model:
    """Read what :func:`save_model` wrote, bit for bit, in evaluation mode.

    Raises:
        CheckpointError: Not such a file, of a newer format, or its tensors do not fit its spec.
    """
    about = read_metadata(path)
    if about is None:
        raise CheckpointError(
            f"{path} was not written by surefoot",
            expected="a safetensors file with the metadata key 'surefoot'",
            fix="name its architecture: surefoot.load(file, architecture='open_clip:ViT-B-16')",
        )
    spec = ModelSpec.from_json(about["spec"])
    files = checked_files(about.get("files") or {}, str(path))
    parts = build(spec.builder, files=files)
    state = load_file(os.fspath(path))
    model = parts.model(spec, _empty_head(about["head"], state))
    if "logit_scale" not in state:
        model.logit_scale = None
    if not any(key.startswith("text.") for key in state):
        model.text = None
    model.feature_dim = int(about["feature_dim"])
    checked = check_state(state, model.state_dict(), where=str(path), finite=False)
    model.load_state_dict(checked.state, assign=True)
    return model.to(device).eval()


def load_for_use(path: str | os.PathLike[str]) -> Model:
    """Read what :func:`save_model` wrote, to compute with it: float32, all values finite.

    Raises:
        CheckpointError: As :func:`load_saved`; or NaN or infinity, with the tensors.
    """
    model = load_saved(path)
    state = model.state_dict()
    bad = [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        listed = ", ".join(bad[:4]) + (", ..." if len(bad) > 4 else "")
        raise CheckpointError(
            f"{path} holds NaN or infinite values in {len(bad)} of {len(state)} tensors ({listed})",
            expected="finite weights",
            fix="train again with a smaller learning rate, or repair the file",
        )
    formats = Counter(str(p.dtype).removeprefix("torch.") for p in model.parameters())
    del formats["float32"]
    notes = [f"{n} tensors were {name} in the file and are float32 now"
             for name, n in formats.items()]  # fmt: skip
    model.spec = replace(model.spec, notes=(*model.spec.notes, *notes))
    return model.float() if notes else model


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What surefoot wrote about a file, or None where it did not write it.

    Raises:
        CheckpointError: The file cannot be read, or is of a newer format.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as opened:
            text = (opened.metadata() or {}).get(_KEY)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors: {error}",
            expected="a whole safetensors file",
            fix="fetch or write it again",
        ) from error
    if text is None:
        return None
    about: dict[str, Any] = json.loads(text)
    if about.get("format", FORMAT) > FORMAT:
        raise CheckpointError(
            f"{path} has the format {about['format']}",
            expected=f"at most {FORMAT}",
            fix="update surefoot",
        )
    return about


def text_files(model: Model) -> dict[str, str]:
    """The files of the tokenizer that travel with a model, name -> content."""
    return {} if model.text is None else dict(model.text.files)


def _head_json(head: Head) -> dict[str, Any]:
    return {
        "normalize": head.normalize,
        "class_names": list(head.class_names),
        "kind": head.kind,
    }


def _empty_head(about: Mapping[str, Any] | None, state: Mapping[str, Tensor]) -> Head | None:
    if about is None:
        return None
    return Head(
        torch.zeros_like(state["head.weight"]),
        normalize=about["normalize"],
        class_names=about["class_names"],
        kind=about["kind"],
    )
