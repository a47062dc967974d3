"""Which images hang together: the unit of a split, named by a column or by a level of folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..registry import nearest
from .dataset import Split

__all__ = ["assumed", "check_unit", "with_unit"]

_LEVEL = re.compile(r"folder:([1-9]\d?)")
_EXPECTED = "the name of a column, or folder:1 for the folder that each file lies in (folder:2: \
the one above)"


def check_unit(unit: str) -> str:
    """A unit as typed, unchanged.

    Raises:
        ValueError: It is empty, or "folder:" without a level from 1 on.
    """
    if not unit.strip() or (unit.startswith("folder:") and not _LEVEL.fullmatch(unit)):
        raise ValueError(f"{unit!r} names no unit: expected {_EXPECTED}")
    return unit


def with_unit(split: Split, unit: str) -> Split:
    """The split with a unit: images with the same value hang together, in whichever split.

    A set that brings its own unit keeps it where it has no such column.

    Args:
        split: The images.
        unit: A column of the metadata; or "folder:N", the N-th level of folders above each file
            (1: the folder that it lies in), which becomes a column of that name. Folders of one
            name are one unit, wherever they lie.

    Raises:
        DataError: There is no such column or level, it has no value for some images, or the
            folders are the classes.
    """
    level = _LEVEL.fullmatch(unit)
    if level is None:
        if unit not in split.metadata and split.unit is not None:
            return split
        return replace(split, unit=unit, metadata=_with(split, unit, _column(split, unit)))
    folders = _folders(split, unit, int(level[1]))
    return replace(split, unit=unit, metadata=_with(split, unit, folders))


def assumed(splits: Iterable[Split]) -> str:
    """What is taken for granted about splits that name no unit, as a note; "" where all do."""
    names = [s.name for s in splits if s.unit is None]
    if not names:
        return ""
    return (
        f"each image is taken as independent ({', '.join(names)}): nothing says which hang "
        "together (a unit would: --unit COLUMN or --unit folder:1)"
    )


def _with(split: Split, name: str, column: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {**split.metadata, name: column}


def _column(split: Split, unit: str) -> NDArray[Any]:
    """A column with a value for every image, (n,)."""
    columns = [c for c in split.metadata if not c.startswith("folder:")]
    if unit not in split.metadata:
        close = nearest(unit, columns, 1)
        raise DataError(
            f"{_where(split)} has no column {unit!r}, which is to say what hangs together"
            + (f"; is it {close[0]!r}?" if close else ""),
            expected=f"one of {', '.join(columns)}, in every split" if columns
            else "a table or shards with such a column, or folder:1, the folder of each file",
            fix="name another column, or folder:1 (--unit)",
        )  # fmt: skip
    column = split.metadata[unit]
    _require_values(split, f"column {unit!r}", _lacking(column))
    return column


def _lacking(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Which images (n,) have no value: NaN, no date, or an empty text."""
    if column.dtype.kind in "fcmM":
        return np.asarray(np.isnan(column))
    if column.dtype.kind in "US":
        return np.asarray(np.char.strip(column) == column.dtype.type())
    if column.dtype.kind != "O":
        return np.zeros(len(column), dtype=np.bool_)
    return np.array([v is None or v != v or not str(v).strip() for v in column], dtype=np.bool_)


def _require_values(split: Split, what: str, lacking: NDArray[np.bool_]) -> None:
    """Every image belongs to a unit, or none of it can be trusted."""
    rows = np.flatnonzero(lacking)
    if len(rows) == len(split):
        raise DataError(
            f"the {what} of {_where(split)} is empty",
            expected="a value for every image, which says what it hangs together with",
            fix="fill it in, or name another unit (--unit)",
        )
    if len(rows):
        first = ", ".join(split.images.id(int(i)) for i in rows[:4])
        raise DataError(
            f"{len(rows)} of {len(split)} images of {_where(split)} have no value in the {what} "
            f"({first}{', ...' * (len(rows) > 4)})",
            expected="a value for every image, which says what it hangs together with",
            fix="fill them in (an image that stands for itself gets a value of its own), or leave "
            "those rows out",
        )


def _folders(split: Split, unit: str, level: int) -> NDArray[Any]:
    """The name of a folder above each file, (n,)."""
    parts = [re.split(r"[/\\]", split.images.id(i)) for i in range(len(split))]
    names = np.array([p[-1 - level] if len(p) > level else "" for p in parts], dtype=np.str_)
    if not (names != "").any():
        depth = max(map(len, parts)) - 1
        lie = f"lie {depth} deep" if depth else "do not lie in folders"
        raise DataError(
            f"the images of {_where(split)} {lie}: there is no {unit}",
            expected=f"a level from 1 to {depth}"
            if depth
            else "a column that says what hangs together",
            fix="name a column or a lower level (--unit)",
        )
    _require_values(split, f"level {unit!r}", names == "")
    if split.labels is not None and (names == np.array(split.class_names)[split.labels]).all():
        raise DataError(
            f"{unit} of {_where(split)} is the class of each image, and no unit within it",
            expected="a level of folders below the class folders, DIR/cat/patient7/1.jpg",
            fix="name a column or a lower level (--unit)",
        )
    return names


def _where(split: Split) -> str:
    return f"{split.name!r}" + (f" ({split.source})" if split.source else "")
