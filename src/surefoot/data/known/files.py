"""Reads the files that data sets keep their lists in: text, JSON, CSV, MATLAB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, SurefootError
from .checks import AGAIN, few

__all__ = [
    "absent",
    "in_order",
    "integers",
    "one_of",
    "read_columns",
    "read_json",
    "read_mat",
    "read_text",
    "reading",
]


def absent(file: Path, *, expected: str = "", fix: str = AGAIN) -> DataError:
    """The error for a file that is not there."""
    return DataError(
        f"there is no {file} (looked at {file.absolute()})", expected=expected, fix=fix
    )


@contextmanager
def reading(file: Path, kind: str, *, expected: str = "", fix: str = AGAIN) -> Iterator[None]:
    """What goes wrong inside is told of this file; libraries raise whatever their parsers meet.

    Args:
        file: That is read.
        kind: What it should be: "JSON", "list of images by class".
        expected: What it should hold.
        fix: What to do where it is missing or damaged.

    Raises:
        DataError: It is missing, cut off or of another kind.
    """
    try:
        yield
    except SurefootError:
        raise
    except FileNotFoundError as error:
        raise absent(Path(error.filename or file), expected=expected, fix=fix) from error
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{file} cannot be read: it is no {kind}, or is cut off ({why})",
            expected=expected,
            fix=fix,
        ) from error


def one_of(places: Sequence[Path]) -> Path | None:
    """The first of several places that is a file."""
    return next((place for place in places if place.is_file()), None)


def read_text(file: Path) -> list[str]:
    """The lines of a small text file that are not empty.

    Raises:
        DataError: It is missing or is no text.
    """
    with reading(file, "text", expected="a file that the data set ships with"):
        lines = file.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def read_json(file: Path, kind: type = dict, *, fix: str = AGAIN) -> Any:
    """What a JSON file holds.

    Args:
        file: The file.
        kind: dict or list.
        fix: What to do where it is missing or damaged.

    Raises:
        DataError: It is missing, no JSON, or holds something else.
    """
    with reading(file, "JSON", fix=fix):
        held = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(held, kind):
        raise DataError(
            f"{file} holds a {type(held).__name__}",
            expected=f"a JSON {'object' if kind is dict else 'array'}",
            fix=fix,
        )
    return held


def read_mat(file: Path, key: str) -> Any:
    """One variable of a MATLAB file, squeezed.

    Raises:
        DataError: The file is missing or cut off, or has no such variable.
    """
    from scipy.io import loadmat

    with reading(file, "MATLAB file"):
        held = loadmat(file, squeeze_me=True)
    if key not in held:
        raise DataError(f"{file} holds no variable {key!r}", fix=AGAIN)
    return held[key]


def read_columns(
    file: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Columns (n,) of a CSV table as text, "" where a cell is empty.

    Args:
        file: The table.
        columns: All of them have to be there.
        optional: These are read where they are there.

    Raises:
        DataError: The table is missing, cannot be read, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.csv

    with reading(file, "table", expected=f"a table with the columns {', '.join(columns)}"):
        options = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys((*columns, *optional), pa.string()),
            strings_can_be_null=False,
        )
        table = pyarrow.csv.read_csv(file, convert_options=options)
    lacking = [c for c in columns if c not in table.column_names]
    if lacking:
        raise DataError(
            f"the table {file} has no column {few(lacking)}; it has {few(table.column_names, 20)}",
            expected=f"the columns {', '.join(columns)}",
            fix=AGAIN,
        )
    there = (*columns, *(c for c in optional if c in table.column_names))
    return {c: np.array(table[c].to_pylist(), dtype=object) for c in there}


def in_order(names: Mapping[int, str], file: Path) -> tuple[str, ...]:
    """Class names in the order of their labels.

    Raises:
        DataError: Labels are not 0, 1, 2, ... without gaps.
    """
    if sorted(names) != list(range(len(names))):
        raise DataError(
            f"{file} does not number its classes one after the other, once each", fix=AGAIN
        )
    return tuple(names[i] for i in range(len(names)))


def integers(values: NDArray[Any], column: str, file: Path) -> NDArray[np.int64]:
    """A column of whole numbers (n,).

    Raises:
        DataError: A cell is no whole number.
    """
    with reading(file, f"table with whole numbers in the column {column!r}"):
        return values.astype(np.int64)
