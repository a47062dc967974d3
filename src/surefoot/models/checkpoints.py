"""Checkpoints of other projects, read safely into a flat state dict.

safetensors (one file or a sharded index); what ``torch.save`` wrote, with torch's own
``weights_only`` reader first and :mod:`.pickles` where the file holds more than tensors (a pickled
module, DINO's training state with its ``args``); OpenAI's TorchScript archives.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import CheckpointError, UnsafePickle
from ..weights.roles import ENTRIES, innermost
from ..weights.tensor_file import shards_of
from .pickles import Inert, load_torch, load_torchscript

__all__ = ["Checkpoint", "flatten", "read_checkpoint"]


@dataclass
class Checkpoint:
    """What a file holds.

    Attributes:
        state: Key -> tensor, flat.
        kind: "safetensors", "torch", "module" (a pickled module) or "torchscript".
        inside: Under which entries of the file the weights were found, outermost first.
        classes: Full names of the classes in its pickle, none of which was imported.
        facts: Other entries: ``epoch``, ``name``, ``args`` ...
        notes: Which of several networks was taken, one sentence each.
    """

    state: dict[str, Tensor]
    kind: str
    inside: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without running anything that it contains.

    Raises:
        CheckpointError: Missing, damaged, of an unknown format, without tensors, or with several
            networks whose names do not tell which is meant.
        UnsafePickle: Its pickle wants more than tensors, containers and inert modules.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"there is no file {path}", expected="a checkpoint (.safetensors, .pt, .pth, .bin)"
        )
    try:
        return _read(path)
    except (UnsafePickle, CheckpointError):
        raise
    except _DAMAGE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise CheckpointError(
            f"{path} cannot be read: {reason}",
            expected="a whole safetensors or PyTorch file",
            fix="fetch or write it again",
        ) from error


_DAMAGE = (
    OSError,
    SafetensorError,
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    IndexError,
    AttributeError,
    StopIteration,
    zipfile.BadZipFile,
)


def _read(path: Path) -> Checkpoint:
    if path.suffix == ".safetensors":
        return Checkpoint(load_file(path), "safetensors")
    if path.suffix == ".json":
        return Checkpoint(_shards(path), "safetensors")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(n.endswith("/constants.pkl") or "/code/" in n for n in names):
            value, classes = load_torchscript(path)
            return Checkpoint(_tensors(value), "torchscript", (), classes)
    try:
        value = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
        classes = frozenset()
    except pickle.UnpicklingError:
        value, classes = load_torch(path)
    return _unwrap(value, classes)


def _shards(index: Path) -> dict[str, Tensor]:
    """The shards that ``*.index.json`` of the Hugging Face format lists."""
    state: dict[str, Tensor] = {}
    for shard in sorted(set(shards_of(index).values())):
        state.update(load_file(shard) if shard.suffix == ".safetensors" else _read(shard).state)
    return state


def _unwrap(value: Any, classes: frozenset[str]) -> Checkpoint:
    value, way = innermost(value, _tensors)
    facts = {k: _plain(v) for step in way for k, v in step.held.items()
             if not isinstance(v, Mapping)}  # fmt: skip
    kind = "module" if isinstance(value, Inert) else "torch"
    state = _tensors(value)
    if not state:
        found = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
        raise CheckpointError(
            f"the file holds no tensors (found: {str(found)[:200]})",
            expected=f"a state dict, or a dictionary with one under {', '.join(ENTRIES)}",
        )
    inside = tuple(step.name for step in way)
    notes = tuple(step.why for step in way if step.why)
    return Checkpoint(state, kind, inside, classes, facts, notes)


def _plain(value: Any) -> Any:
    return value.attributes() if isinstance(value, Inert) else value


def _tensors(value: Any) -> dict[str, Tensor]:
    if isinstance(value, Inert):
        return flatten(value)
    if isinstance(value, Mapping):
        return {str(k): v.detach() for k, v in value.items() if isinstance(v, Tensor)}
    return {}


def flatten(module: Inert, prefix: str = "") -> dict[str, Tensor]:
    """The state dict of a stand-in for a module: its parameters and buffers, by dotted name.

    A pickled nn.Module keeps them in ``_parameters``, ``_buffers`` and ``_modules``; a TorchScript
    object keeps them as attributes.
    """
    held = module.attributes()
    state: dict[str, Tensor] = {}
    if "_modules" not in held:
        for name, value in held.items():
            if isinstance(value, Tensor):
                state[prefix + name] = value.detach()
            elif isinstance(value, Inert):
                state.update(flatten(value, f"{prefix}{name}."))
        return state
    gone = held.get("_non_persistent_buffers_set") or ()
    for name, value in {**held.get("_parameters", {}), **held.get("_buffers", {})}.items():
        if isinstance(value, Tensor) and name not in gone:
            state[prefix + name] = value.detach()
    for name, child in held["_modules"].items():
        if isinstance(child, Inert):
            state.update(flatten(child, f"{prefix}{name}."))
    return state
