"""`timm:NAME[.TAG]`, `timm:NAME@FILE`, DINO's own checkpoints, timm's folders -> Model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CheckpointError, ModelError
from ..activation import activation_of, decide, evidence_of
from ..checkpoints import Checkpoint, read_checkpoint
from ..downloads import hub_file, hub_folder, unavailable
from ..foreign import timm as library
from ..foreign import timm_model
from ..model import Model
from ..names import Source, unknown_name
from ..record import Fact, settle
from ..states import chosen_prefix
from .encoder import fill, finish
from .names import infer_name, is_self_supervised
from .records import (
    names,
    quick_gelu,
    record_of,
    records_of,
    sibling,
    training_arguments,
    with_activation,
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
            encoder = timm_model(source.name, _asked(source, name))
        data, facts = _shown(name, {tag: record_of(source.name)}, source)
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
    source.allow(*_OPTIONS, what="a published tag")
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
    encoder = timm_model(name, _asked(source, name), record=record.to_dict())
    found = read_checkpoint(file)
    checked = fill(encoder, name, found.state, str(file), resize="img_size" in source.options)
    data, facts = _shown(name, {tag: record.to_dict()}, source)
    if why:
        facts["activation"] = Fact(activation_of(encoder), why)
    notes = (*found.notes, *notes, *checked.notes)
    return finish(
        encoder, source, name, tag, notes, data=data, facts={**facts, **checked.facts(file)}
    )


_OPTIONS = ("activation", "mean", "std", "img_size", "global_pool")


def _asked(source: Source, name: str) -> dict[str, Any]:
    """Arguments of an architecture that the user named."""
    args: dict[str, Any] = {}
    if "global_pool" in source.options:
        args["global_pool"] = source.options["global_pool"]
    # Only a network that is built for one size is told it; others take any.
    if "img_size" in source.options and record_of(name).get("fixed_input_size"):
        args["img_size"] = int(source.options["img_size"])
    return args


def _shown(
    name: str, records: Mapping[str, Mapping[str, Any]], source: Source, said: str = ""
) -> tuple[dict[str, Any], dict[str, Fact]]:
    """How images are shown to these weights, for :func:`finish`, and the fact about it.

    Args:
        name: Architecture.
        records: Tag -> record, those that the weights may belong to.
        source: Its options go before them.
        said: Where the one record was read, if not in timm.

    Raises:
        ModelError: The records have different means.
    """
    data, label = settle(f"timm:{name}", records, ("mean", "std"), source.options, said)
    if len({(r.get("crop_pct"), r.get("interpolation")) for r in records.values()}) > 1:
        label += f"; resized as {next(iter(records))}, as they differ in this"
    if "img_size" in source.options:
        size = int(source.options["img_size"])
        data["input_size"] = (3, size, size)
        label = f"size as asked for, the rest from {label}"
    return data, {"transform": Fact("", label)}


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
    source.allow("tag", *_OPTIONS, what="a file")
    state = found.state
    named, note = (name, "") if name else _architecture(found, file)
    plain, _, tag = named.partition(".")
    tag = source.options.get("tag", tag)
    if is_self_supervised(found) and not tag and "dino" in records_of(plain):
        tag = "dino"
    quick, why = _activation(plain, tag, found, source, file)
    records, said = _records(plain, tag, found, file)
    full = with_activation(plain, quick) if quick is not None else plain
    args = _asked(source, full)
    own = next(iter(records.values()))
    encoder = timm_model(full, args, record=own)
    read = _read_off(encoder, state, args)
    if read:
        encoder = timm_model(full, {**args, **read}, record=own)
    _, which = chosen_prefix(state, encoder.state_dict())
    checked = fill(encoder, full, state, str(file), resize="img_size" in args)
    data, facts = _shown(plain, records, source, said)
    if "img_size" in read:
        data["input_size"] = (3, read["img_size"], read["img_size"])
        by_shape = f"size from the position embedding's shape in {file.name}"
        facts["transform"] = Fact("", f"{by_shape}; {facts['transform'].source}")
    if "global_pool" in read:
        facts["pooling"] = Fact("mean of patch tokens", f"fc_norm in {file.name}")
    if why:
        facts["activation"] = Fact(activation_of(encoder), why)
    facts["architecture"] = Fact(full, note or "as named")
    notes = (*found.notes, note, why, *which, *checked.notes)
    return finish(
        encoder, source, full, tag, notes, data=data, facts={**facts, **checked.facts(file)}
    )


def _architecture(found: Checkpoint, file: Path) -> tuple[str, str]:
    """Its name, from what timm's training script wrote or from shapes, and a note."""
    arch = str(found.facts.get("arch", ""))
    if arch.partition(".")[0] in names():
        return arch, f"architecture {arch}, as {file.name} says"
    arch = infer_name(found.state, found, file=file)
    return arch, f"architecture {arch}, inferred from the shapes in {file.name}"


def _activation(
    name: str, tag: str, found: Checkpoint, source: Source, file: Path
) -> tuple[bool | None, str]:
    """QuickGELU or not, and why; None where the architecture has no such choice."""
    other = sibling(name)
    if not other and "quickgelu" not in name:
        if "activation" in source.options:
            with_activation(name, source.options["activation"] == "quickgelu")
        return None, ""
    says, where = quick_gelu(name, tag) if tag else (None, "")
    quick, why = decide(
        name,
        fixed=True if "quickgelu" in name else None,
        asked=source.options.get("activation"),
        tag_says=bool(says) if tag else None,
        evidence=evidence_of(found.state, found.classes, found.facts),
        sibling=other,
        where=where or (f"{name}.{tag}" if tag else file.name),
    )
    return quick, why


def _records(
    name: str, tag: str, found: Checkpoint, file: Path
) -> tuple[dict[str, Mapping[str, Any]], str]:
    """Records that a file's weights may belong to, and where they were read if not in timm."""
    trained = training_arguments(found)
    if trained is not None:
        return {tag: {**record_of(name, tag), **trained}}, f"the training arguments in {file.name}"
    records = records_of(name)
    if tag in records:
        return {tag: records[tag]}, ""
    if tag:
        raise unknown_name(f"tag of {name}", tag, records, fix=f"choose one, or timm:{name}@FILE")
    default = f"timm's default for {name}, of which no weights are published"
    return (records, "") if records else ({"": record_of(name)}, default)


def _read_off(
    encoder: nn.Module, state: Mapping[str, Tensor], args: Mapping[str, Any]
) -> dict[str, Any]:
    """What shapes of a file tell about a vision transformer: its image size, its pooling."""
    wanted = encoder.state_dict()
    prefix = chosen_prefix(state, wanted)[0]
    read: dict[str, Any] = {}
    own, theirs = wanted.get("pos_embed"), state.get(f"{prefix}pos_embed")
    patch = state.get(f"{prefix}patch_embed.proj.weight")
    grid = getattr(getattr(encoder, "patch_embed", None), "grid_size", None)
    if "img_size" not in args and grid and own is not None and own.ndim == 3:
        prefixes = own.shape[1] - grid[0] * grid[1]
        tokens = theirs.shape[1] - prefixes if theirs is not None and theirs.ndim == 3 else 0
        side = math.isqrt(max(0, tokens))
        if patch is not None and side and side**2 == tokens and side**2 != grid[0] * grid[1]:
            read["img_size"] = side * int(patch.shape[-1])
    averaged = f"{prefix}fc_norm.weight" in state and f"{prefix}norm.weight" not in state
    if "global_pool" not in args and averaged and "norm.weight" in wanted:
        read["global_pool"] = "avg"
    return read


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
    args = {**(about.get("model_args") or {}), **_asked(source, name)}
    encoder = timm_model(name, args, record=record)
    found = read_checkpoint(file)
    checked = fill(encoder, name, found.state, str(file), resize="img_size" in source.options)
    own = {"": library().data.resolve_data_config({}, model=encoder)}
    data, facts = _shown(
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
