"""Images inside a Parquet file: small columns stay in memory, large ones go to a scratch file."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .images import EncodedImages, MemoryImages, RangeImages
from .strings import Strings

__all__ = ["parquet_images"]

_IN_MEMORY = 64 * 2**20
"""Bytes of encoded images that are kept in memory."""


def parquet_images(
    file: Path, column: str, rows: NDArray[np.int64], ids: Strings, *, expected: str
) -> EncodedImages:
    """The images of some rows of a Parquet file.

    Parquet has no random access to a row. A column of more than 64 MiB is therefore copied once,
    row group by row group, to a scratch file that goes when the images go; memory stays small.

    Args:
        file: The Parquet file.
        column: Holds binaries, or Hugging Face's struct of bytes and path.
        rows: (n,) ascending.
        ids: n names.
        expected: Shape of the table, for the message.

    Raises:
        DataError: The column holds something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file)
    kind = source.schema_arrow.field(column).type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(
            f"the column {column!r} of {file} holds {kind}, not encoded images",
            expected=expected,
            fix="call it 'path' if it holds file names",
        )
    stored = source.metadata
    total = sum(
        chunk.total_uncompressed_size
        for group in range(stored.num_row_groups)
        for chunk in map(stored.row_group(group).column, range(stored.num_columns))
        if chunk.path_in_schema.split(".")[0] == column
    )
    values = _values(source, column, rows)
    if total <= _IN_MEMORY:
        return MemoryImages(pa.array(values(), type=pa.large_binary()), ids)
    return _spilled(values, len(rows), ids)


def _values(
    source: Any, column: str, rows: NDArray[np.int64]
) -> Callable[[], Iterator[bytes | None]]:
    """A function that walks the bytes at ``rows``, a few at a time."""

    def walk() -> Iterator[bytes | None]:
        start = 0
        for batch in source.iter_batches(batch_size=256, columns=[column]):
            inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
            values = batch.column(0)
            for row in (inside - start).tolist():
                cell = values[row].as_py()
                yield cell["bytes"] if isinstance(cell, dict) else cell
            start += len(batch)

    return walk


class _Spilled(RangeImages):
    """Ranges of a scratch file that is removed with the images, by the process that wrote it."""

    def keep(self, path: str) -> None:
        self._finalizer = weakref.finalize(self, _remove, path, os.getpid())

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_finalizer"}


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not a forked worker that ends earlier
        Path(path).unlink(missing_ok=True)


def _spilled(walk: Callable[[], Iterator[bytes | None]], n: int, ids: Strings) -> RangeImages:
    sizes = np.zeros(n, dtype=np.int64)
    handle, path = tempfile.mkstemp(prefix="surefoot-images-")
    try:
        with os.fdopen(handle, "wb") as out:
            for i, data in enumerate(walk()):
                sizes[i] = out.write(data or b"")
    except BaseException:
        os.unlink(path)
        raise
    images = _Spilled([path], np.zeros(n, dtype=np.int32), np.cumsum(sizes) - sizes, sizes, ids)
    images.keep(path)
    return images
