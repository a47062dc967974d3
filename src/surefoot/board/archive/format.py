"""The archive's format: names, licence, what a row is known by; the provenance file beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BoardError
from ..store.results import ExtraData
from ..store.text import digest, fold

__all__ = ["ENTRY", "FIELDS", "KNOWN", "LICENCE", "LINKS", "NOTICE", "OWN_LICENCE", "PROVENANCE",
           "TABLES", "TEXTS", "USED", "Place", "Sidecar", "from_archive", "joined", "read_sidecar",
           "row_id"]  # fmt: skip

LICENCE = "CC-BY-SA-4.0"
"""Of everything that comes from the archive."""

OWN_LICENCE = "Apache-2.0"
"""Of what this package says itself: descriptions, summaries, the arrangement of tables."""

NOTICE = (
    "Papers with Code data, https://paperswithcode.com, licensed under the Creative Commons "
    "Attribution-ShareAlike 4.0 International licence "
    "(https://creativecommons.org/licenses/by-sa/4.0/). Changed: names matched without case, "
    "values parsed beside the raw ones, records that could not be parsed left out."
)
"""Shown wherever rows of the archive are."""

TABLES = "evaluation-tables.json"
PROVENANCE = "evaluation-tables.provenance.json"

TEXTS = ("paper_title", "paper_url", "paper_date")
LINKS = ("code_links", "model_links")
FIELDS = ("model_name", *TEXTS, *LINKS, "metrics", "uses_additional_data")
"""The eight fields of a row, as the archive names them; texts and links are named as columns."""

USED: Mapping[ExtraData, bool | None] = {"yes": True, "no": False, "unknown": None}
"""What ``uses_additional_data`` says."""

ENTRY = ("row_key", "kind", "backbone", "setting", "toy", "licence", "created")
"""What the provenance file says of a row by the names of the columns."""

KNOWN = ("n", "low", "high", "interval", "stderr", "alpha", "selection", "seeds", "manifest",
         "headline")  # fmt: skip
"""What the provenance file says of a result beyond its raw value, from which the rest is parsed."""


def from_archive(licence: str) -> bool:
    """Whether anything under this licence expression came from the archive."""
    return LICENCE in licence


def joined(own: str, theirs: str) -> str:
    """The SPDX expression of a row of two sources: "Apache-2.0 AND CC-BY-SA-4.0"."""
    if not own or not theirs:
        return own or theirs
    return own if theirs in own.split(" AND ") else f"{own} AND {theirs}"


def row_id(task: str, dataset: tuple[str, ...], row: Mapping[str, Any]) -> str:
    """What a row is known by: its content, its task and its data set, in whatever case."""
    return digest("row", fold(task), [fold(d) for d in dataset], {f: row.get(f) for f in FIELDS})


Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Place:
    """Which board a table of the file is."""

    dataset: tuple[str, ...]
    split: str = "unspecified"
    protocol: str = "unspecified"


class Sidecar:
    """What a provenance file says; nothing where there is none.

    Args:
        places: (task, names of the table), folded -> board.
        rows: Row id -> provenance of each row with that content, in the file's order.
        texts: Licence of descriptions and links in the tables; "" where nothing is said.
    """

    def __init__(
        self,
        places: Mapping[Key, Place] | None = None,
        rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        texts: str = "",
    ) -> None:
        self.texts = texts
        self._places = places or {}
        self._rows = rows or {}
        self._met: Counter[str] = Counter()

    def place(self, task: str, label: tuple[str, ...]) -> Place:
        """The board of a table; by default its data set's own, without split and protocol."""
        return self._places.get((fold(task), tuple(map(fold, label))), Place(label))

    def next(self, row: str) -> Mapping[str, Any]:
        """The provenance of the next row with this id; {} where none is known.

        Rows of equal content may differ in what only the provenance says (alpha, the setting), so
        they are told apart by their order.
        """
        said = self._rows.get(row, ())
        at = self._met[row] if len(said) > 1 else 0
        if len(said) > 1:
            self._met[row] += 1
        return said[at] if at < len(said) else {}


def read_sidecar(tables: Path) -> Sidecar:
    """The sidecar of an exported file, if it has one; unlike the tables it is read as a whole.

    Raises:
        BoardError: There is one and it cannot be read.
    """
    file = tables.with_name(PROVENANCE)
    if tables.name != TABLES or not file.is_file():
        return Sidecar()
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        places = {
            (fold(b["task"]), tuple(map(fold, b["label"]))): Place(
                tuple(b["dataset"]), b["split"], b["protocol"]
            )
            for b in data["boards"]
        }
        rows = {k: list(v) for k, v in data["rows"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BoardError(
            f"{file} is no provenance file ({error!r})",
            expected="what `surefoot board export` wrote beside the tables",
            fix="restore it, or move it away to import the tables without it",
        ) from error
    return Sidecar(places, rows, str(data.get("licence_of_texts", "")))
