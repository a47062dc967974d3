"""Reads a CSV or Parquet table: images by path or as bytes, labels, captions, metadata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImages, DataError
from ..inventory import Note
from ..registry import nearest
from .dataset import Domain, Split, Use
from .embedded import parquet_images
from .grouping import label_names, metadata_column, parts_for
from .images import EncodedImages, FileImages
from .strings import Strings

__all__ = ["TABLE", "Columns", "from_table"]

TABLE = (
    "a CSV or Parquet table with a column path (or image, holding encoded bytes) and a column "
    "label and/or caption"
)
_ROW = "__row__"


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


def from_table(
    path: str | os.PathLike[str],
    *,
    name: str,
    domain: Domain,
    use: Use,
    root: str | os.PathLike[str] | None = None,
    where: str | None = None,
    class_names: Sequence[str] | None = None,
    columns: Columns | None = None,
    skip_missing: bool = False,
) -> Split:
    """A split from a table.

    Args:
        path: ``*.csv`` or ``*.parquet``.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test". If the table has a column ``split`` and there is no
            ``where``, only the rows of this use are taken, by any spelling (train, training), and
            a note says so.
        root: Folder that paths start from; the table's own by default.
        where: Filter, ``column=value``; several, joined by commas, must all hold.
        class_names: The label order wanted (that of the training set).
        columns: Names of the columns, where they differ from the defaults.
        skip_missing: Leave out rows whose file is missing, with a note, instead of stopping.

    Raises:
        DataError: The table cannot be read, lacks columns, or has rows without a label.
        BadImages: Files are missing; they are counted and the first ten listed.
        ClassMismatch: A label that ``class_names`` does not have.
    """
    file, names = Path(path), columns or Columns()
    table = _read(file, names)
    shown = [names.image if c == _ROW else c for c in table.column_names]
    _require_columns(shown, names, file)
    table, notes = _selected(table, file, names, use, where)
    images, there, missing_note = _images(table, file, names, root, skip_missing)
    if there is not None:
        table = table.take(there)
        notes += missing_note
    labels, classes = None, tuple(class_names or ())
    if names.label in table.column_names:
        labels, classes = label_names(*_encoded(table[names.label]), class_names, where=str(file))
    used = {names.path, names.image, names.label, names.caption, names.id, _ROW}
    return Split(
        name=name,
        images=images,
        labels=labels,
        class_names=classes,
        domain=domain,
        use=use,
        captions=_texts(table, names.caption),
        metadata=_metadata(table, used),
        source=str(file),
        notes=notes,
    )


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
    try:
        if file.suffix.lower() == ".parquet":
            return _read_parquet(file, names)
        text = dict.fromkeys((names.path, names.label, names.caption, names.id), pa.string())
        return pyarrow.csv.read_csv(
            file,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=text),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"the table {file} cannot be read ({' '.join(str(error).split())})",
            expected=TABLE,
            fix="mend the file, or write it anew (with pandas or Python's csv module, say)",
        ) from error


def _read_parquet(file: Path, names: Columns) -> Any:
    """Everything but embedded images, for which the row number is kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pq.read_schema(file).names
    if names.path in found or names.image not in found:
        return pq.read_table(file)
    table = pq.read_table(file, columns=[c for c in found if c != names.image])
    rows = pa.array(np.arange(pq.read_metadata(file).num_rows, dtype=np.int64))
    return table.append_column(_ROW, rows)


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


def _selected(
    table: Any, file: Path, names: Columns, use: Use, where: str | None
) -> tuple[Any, tuple[str, ...]]:
    """The rows that the filter, or the column ``split``, selects; and a note on it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if where is None:
        if names.split not in table.column_names:
            return table, ()
        values = table[names.split].cast("string")
        parts = [v for v in pc.unique(values).to_pylist() if v]
        mine = parts_for(use, parts, where=str(file), name=f"{file}:{names.split}=")
        if not mine:
            return table, (f"all {table.num_rows} rows of {file.name} are taken: its column "
                           f"{names.split} names no train, val or test",)  # fmt: skip
        kept = table.filter(pc.is_in(values, value_set=pa.array(mine)))
        return kept, (_taken(file, f"{names.split}={' or '.join(mine)}", kept, table),)
    whole = table
    for condition in where.split(","):
        column, _, value = (part.strip() for part in condition.partition("="))
        if column not in table.column_names:
            raise DataError(
                f"the filter {condition!r} names no column of {file}",
                expected=f"column=value, with a column of {', '.join(table.column_names)}",
            )
        values = table[column].cast("string")
        kept = table.filter(pc.equal(values, value))
        if not kept.num_rows:
            there = [str(v) for v in pc.unique(values).to_pylist()[:12]]
            raise DataError(
                f"no row of {file} has {column}={value}",
                expected=f"one of {', '.join(there)}",
                fix="correct the filter",
            )
        table = kept
    return table, (_taken(file, where, table, whole),)


def _taken(file: Path, condition: str, kept: Any, whole: Any) -> str:
    """How many rows a condition takes, and what becomes of the others."""
    gone = whole.num_rows - kept.num_rows
    rest = "; the others are left out" if gone else ""
    said = f"rows of {file.name} with {condition}: {kept.num_rows} of {whole.num_rows}{rest}"
    return Note(said, "left out", rows=gone, short=f"rows with {condition}")


def _images(
    table: Any,
    file: Path,
    names: Columns,
    root: str | os.PathLike[str] | None,
    skip_missing: bool,
) -> tuple[EncodedImages, NDArray[np.int64] | None, tuple[str, ...]]:
    """The images; and, when rows had to be left out, the rows kept (n,) with a note."""
    if names.path not in table.column_names:
        return _embedded(table, file, names), None, ()
    base = Path(root) if root is not None else file.parent
    paths = _texts(table, names.path)
    assert paths is not None  # the column is there
    images = FileImages(base, paths)
    gone = [i for i in range(len(images)) if not (paths[i] and os.path.isfile(images.path(i)))]
    if not gone:
        return images, None, ()
    listed = [(paths[i] or f"row {i + 1}", "the file is missing") for i in gone]
    if not skip_missing or len(gone) == len(images):
        raise BadImages(listed, where=f"{file} (paths start from {base.absolute()})")
    kept = np.delete(np.arange(len(images), dtype=np.int64), gone)
    said = f"{len(gone)} of {len(images)} files named in {file.name} are missing and left out"
    note = Note(said, "left out", rows=len(gone))
    return FileImages(base, Strings(paths[int(i)] for i in kept)), kept, (note,)


def _embedded(table: Any, file: Path, names: Columns) -> EncodedImages:
    """Images held by a Parquet file, at the rows that are left."""
    if _ROW not in table.column_names:
        raise DataError(
            f"the column {names.image!r} of {file} holds text, not encoded images",
            expected=TABLE,
            fix=f"call it {names.path!r} if it holds file names",
        )
    rows = table[_ROW].to_numpy()
    ids = _texts(table, names.id) or Strings(f"row{int(i)}" for i in rows)
    return parquet_images(file, names.image, rows, ids, expected=TABLE)


def _texts(table: Any, name: str) -> Strings | None:
    """A column as strings ("" where empty), or None without that column."""
    if name not in table.column_names:
        return None
    chunks = table[name].cast("string").chunks
    return Strings(v or "" for chunk in chunks for v in chunk.to_pylist())


def _encoded(column: Any) -> tuple[NDArray[np.int64], list[Any]]:
    """A column as codes (n,), -1 where empty, and distinct values."""
    import pyarrow as pa

    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = pa.concat_arrays(joined.chunks)
    coded = joined if pa.types.is_dictionary(joined.type) else joined.dictionary_encode()
    codes = coded.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, coded.dictionary.to_pylist()


def _metadata(table: Any, used: set[str]) -> dict[str, NDArray[Any]]:
    """Every other column whose values are plain; lists and structs are left out."""
    import pyarrow as pa

    nested = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_null)
    return {
        field.name: metadata_column(*_encoded(table[field.name]))
        for field in table.schema
        if field.name not in used and not any(is_kind(field.type) for is_kind in nested)
    }
