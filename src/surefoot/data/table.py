"""Reads a CSV or Parquet table: images by path or as bytes, labels, captions, metadata."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadImages, DataError
from ..inventory import Note
from .building import Found, built
from .dataset import Domain, Split, Use
from .embedded import parquet_images
from .grouping import by_number, metadata_column, not_classes, parts_for
from .images import EncodedImages, FileImages
from .strings import Strings
from .table_file import ROW, TABLE, Columns, read_table

__all__ = ["Columns", "from_table"]


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
        path: ``*.csv`` (or ``*.tsv``; what separates its columns is read off its first line) or
            ``*.parquet``, whose Hugging Face metadata may name the classes.
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
    table, names, notes = read_table(file, names)
    found = _Rows(table, file, names, notes)
    found.select(use, where)
    return built(
        found.held(root, skip_missing), name=name, domain=domain, use=use, class_names=class_names
    )


class _Rows:
    """The rows of a table while they are chosen: what is left, and what was left out.

    Args:
        table: A ``pyarrow`` table.
        file: Where it was read.
        names: Of its columns.
        notes: About it.
    """

    def __init__(self, table: Any, file: Path, names: Columns, notes: Sequence[str]) -> None:
        self.table, self.file, self.names, self.notes = table, file, names, [*notes]
        self.left_out: dict[str, int] = {}

    def select(self, use: Use, where: str | None) -> None:
        """The rows that the filter, or the column ``split``, selects."""
        import pyarrow as pa
        import pyarrow.compute as pc

        whole, file, column = self.table.num_rows, self.file, self.names.split
        for condition in () if where is None else where.split(","):
            self._filter(condition)
        if where is None and column in self.table.column_names:
            values = self.table[column].cast("string")
            parts = [v for v in pc.unique(values).to_pylist() if v]
            mine = parts_for(use, parts, where=str(file), name=f"{file}:{column}=")
            if not mine:
                said = (f"all {whole} rows of {file.name} are taken: its column {column} names no "
                        "train, val or test")  # fmt: skip
                self.notes.append(Note(said, "guessed", say=f"{file}:{column}=VALUE"))
                return
            self.table = self.table.filter(pc.is_in(values, value_set=pa.array(mine)))
            where = f"{column}={' or '.join(mine)}"
        if where is not None:
            kept = self.table.num_rows
            rest = "; the others are left out" if kept < whole else ""
            said = f"rows of {file.name} with {where}: {kept} of {whole}{rest}"
            if rest:
                self.left_out[said] = whole - kept
            else:
                self.notes.append(said)

    def _filter(self, condition: str) -> None:
        import pyarrow.compute as pc

        column, _, value = (part.strip() for part in condition.partition("="))
        if column not in self.table.column_names:
            raise DataError(
                f"the filter {condition!r} names no column of {self.file}",
                expected=f"column=value, with a column of {', '.join(self.table.column_names)}",
            )
        values = self.table[column].cast("string")
        kept = self.table.filter(pc.equal(values, value))
        if not kept.num_rows:
            there = [str(v) for v in pc.unique(values).to_pylist()[:12]]
            raise DataError(
                f"no row of {self.file} has {column}={value}",
                expected=f"one of {', '.join(there)}",
                fix="correct the filter",
            )
        self.table = kept

    def held(self, root: str | os.PathLike[str] | None, skip_missing: bool) -> Found:
        """What the rows that are left hold."""
        embedded = self.names.path not in self.table.column_names
        images = (
            _embedded(self.table, self.file, self.names)
            if embedded
            else self._files(Path(root) if root is not None else self.file.parent, skip_missing)
        )
        table, names = self.table, self.names
        found = Found(images, str(self.file), captions=_texts(table, names.caption),
                      metadata=_metadata(table, {*_used(names), ROW}), notes=self.notes,
                      left_out=self.left_out)  # fmt: skip
        if names.label in table.column_names:
            _add_labels(found, table, names.label, self.file)
        return found

    def _files(self, base: Path, skip_missing: bool) -> FileImages:
        """The images by their paths; rows without a file are refused, or left out."""
        paths = _texts(self.table, self.names.path)
        assert paths is not None  # the column is there
        paths = self._with_slashes(base, paths)
        images = FileImages(base, paths)
        gone = [i for i in range(len(images)) if not (paths[i] and os.path.isfile(images.path(i)))]
        if not gone:
            return images
        if not skip_missing or len(gone) == len(images):
            listed = [(paths[i] or f"row {i + 1}", _why_gone(paths[i])) for i in gone]
            raise BadImages(listed, where=f"{self.file} (paths start from {base.absolute()})")
        kept = np.delete(np.arange(len(images), dtype=np.int64), gone)
        self.table = self.table.take(kept)
        said = f"{len(gone)} of {len(images)} files named in {self.file.name} are missing and left"
        self.left_out[f"{said} out"] = len(gone)
        return FileImages(base, Strings(paths[int(i)] for i in kept))

    def _with_slashes(self, base: Path, paths: Strings) -> Strings:
        """Windows' separators, where this system has others and no file is called so."""
        odd = [i for i, p in enumerate(paths) if "\\" in p and not os.path.exists(base / p)]
        if not odd or os.sep == "\\":
            return paths
        said = f"backslashes in {len(odd)} paths of {self.file.name} are read as slashes"
        self.notes.append(Note(said, "guessed", say="by writing slashes"))
        changed = set(odd)
        return Strings(p.replace("\\", "/") if i in changed else p for i, p in enumerate(paths))


def _why_gone(path: str) -> str:
    far = re.match(r"[a-z][a-z0-9+.-]+:/", path, re.IGNORECASE)
    return "an address, not a file on this machine" if far else "the file is missing"


def _used(names: Columns) -> set[str]:
    return {names.path, names.image, names.label, names.caption, names.id}


def _add_labels(found: Found, table: Any, column: str, file: Path) -> None:
    """Codes and values of the label column; a ClassLabel's numbers by its names."""
    import pyarrow as pa

    kind = table.schema.field(column).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(plain):
        raise not_classes(str(file), column, f"{plain} in each row")
    found.codes, found.values = _encoded(table[column])
    listed = _class_label(table.schema.metadata, column)
    if listed:
        numbers = found.values
        found.values = by_number(numbers, listed, where=str(file))
        found.order = listed if found.values != numbers else None


def _class_label(metadata: Any, column: str) -> list[str]:
    """Names of the classes that the metadata of a Hugging Face Parquet file list."""
    try:
        about = json.loads((metadata or {}).get(b"huggingface") or b"{}")
        feature = about["info"]["features"][column]
        return [str(n) for n in feature["names"]] if feature["_type"] == "ClassLabel" else []
    except (ValueError, KeyError, TypeError):
        return []


def _embedded(table: Any, file: Path, names: Columns) -> EncodedImages:
    """Images held by a Parquet file, at the rows that are left."""
    if ROW not in table.column_names:
        raise DataError(
            f"the column {names.image!r} of {file} holds text, not encoded images",
            expected=TABLE,
            fix=f"call it {names.path!r} if it holds file names",
        )
    rows = table[ROW].to_numpy()
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
