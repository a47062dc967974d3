"""What a merge method does to a block: the functions, and the line between two checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from numpy.typing import NDArray

from .kinds import KINDS, Stored, common_kind
from .line import lerp_stored
from .scratch import Scratch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Mixer", "Part", "Scan", "line_mixer"]

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Numbers ``start`` to ``stop`` of one tensor of ``numel``, in row-major order."""

    name: str
    start: int
    stop: int
    numel: int
    number: int = 0
    """How many parts came before, of any tensor."""


class Scan(Protocol):
    """Reads tensors block by block, in order, by several threads."""

    def __call__(
        self, names: Iterable[str], function: Callable[[Part, list[Tensor]], T]
    ) -> Iterator[tuple[Part, T]]:
        """(part, function(part, one block per source)) for every part of the names."""

    def splits(self, name: str) -> bool:
        """Is this tensor read in more than one part?"""


@dataclass(frozen=True)
class Mixer:
    """What is done to each block.

    Attributes:
        mix: (part, blocks of all sources (n,), number format) -> the result (n,) in that format,
            which may lie in memory that the thread's next call uses again.
        exact: (part, blocks of all sources in float64) -> the result before rounding, (n,).
        integers: Name -> index of the source that integer tensors are copied from.
        carries: Name -> does NaN or Inf in a block of any source show in the result? Then it is
            enough to look at that.
    """

    mix: Callable[[Part, Sequence[Stored], str], Stored]
    exact: Callable[[Part, Sequence[NDArray[Any]]], NDArray[Any]]
    integers: Callable[[str], int]
    carries: Callable[[str], bool] = lambda name: False


def line_mixer(
    alpha_of: Callable[[str], float], between: Callable[[float], int], scratch: Scratch
) -> Mixer:
    """A mixer of two checkpoints with one coefficient per tensor.

    Where torch is loaded it computes, in one pass; without it numpy does, in several, with the
    same result bit for bit. Importing torch takes longer than they do.

    Args:
        alpha_of: Name -> the share of the second checkpoint.
        between: Share -> which checkpoint integers are taken from.
        scratch: Memory of the threads.
    """
    by_torch = _torch_is_loaded()

    def mix(part: Part, blocks: Sequence[Stored], kind: str) -> Stored:
        alpha, (x, y) = alpha_of(part.name), blocks
        one = x if alpha != 1 else y
        copied = alpha in (0, 1) or x.equals(y)
        if copied and one.kind == kind:
            return one
        if not by_torch:
            return lerp_stored(x, y, alpha if not copied or alpha == 1 else 0, kind, scratch)
        return _by_torch(one, one if copied else y, alpha, kind, scratch)

    def exact(part: Part, blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
        alpha, (x, y) = alpha_of(part.name), blocks
        return x if alpha == 0 else y if alpha == 1 else (1 - alpha) * x + alpha * y

    # What is not finite stays so in y - x and in every multiple of it but the one by 0.
    return Mixer(mix, exact, lambda name: between(alpha_of(name)),
                 carries=lambda name: alpha_of(name) not in (0, 1))  # fmt: skip


def _torch_is_loaded() -> bool:
    return "torch" in sys.modules


def _by_torch(x: Stored, y: Stored, alpha: float, kind: str, scratch: Scratch) -> Stored:
    """:func:`~.ops.lerp_tensor` in memory that is used again; where ``x`` is ``y`` it is copied."""
    import torch

    def held(slot: str, stored: Stored, target: str) -> Stored:
        if stored.kind == target:
            return stored
        room = Stored(target, scratch(slot, len(stored) * KINDS[target].size))
        room.tensor().copy_(stored.tensor())
        return room

    if x is y:
        return held("mixed", x, kind)
    common = common_kind([x.kind, y.kind, "F32"])
    mixed = Stored(common, scratch("lerp", len(x) * KINDS[common].size))
    a, b = held("x", x, common), held("y", y, common)
    torch.lerp(a.tensor(), b.tensor(), alpha, out=mixed.tensor())
    return held("mixed", mixed, kind)
