"""`timm:NAME[.TAG]`, `timm:NAME@FILE`, DINO's own checkpoints, timm's folders -> Model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError, ModelError
from .activation import decide, evidence_of, timm_sibling
from .checkpoints import Checkpoint, read_checkpoint
from .downloads import hub_file, hub_folder, unavailable
from .foreign import timm as library
from .foreign import timm_model
from .model import Model
from .names import Source
from .parts import unknown_name
from .states import chosen_prefix
from .timm import fill, finish, names
from .timm_names import infer_name, is_self_supervised

__all__ = ["from_checkpoint", "from_folder", "from_hub", "from_name"]

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def from_name(source: Source) -> Model:
    """``timm:NAME[.TAG]``, ``timm:NAME[.TAG]@FILE`` or ``timm:NAME/random``.

    Raises:
        UnknownName: No such architecture or tag.
        ModelError: No weights are published for it, or its activation is in doubt.
        CheckpointError: The file does not fit.
        DownloadUnavailable: The weights are not cached and there is no network.
    """
    name, _, tag = source.name.partition(".")
    _require_known(name, tag)
    if source.file is not None:
        return from_checkpoint(
            read_checkpoint(source.file), source, name=source.name, file=source.file
        )
    if source.tag == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(source.options.get("seed", "0")))
            encoder = timm_model(source.name)
        return finish(encoder, source, name, tag, ("random weights, never trained",))
    if source.tag:
        raise ModelError(
            f"{source.text!r} has {source.tag!r} behind the slash",
            expected=f"timm:{name}.TAG for published weights, timm:{name}/random for random ones",
        )
    record = library().get_pretrained_cfg(source.name)
    if record is None or not record.has_weights:
        raise ModelError(
            f"no weights of {source.name} are published",
            expected="a name with weights (timm.list_pretrained lists them)",
            fix=f"timm:{name}@FILE for your own, or timm:{name}/random to begin from random ones",
        )
    return _pretrained(source, name, record)


def _require_known(name: str, tag: str) -> None:
    timm = library()
    if name not in names():
        raise unknown_name(
            "timm model", name, names(), fix="`timm.list_models('*part*')` lists them"
        )
    tags = [n.partition(".")[2] for n in timm.list_pretrained(f"{name}.*") if "." in n]
    if tag and tag not in tags:
        raise unknown_name(f"tag of {name}", tag, tags, fix=f"choose one, or timm:{name}@FILE")


def _pretrained(source: Source, name: str, record: Any) -> Model:
    tag = record.tag or ""
    quick = any("QuickGELU" in note for note in record.notes or ())
    why = ""
    if quick and source.options.get("activation") != "gelu":
        sibling = timm_sibling(name, names())
        if sibling:
            name, why = sibling, f"activation quickgelu, so {sibling}, from timm's record of {tag}"
    full = f"{name}.{tag}" if tag else name
    instead = f"timm:{full}@FILE"
    file = _hub_weights(record, instead, full)
    encoder = timm_model(full)
    found = read_checkpoint(file)
    notes = (why, *found.notes, *fill(encoder, name, found.state, str(file)))
    return finish(encoder, source, name, tag, notes)


def _hub_weights(record: Any, instead: str, full: str) -> Path:
    repo = record.hf_hub_id
    if not repo:
        raise unavailable("the weights", full, instead=instead, why="they are not on the hub")
    for filename in (record.hf_hub_filename,) if record.hf_hub_filename else _WEIGHTS:
        found = hub_file(repo, filename, instead=instead)
        if found is not None:
            return found
    raise unavailable(_WEIGHTS[0], repo, instead=instead, why="the repository lacks it")


def from_checkpoint(found: Checkpoint, source: Source, *, name: str | None, file: Path) -> Model:
    """A local checkpoint: timm's, DINO's teacher backbone, DINO's whole training state.

    Args:
        found: What the file holds.
        source: As the user named it.
        name: timm's name, with or without a tag; None to infer it.
        file: For messages.

    Raises:
        CheckpointError: It does not fit, or its architecture cannot be inferred.
        ModelError: Its activation is in doubt.
    """
    state = found.state
    full = name or infer_name(state, found, file=file)
    plain, _, tag = full.partition(".")
    notes: tuple[str, ...] = ()
    if name is None:
        notes = (f"architecture {full}, inferred from the shapes in {file.name}",)
    elif is_self_supervised(found) and not tag:
        candidates = library().list_pretrained(f"{plain}.dino")
        full, tag = (candidates[0], "dino") if candidates else (full, tag)
    sibling = timm_sibling(plain, names())
    if sibling or "quickgelu" in plain:
        quick, why = decide(
            plain,
            fixed=True if "quickgelu" in plain else None,
            asked=source.options.get("activation"),
            evidence=evidence_of(state, found.classes, found.facts),
            sibling=sibling,
            where=file.name,
        )
        plain = sibling if quick and sibling else plain
        full = f"{plain}.{tag}" if tag else plain
        notes = (*notes, why)
    encoder = timm_model(full)
    _, which = chosen_prefix(state, encoder.state_dict())
    notes = (*found.notes, *notes, *which, *fill(encoder, plain, state, str(file)))
    return finish(encoder, source, plain, tag, notes)


def from_folder(folder: Path, source: Source) -> Model:
    """A folder as timm saves it: ``config.json`` with ``architecture``, and weights.

    Raises:
        CheckpointError: It is incomplete, or its weights do not fit.
    """
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    file = next((folder / n for n in _WEIGHTS if (folder / n).is_file()), None)
    name = about.get("architecture")
    if file is None or name not in names():
        raise CheckpointError(
            f"{folder} is not a complete model of timm or transformers",
            expected=f"config.json with an architecture that exists, and {' or '.join(_WEIGHTS)}",
        )
    # An older file is the record itself.
    encoder = timm_model(name, about.get("model_args"), record=about.get("pretrained_cfg", about))
    found = read_checkpoint(file)
    notes = (*found.notes, *fill(encoder, name, found.state, str(file)))
    return finish(encoder, source, name, "", notes)


def from_hub(source: Source) -> Model:
    """A hub repository that timm wrote.

    Raises:
        DownloadUnavailable: Not cached, and no network.
    """
    instead = "surefoot.load('/folder/of/the/repository')"
    folder = hub_folder(source.name, ["config.json", *_WEIGHTS], instead=instead)
    return from_folder(folder, source)
