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
from ..weights.tensor_file import shards_of
from .pickles import Inert, load_torch, load_torchscript
from .roles import chosen, same_tensors

__all__ = ["Checkpoint", "flatten", "read_checkpoint"]

_INSIDE: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "model_state_dict_ema"),
        "the moving average, which timm takes",
    ),
    (("teacher",), "the teacher, which DINO publishes (arXiv 2104.14294)"),
    (("state_dict", "model_state_dict", "model", "module"), "the model"),
    (("student",), "the student"),
)
"""Where training checkpoints keep the weights, best first, and what they are."""

_DEEPEST = 3
"""Entries within entries, at most."""


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
    inside: list[str] = []
    facts: dict[str, Any] = {}
    notes: list[str] = []
    for _ in range(_DEEPEST):
        held = {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}
        if any(isinstance(v, Tensor) for v in held.values()):
            break
        entry, why = _entry(held)
        if entry is None:
            break
        facts.update({k: _plain(v) for k, v in held.items() if not isinstance(v, Mapping)})
        inside.append(entry)
        notes += [why] if why else []
        value = held[entry]
    kind = "module" if isinstance(value, Inert) else "torch"
    state = _tensors(value)
    if not state:
        found = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
        known = ", ".join(name for names, _ in _INSIDE for name in names)
        raise CheckpointError(
            f"the file holds no tensors (found: {str(found)[:200]})",
            expected=f"a state dict, or a dictionary with one under {known}",
        )
    return Checkpoint(state, kind, tuple(inside), classes, facts, tuple(notes))


def _entry(held: Mapping[str, Any]) -> tuple[str | None, str]:
    """Under which entry the weights are, and a note where there were several.

    Raises:
        CheckpointError: Two entries of one kind hold different weights.
    """
    inner = {name: _inner(held.get(name), _DEEPEST) for names, _ in _INSIDE for name in names}
    full = {name: state for name, state in inner.items() if state}
    for names, kind in _INSIDE:
        mine = {name: len(full[name]) for name in names if name in full}
        if not mine:
            continue
        joined = {f"{name}/{k}": v for name in mine for k, v in full[name].items()}
        entry, _ = chosen(mine, equal=same_tensors(joined, [f"{name}/" for name in mine]))
        others = ", ".join(repr(name) for name in full if name not in mine)
        return entry, f"the weights under {entry!r}, not {others}: {kind}" if others else ""
    return None, ""


def _inner(value: Any, depth: int) -> dict[str, Tensor]:
    """The tensors of an entry, and those of known entries inside it by their path."""
    own = _tensors(value)
    if isinstance(value, Mapping) and depth:  # a pickled dictionary may hold itself
        for name in (name for names, _ in _INSIDE for name in names):
            own.update({f"{name}/{k}": v for k, v in _inner(value.get(name), depth - 1).items()})
    return own


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
