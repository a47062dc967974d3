"""The provenance file beside an exported ``evaluation-tables.json``, read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BoardError
from ..store.text import fold
from .format import PROVENANCE, TABLES

__all__ = ["Place", "Sidecar", "read_sidecar"]

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
