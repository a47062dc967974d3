"""`timm:NAME[.TAG]`, `timm:NAME@FILE`, DINO's own checkpoints, timm's folders -> Model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError, ModelError
from ..checkpoints import Checkpoint, read_checkpoint
from ..downloads import hub_file, hub_folder, unavailable
from ..foreign import timm as library
from ..foreign import timm_model
from ..model import Model
from ..names import Source, unknown_name
from ..record import Fact
from ..states import chosen_prefix
from .encoder import fill, finish
from .records import names, quick_gelu, record_of, records_of, with_activation
from .wants import (
    OPTIONS,
    activation_for,
    architecture_of,
    asked_arguments,
    is_self_supervised,
    read_off,
    records_for,
    shown,
)

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
        source.allow("seed", "img_size", "global_pool", "mean", "std", what="a random encoder")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(source.options.get("seed", "0")))
            encoder = timm_model(source.name, asked_arguments(source, name))
        data, facts = shown(name, {tag: record_of(source.name)}, source)
        notes = ("random weights, never trained",)
        return finish(encoder, source, name, tag, notes, data=data, facts=facts)
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
    source.allow(*OPTIONS, what="a published tag")
    tag = record.tag or ""
    quick, why = quick_gelu(name, tag)
    asked = source.options.get("activation")
    if asked is not None:
        quick, why = asked == "quickgelu", "as asked for"
    notes: tuple[str, ...] = ()
    own = f"{name}.{tag}" if tag else name
    if quick is not None:
        name = with_activation(name, quick)
    full = f"{name}.{tag}" if tag else name
    if full != own:
        notes = (f"activation {'quickgelu' if quick else 'gelu'}, so {name}, from {why}",)
    instead = f"timm:{full}@FILE"
    file = _hub_weights(record, instead, full)
    args, found = asked_arguments(source, name), read_checkpoint(file)
    encoder = timm_model(name, args, record=record.to_dict())
    if "global_pool" in args and (read := read_off(encoder, found.state, args)):
        encoder = timm_model(name, {**args, **read}, record=record.to_dict())
    checked = fill(encoder, name, found.state, str(file), resize="img_size" in source.options)
    data, facts = shown(name, {tag: record.to_dict()}, source)
    if why:
        facts["activation"] = Fact("", why)
    notes = (*found.notes, *notes, *checked.notes)
    return finish(
        encoder, source, name, tag, notes, data=data, facts={**facts, **checked.facts(file)}
    )


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
    source.allow("tag", *OPTIONS, what="a file")
    state = found.state
    named, note = (name, "") if name else architecture_of(found, file)
    plain, _, tag = named.partition(".")
    tag = source.options.get("tag", tag)
    if is_self_supervised(found) and not tag and "dino" in records_of(plain):
        tag = "dino"
    quick, why = activation_for(plain, tag, found, source, file)
    records, said = records_for(plain, tag, found, file)
    full = with_activation(plain, quick) if quick is not None else plain
    args = asked_arguments(source, full)
    own = next(iter(records.values()))
    encoder = timm_model(full, args, record=own)
    read = read_off(encoder, state, args)
    if read:
        encoder = timm_model(full, {**args, **read}, record=own)
    _, which = chosen_prefix(state, encoder.state_dict())
    checked = fill(encoder, full, state, str(file), resize="img_size" in args)
    data, facts = shown(plain, records, source, said)
    if "img_size" in read:
        data["input_size"] = (3, read["img_size"], read["img_size"])
        by_shape = f"size from the position embedding's shape in {file.name}"
        facts["transform"] = Fact("", f"{by_shape}; {facts['transform'].source}")
    if "global_pool" in read:
        facts["pooling"] = Fact("mean of patch tokens", f"fc_norm in {file.name}")
    if why:
        facts["activation"] = Fact("", why)
    facts["architecture"] = Fact(full, note or "as named")
    notes = (*found.notes, note, why, *which, *checked.notes)
    return finish(
        encoder, source, full, tag, notes, data=data, facts={**facts, **checked.facts(file)}
    )


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
    source.allow("mean", "std", "img_size", "global_pool", what="a folder of timm")
    record = about.get("pretrained_cfg", about)  # an older file is the record itself
    args = {**(about.get("model_args") or {}), **asked_arguments(source, name)}
    encoder = timm_model(name, args, record=record)
    found = read_checkpoint(file)
    checked = fill(encoder, name, found.state, str(file), resize="img_size" in source.options)
    own = {"": library().data.resolve_data_config({}, model=encoder)}
    data, facts = shown(
        name, own, source, "" if source.options else f"config.json of {folder.name}"
    )
    notes = (*found.notes, *checked.notes)
    return finish(
        encoder, source, name, "", notes, data=data, facts={**facts, **checked.facts(file)}
    )


def from_hub(source: Source) -> Model:
    """A hub repository that timm wrote.

    Raises:
        DownloadUnavailable: Not cached, and no network.
    """
    instead = "surefoot.load('/folder/of/the/repository')"
    folder = hub_folder(source.name, ["config.json", *_WEIGHTS], instead=instead)
    return from_folder(folder, source)
