"""Number formats of checkpoint files, and blocks of numbers as they are stored; without torch.

Merging two files needs no more than this and numpy, so that the command does not wait for torch,
whose import takes longer than many a merge. bfloat16, which numpy does not know, is handled by its
bits: the upper half of a float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["COMPUTED_KINDS", "KINDS", "Bytes", "Kind", "Stored", "TensorLayout", "common_kind",
           "kind_of", "narrow", "widen"]  # fmt: skip

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Kind:
    """A number format: torch's name of it, bytes a number, and the array that holds its bits."""

    name: str
    size: int
    array: str


KINDS: dict[str, Kind] = {
    "F64": Kind("float64", 8, "f8"), "F32": Kind("float32", 4, "f4"),
    "F16": Kind("float16", 2, "f2"), "BF16": Kind("bfloat16", 2, "u2"),
    "I64": Kind("int64", 8, "i8"), "I32": Kind("int32", 4, "i4"),
    "I16": Kind("int16", 2, "i2"), "I8": Kind("int8", 1, "i1"),
    "U64": Kind("uint64", 8, "u8"), "U32": Kind("uint32", 4, "u4"),
    "U16": Kind("uint16", 2, "u2"), "U8": Kind("uint8", 1, "u1"), "BOOL": Kind("bool", 1, "u1"),
    "C64": Kind("complex64", 8, "c8"),
    "F8_E4M3": Kind("float8_e4m3fn", 1, "u1"), "F8_E5M2": Kind("float8_e5m2", 1, "u1"),
}  # fmt: skip
"""Formats by their names in a safetensors header."""

COMPUTED_KINDS = frozenset({"F16", "BF16", "F32", "F64"})
"""Those that are computed with; integers and booleans are copied, anything else is refused."""

_BY_NAME = {kind.name: key for key, kind in KINDS.items()}

_INFINITE = {"F16": 0x7C00, "BF16": 0x7F80}
"""The exponent's bits: all of them are set in infinities and NaN."""


def kind_of(dtype: torch.dtype) -> str:
    """The name of a torch dtype in :data:`KINDS`; torch's own name of one that is not there."""
    name = str(dtype).removeprefix("torch.")
    return _BY_NAME.get(name, name)


def common_kind(kinds: list[str]) -> str:
    """What floating kinds are computed in together: the widest; float32 for the two halves."""
    own = set(kinds)
    if own == {"F16", "BF16"}:
        return "F32"
    return max(own, key=lambda kind: KINDS[kind].size)


@dataclass(frozen=True)
class TensorLayout:
    """A tensor without its numbers.

    Attributes:
        kind: A name of :data:`~.dtypes.KINDS`, or torch's own of a format that is not there.
        shape: Of the tensor.
        layout: "strided", or how else it is kept.
    """

    kind: str
    shape: tuple[int, ...]
    layout: str = "strided"


@dataclass(frozen=True)
class Stored:
    """A block of numbers as they are stored.

    Attributes:
        kind: A name of :data:`KINDS`.
        data: (bytes,) of it.
    """

    kind: str
    data: Bytes

    def __len__(self) -> int:
        return len(self.data) // KINDS[self.kind].size

    @property
    def array(self) -> NDArray[Any]:
        """The same memory as numbers, (n,); bfloat16 as its bits."""
        return self.data.view(KINDS[self.kind].array)

    def tensor(self) -> Tensor:
        """The same memory as a tensor, (n,)."""
        import torch

        return torch.from_numpy(self.data).view(getattr(torch, KINDS[self.kind].name))

    def equals(self, other: Stored) -> bool:
        """The same format and numbers (0.0 is -0.0, and NaN nothing)."""
        if self.kind != other.kind:
            return False
        # Most blocks differ at once, and need no second look.
        return all(np.array_equal(self.part(0, n)._numbers(), other.part(0, n)._numbers())
                   for n in (64, max(len(self), len(other))))  # fmt: skip

    def finite(self) -> bool:
        """No NaN and no infinity; true of integers."""
        if self.kind not in COMPUTED_KINDS or not len(self):
            return True
        numbers = self.array
        if self.kind in _INFINITE:
            mask = np.uint16(_INFINITE[self.kind])
            return not bool(np.any((numbers.view(np.uint16) & mask) == mask))
        # min and max carry NaN along, and need no array of the same size.
        return bool(np.isfinite(numbers.min()) and np.isfinite(numbers.max()))

    def holds_nan(self) -> bool:
        """Is one of the (floating) numbers NaN?"""
        return bool(np.isnan(self.widened()).any())

    def widened(self, wide: str = "F32") -> NDArray[Any]:
        """The numbers in float32 (or "F64"), (n,): the same memory where they are that already."""
        return self._numbers().astype(KINDS[wide].array, copy=False)

    def _numbers(self) -> NDArray[Any]:
        """As numpy can compute with them: bfloat16 in float32, anything else as it is."""
        if self.kind == "BF16":
            return widen(self, Stored("F32", np.empty(4 * len(self), dtype=np.uint8)))
        return self.array

    def part(self, start: int, stop: int) -> Stored:
        """Numbers ``start`` to ``stop`` of it, in the same memory."""
        size = KINDS[self.kind].size
        return Stored(self.kind, self.data[start * size : stop * size])


def widen(stored: Stored, room: Stored) -> NDArray[Any]:
    """Write floating numbers to ``room``, of a wider format; (n,) as an array."""
    wide = room.array
    if stored.kind != "BF16":
        np.copyto(wide, stored.array)
        return wide
    bits = wide.view(np.uint32)[: len(stored)]
    np.copyto(bits, stored.array)
    np.left_shift(bits, np.uint32(16), out=bits)
    if room.kind != "F32":
        np.copyto(wide, bits.view(np.float32).copy())
    return wide


def narrow(numbers: Stored, into: Stored, room: NDArray[np.uint32]) -> None:
    """Round float32 or float64 to nearest, ties to even, into a block of another floating format.

    Args:
        numbers: (n,).
        into: (n,).
        room: (n,), overwritten.
    """
    with np.errstate(over="ignore"):  # what is too large becomes Inf; the caller looks for it
        if into.kind != "BF16":
            np.copyto(into.array, numbers.array, casting="same_kind")
            return
        single = numbers.array.astype(np.float32, copy=False)
    bits = single.view(np.uint32)
    np.right_shift(bits, np.uint32(16), out=room)
    np.bitwise_and(room, np.uint32(1), out=room)
    np.add(room, np.uint32(0x7FFF), out=room)
    np.add(room, bits, out=room)
    np.right_shift(room, np.uint32(16), out=room)
    np.copyto(into.array, room, casting="same_kind")
    if len(single) and np.isnan(single.min()):  # min carries NaN along
        # Its bits may have been rounded to those of an infinity.
        np.copyto(into.array, np.uint16(0x7FC0), where=np.isnan(single))
