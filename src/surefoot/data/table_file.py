"""A CSV, TSV or Parquet file as a table whose columns are known, or refused in plain words."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..inventory import Note
from ..registry import nearest
from .folder import image_extensions

__all__ = ["ROW", "TABLE", "Columns", "read_table"]

TABLE = (
    "a CSV (or TSV) or Parquet table with a column path (or image, holding encoded bytes) and a "
    "column label and/or caption"
)
_ALIASES = {
    "path": ("filepath", "file_path", "file_name", "filename", "image_path"),
    "caption": ("title", "text"),
}
"""Other names of a column, where the usual ones are not there: open_clip's, Hugging Face's."""

_SEPARATORS = ",;\t|"
ROW = "__row__"


@dataclass(frozen=True)
class Columns:
    """How the columns of a table are called; every other column becomes metadata.

    Attributes:
        path: File of the image, relative to the root.
        image: Encoded bytes (Parquet only), used where there is no path.
        label: Class.
        caption: Text.
        id: Stable name; the path, or the row, without it.
        split: Selects rows by use when no filter is given.
    """

    path: str = "path"
    image: str = "image"
    label: str = "label"
    caption: str = "caption"
    id: str = "id"
    split: str = "split"


def read_table(file: Path, names: Columns) -> tuple[Any, Columns, tuple[str, ...]]:
    """A ``pyarrow`` table, what its columns are called, and which were taken by another name.

    Embedded images are left where they are: :data:`ROW` holds their rows.

    Raises:
        DataError: The table cannot be read, or lacks columns.
    """
    table = _read(file, names)
    shown = [names.image if c == ROW else c for c in table.column_names]
    names, notes = _known_as(shown, names, file)
    _require_columns(shown, names, file)
    return table, names, notes


def _read(file: Path, names: Columns) -> Any:
    """A ``pyarrow`` table; labels and paths of a CSV stay text ("007" is no number)."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if not file.is_file():
        raise DataError(
            f"the table {file} does not exist (looked at {file.absolute()})",
            expected=TABLE,
            fix="correct the path",
        )
    parquet = file.suffix.lower() == ".parquet"
    separator = "" if parquet else _separator(file, names)
    try:
        if parquet:
            return _read_parquet(file, names)
        text = dict.fromkeys(
            (names.path, names.label, names.caption, names.id, *sum(_ALIASES.values(), ())),
            pa.string(),
        )
        return pyarrow.csv.read_csv(
            file,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, delimiter=separator),
            convert_options=pyarrow.csv.ConvertOptions(column_types=text),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"the table {file} cannot be read ({' '.join(str(error).split())})",
            expected=TABLE,
            fix="mend the file, or write it anew (with pandas or Python's csv module, say)",
        ) from error


def _separator(file: Path, names: Columns) -> str:
    """What separates the columns: by which the first line holds most of the names that count.

    Raises:
        DataError: The first line is no header: it names an image; or no letters of one byte.
    """
    with open(file, "rb") as raw:
        if raw.read(4).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
            raise DataError(
                f"the table {file} is not UTF-8 but UTF-16 or UTF-32",
                expected=TABLE,
                fix="save it as UTF-8 (in a spreadsheet: CSV UTF-8)",
            )
    with open(file, encoding="utf-8-sig", errors="replace", newline="") as lines:
        first = lines.readline(1 << 16)
    known = {*vars(names).values(), *sum(_ALIASES.values(), ())}
    rows = {mark: next(csv.reader([first], delimiter=mark), []) for mark in _SEPARATORS}
    best = max(rows, key=lambda mark: (len(known.intersection(rows[mark])), len(rows[mark])))
    pictures = [v for v in rows[best] if os.path.splitext(v)[1].lower() in image_extensions()]
    if pictures and not known.intersection(rows[best]):
        raise DataError(
            f"the table {file} has no header: its first line is {first.strip()[:100]!r}",
            expected=TABLE,
            fix=f"put a line with the names of the columns above it, such as path{best}label",
        )
    return best


def _read_parquet(file: Path, names: Columns) -> Any:
    """Everything but embedded images, for which the row number is kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pq.read_schema(file).names
    if names.path in found or names.image not in found:
        return pq.read_table(file)
    table = pq.read_table(file, columns=[c for c in found if c != names.image])
    rows = pa.array(np.arange(pq.read_metadata(file).num_rows, dtype=np.int64))
    return table.append_column(ROW, rows)


def _known_as(found: Sequence[str], names: Columns, file: Path) -> tuple[Columns, tuple[str, ...]]:
    """The names of the columns as this table has them, and a sentence for each other name taken."""
    wanted = {"path": (names.path, names.image), "caption": (names.caption, names.label)}
    taken = {}
    for column, usual in wanted.items():
        other = next((c for c in _ALIASES[column] if c in found), None)
        if other is not None and not set(usual) & set(found):
            taken[column] = other
    notes = (Note(f"the column {other!r} of {file.name} serves as {column}", "guessed",
                  say=f"by calling the column {column}")
             for column, other in taken.items())  # fmt: skip
    return replace(names, **taken), tuple(notes)


def _require_columns(found: Sequence[str], names: Columns, file: Path) -> None:
    twice = sorted({c for c in found if list(found).count(c) > 1})
    if twice:
        raise DataError(f"the table {file} has two columns {twice[0]!r}", expected=TABLE)
    for wanted in ((names.path, names.image), (names.label, names.caption)):
        if not set(wanted) & set(found):
            close = [n for w in wanted for n in nearest(w, list(found), 1)]
            hint = f"; is it {close[0]!r}?" if close else "."
            raise DataError(
                f"the table {file} has no column {' or '.join(map(repr, wanted))}{hint} "
                f"It has: {', '.join(found)}.",
                expected=TABLE,
                fix="rename the column",
            )
