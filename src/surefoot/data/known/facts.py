"""The facts of a published data set (``sets/NAME.yaml``), and the counts of a miniature of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ...atomic import write_atomic
from ...errors import DataError

__all__ = ["MARK", "Expected", "aliases", "facts", "mark_miniature", "miniature_mark", "packaged"]

MARK = "surefoot-miniature.json"
"""The one file that a miniature has beside the real layout: it states the miniature's counts."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Expected:
    """Counts of one split as published; None where the publisher gives none.

    Attributes:
        images: Of the whole split.
        classes: Distinct labels (folders) in it.
        scored: Images that are scored, where that is fewer (ObjectNet: 18,574 of 50,273).
        source: Where these counts are published; "not confirmed: ..." where no source was found.
    """

    images: int | None = None
    classes: int | None = None
    scored: int | None = None
    source: str = ""


def facts(name: str) -> dict[str, Any]:
    """The fields of a :class:`~surefoot.data.known.base.KnownDataset` from its file of facts.

    A file may begin with ``like: OTHER``: what it does not say itself is said there. Splits whose
    counts have no source of their own have the one of ``counts_from``.
    """
    said = _said(name)
    source = said.pop("counts_from", "")
    splits = {k: Expected(**{"source": source, **counts}) for k, counts in said["splits"].items()}
    layout = tuple(said["layout"].splitlines())
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    return {**plain, "name": name, "splits": splits, "layout": layout}


def _said(name: str) -> dict[str, Any]:
    own: dict[str, Any] = yaml.load(packaged(f"sets/{name}.yaml"), _LOADER)
    like = own.pop("like", None)
    return {**_said(like), **own} if like else own


def packaged(file: str) -> str:
    """The text of a file that lies in this folder of the package."""
    return files(__package__).joinpath(file).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def aliases() -> Mapping[str, str]:
    """What else users and papers call a data set -> its name; no module of one is imported."""
    every = files(__package__).joinpath("sets").iterdir()
    names = sorted(file.name.removesuffix(".yaml") for file in every)
    return {alias: name for name in names for alias in _said(name).get("aliases", ())}


def mark_miniature(folder: Path, name: str, splits: Mapping[str, Expected], seed: int) -> None:
    """Write the mark of a miniature: its own counts, against which it is checked."""
    counts = {split: asdict(expected) for split, expected in splits.items()}
    mark = dict(miniature_mark(folder) or {})  # fmow and fmow-continents share a folder
    mark[name] = {"seed": seed, "splits": counts}
    write_atomic(folder / MARK, json.dumps(mark, indent=1, sort_keys=True) + "\n")


def miniature_mark(folder: Path) -> Mapping[str, Any] | None:
    """The mark of a miniature: data set -> its seed and counts; None for a real copy.

    Raises:
        DataError: There is one and it cannot be read.
    """
    file = folder / MARK
    if not file.is_file():
        return None
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
        if not all("splits" in entry for entry in mark.values()):
            raise ValueError("an entry has no counts")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{file} is no mark of a miniature ({error})", fix="make the miniature again"
        ) from error
    return dict(mark)
