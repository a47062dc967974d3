"""Folders and hub repositories with ``open_clip_config.json`` -> Model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ..checkpoints import read_checkpoint
from ..downloads import hub_file
from ..foreign import hf_tokenizer
from ..model import Model
from ..names import Source
from ..record import Fact
from ..tokenizer_files import pack_tokenizer, read_files
from .filled import fill, finish
from .load import CONFIG, WEIGHTS, beside_of
from .records import preprocess_of_file
from .towers import whole

__all__ = ["from_folder", "from_hub"]


def from_folder(folder: Path, source: Source) -> Model:
    """A folder with ``open_clip_config.json`` and weights, as open_clip's ``local-dir:``.

    Raises:
        CheckpointError: No weights, or weights that do not fit.
    """
    names = [*WEIGHTS, "open_clip_pytorch_model.safetensors", "model.safetensors"]
    file = next((folder / n for n in names if (folder / n).is_file()), None)
    if file is None:
        raise CheckpointError(
            f"{folder} has {CONFIG} and no weights", expected=f"one of {', '.join(names)}"
        )
    return _configured(beside_of(file), file, source, folder)


def from_hub(repo: str, config_file: Path, source: Source) -> Model:
    """A hub repository with ``open_clip_config.json``.

    Raises:
        DownloadUnavailable: Its weights are not cached and there is no network.
    """
    instead = "surefoot.load('/folder/of/the/repository')"
    for name in WEIGHTS:
        file = hub_file(repo, name, instead=instead)
        if file is not None:
            about = json.loads(config_file.read_text(encoding="utf-8"))
            return _configured(about, file, source, None)
    raise CheckpointError(f"{repo} holds none of {', '.join(WEIGHTS)}")


def _configured(about: Mapping[str, Any], file: Path, source: Source, folder: Path | None) -> Model:
    source.allow("activation", "mean", "std", what="a folder of open_clip")
    config = dict(about["model_cfg"])
    asked = source.options.get("activation")
    config["quick_gelu"] = asked == "quickgelu" if asked else bool(config.get("quick_gelu"))
    name = folder.resolve().name if folder else source.name.rsplit("/", 1)[-1]
    builder = {"kind": "open_clip", "arch": about.get("architecture", name), "config": config}
    preprocess, where = preprocess_of_file(
        builder["arch"], source, about.get("preprocess_cfg", {}), quick=config["quick_gelu"]
    )
    model = whole(builder)
    found = read_checkpoint(file)
    checked = fill(model, found.state, str(file))
    facts = {
        **checked.facts(file),
        "activation": Fact("", "as asked for" if asked else CONFIG),
        "transform": Fact("", where),
    }
    files = _tokenizer_files(folder) if config["text_cfg"].get("hf_tokenizer_name") else {}
    notes = (*found.notes, *checked.notes)
    return finish(model, builder, source, preprocess, notes, facts, files=files)


def _tokenizer_files(folder: Path | None) -> dict[str, str]:
    if folder is None or not (folder / "tokenizer_config.json").is_file():
        return {}
    return pack_tokenizer(hf_tokenizer(read_files(folder), str(folder)))
