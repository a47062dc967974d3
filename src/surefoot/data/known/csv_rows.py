"""Reads the CSV tables that data sets ship with: columns by name, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .layout import few
from .parts import AGAIN

__all__ = ["integers", "read_columns"]


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

    if not file.is_file():
        raise DataError(
            f"there is no {file} (looked at {file.absolute()})",
            expected=f"a table with the columns {', '.join(columns)}",
            fix=AGAIN,
        )
    try:
        table = pyarrow.csv.read_csv(
            file,
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys((*columns, *optional), pa.string()),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"the table {file} cannot be read ({' '.join(str(error).split())})", fix=AGAIN
        ) from error
    lacking = [c for c in columns if c not in table.column_names]
    if lacking:
        raise DataError(
            f"the table {file} has no column {few(lacking)}; it has {few(table.column_names, 20)}",
            expected=f"the columns {', '.join(columns)}",
            fix=AGAIN,
        )
    there = (*columns, *(c for c in optional if c in table.column_names))
    return {c: np.array(table[c].to_pylist(), dtype=object) for c in there}


def integers(values: NDArray[Any], column: str, file: Path) -> NDArray[np.int64]:
    """A column of whole numbers (n,).

    Raises:
        DataError: A cell is no whole number.
    """
    try:
        return values.astype(np.int64)
    except ValueError as error:
        raise DataError(
            f"the column {column!r} of {file} does not hold whole numbers ({error})", fix=AGAIN
        ) from error
