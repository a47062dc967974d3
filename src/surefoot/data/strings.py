"""A million strings in one buffer: 8 bytes and the text itself for each, no object per string."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Strings", "natural"]


class Strings(Sequence[str]):
    """An immutable sequence of strings, kept as joined UTF-8 bytes with offsets.

    A list of a million paths costs some 120 MB and is copied page by page into every forked
    worker, because reading a Python string writes its reference count; this costs the text.

    Args:
        values: The strings; file names that are no UTF-8 survive (surrogate escapes).
    """

    def __init__(self, values: Iterable[str]) -> None:
        joined = bytearray()
        ends = array("q", [0])
        for value in values:
            joined += value.encode("utf-8", "surrogateescape")
            ends.append(len(joined))
        self._offsets: NDArray[np.int64] = np.frombuffer(ends, dtype=np.int64)
        self._bytes = joined

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"string {index} of {len(self)}")
        start, end = int(self._offsets[at]), int(self._offsets[at + 1])
        return self._bytes[start:end].decode("utf-8", "surrogateescape")


def natural(names: Iterable[str]) -> list[str]:
    """Distinct names in order: as numbers when all are numbers ("2" before "10"), else as text.

    ImageNetV2's folders are called 0 to 999; read as text they would give other labels.
    """
    distinct = sorted(set(names))
    if all(n.isdecimal() and n.isascii() for n in distinct):
        distinct.sort(key=lambda n: (int(n), n))
    return distinct
