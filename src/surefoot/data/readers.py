"""One string, as users type it, to one split."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError
from ..registry import nearest
from .builtin import HOME, pictograms_split
from .dataset import Domain, Split, Use
from .folder import LAYOUT, from_folder
from .grouping import relabelled
from .huggingface import from_hf
from .known.find import as_known, known_names, read_known
from .table import TABLE, from_table
from .webdataset import from_webdataset

__all__ = ["ACCEPTED", "read_split"]

ACCEPTED = (
    f"one of\n    - {LAYOUT}\n    - {TABLE}: FILE.csv, FILE.parquet, FILE.csv:split=train\n"
    "    - a Hugging Face data set: hf:DIR (saved on disk) or hf:NAME, perhaps with :SPLIT\n"
    "    - WebDataset shards: wds:shards/{000..009}.tar\n"
    "    - the built-in set: pictograms, pictograms:DOMAIN, pictograms:DOMAIN:SPLIT\n"
    "    - a published data set (`surefoot ls datasets`): NAME, NAME:SPLIT, NAME@DIR, below "
    "--data-root or SUREFOOT_DATA"
)
_TABLE = re.compile(r"^(?P<file>.+\.(?:csv|parquet))(?::(?P<where>[^:/\\]+=.+))?$", re.IGNORECASE)
_HF = re.compile(r"^hf:(?P<name>.+?)(?::(?P<split>[\w.\[\]%+:-]+))?$")


def read_split(
    spec: str | os.PathLike[str],
    *,
    name: str,
    domain: Domain,
    use: Use,
    class_names: Sequence[str] | None = None,
    skip_missing: bool = False,
    root: str | os.PathLike[str] | None = None,
) -> Split:
    """A split from what a user typed.

    Args:
        spec: A folder of class folders; ``FILE.csv`` or ``FILE.parquet``, perhaps with a filter
            behind it (``FILE.csv:split=train``); ``hf:NAME_OR_DIR[:split]``; ``wds:PATTERN``;
            ``pictograms[:domain[:split]]`` (a folder of that name is ``./pictograms``); a
            published data set, ``imagenet-r``, ``imagenet:val``, ``objectnet@DIR``.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test".
        class_names: The label order wanted (that of the training set).
        skip_missing: Leave out rows of a table whose file is missing.
        root: The folder that holds published data sets; else the environment variable
            SUREFOOT_DATA, else the current folder.

    Raises:
        DataError: Nothing of the kind is there; the message lists what is accepted.
        ClassMismatch: A class that ``class_names`` does not have.
    """
    text = os.fspath(spec)
    if text == "pictograms" or text.startswith("pictograms:"):
        return _pictograms(text, name, domain, use, class_names)
    known = as_known(text, root)
    if known is not None:
        published = read_known(known, use=use, root=root)
        return relabelled(published, class_names, name=name, domain=domain, use=use)
    if text.startswith("wds:") or text.endswith(".tar"):
        return from_webdataset(
            text.removeprefix("wds:"), name=name, domain=domain, use=use, class_names=class_names
        )
    if text.startswith("hf:") or _saved_by_hf(Path(text)):
        found = _HF.match(text if text.startswith("hf:") else f"hf:{text}")
        if found is None:
            raise DataError("'hf:' names no data set", expected=ACCEPTED)
        return from_hf(
            found["name"], split=found["split"], name=name, domain=domain, use=use,
            class_names=class_names,
        )  # fmt: skip
    table = _TABLE.match(text)
    if table is not None and not Path(text).is_dir():
        return from_table(
            table["file"], where=table["where"], name=name, domain=domain, use=use,
            class_names=class_names, skip_missing=skip_missing,
        )  # fmt: skip
    if not Path(text).is_dir():
        raise _nothing_there(text, name)
    return from_folder(text, name=name, domain=domain, use=use, class_names=class_names)


def _nothing_there(text: str, name: str) -> DataError:
    path = Path(text)
    hint = ""
    near = nearest(text.split(":")[0].split("@")[0], ["pictograms", *known_names()], 1)
    if near and os.sep not in text:
        hint = f"; did you mean {near[0]!r}?"
    elif not path.exists() and path.absolute().parent.is_dir():
        beside = [p.name for p in path.absolute().parent.iterdir()]
        close = nearest(path.name, beside, 1)
        hint = f"; did you mean {str(path.parent / close[0])!r}?" if close else ""
    kind = "is no folder and no table" if path.exists() else "does not exist"
    return DataError(
        f"{text!r}, given as {name}, {kind} (looked at {path.absolute()}){hint}",
        expected=ACCEPTED,
        fix="correct the path",
    )


def _saved_by_hf(path: Path) -> bool:
    """Is this a folder that ``datasets.save_to_disk`` wrote?"""
    return (path / "dataset_dict.json").is_file() or (
        (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
    )


def _pictograms(
    text: str, name: str, domain: Domain, use: Use, class_names: Sequence[str] | None
) -> Split:
    parts = text.split(":")[1:]
    if len(parts) > 2:
        raise DataError(f"{text!r} has too many parts", expected="pictograms[:domain[:split]]")
    style = parts[0] if parts and parts[0] else HOME
    role = parts[1] if len(parts) > 1 else use if style == HOME else "test"
    return relabelled(pictograms_split(style, role), class_names, name=name, domain=domain, use=use)
