"""What a merge method does to a block: the functions, and the line between two checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from numpy.typing import NDArray

from .dtypes import Stored
from .lerp_blocks import lerp_stored
from .scratch import Scratch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Mixer", "Part", "Read", "Scan", "line_mixer"]

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


class Read(Protocol):
    """Reads tensors block by block, in order."""

    def __call__(
        self, names: Iterable[str], function: Callable[[Part, list[Tensor]], T]
    ) -> Iterator[tuple[Part, T]]:
        """(part, function(part, one block per source)) for every part of the names."""


class Scan(Read, Protocol):
    """The same by several threads."""

    def splits(self, name: str) -> bool:
        """Is this tensor read in more than one part?"""

    def alone(
        self, names: Iterable[str], function: Callable[[Part, list[Tensor]], T]
    ) -> Iterator[tuple[Part, T]]:
        """The same as a call, all by the thread that asks."""

    def each(self, names: Sequence[str], function: Callable[[str], T]) -> Iterator[T]:
        """``function`` of every name, in order, by several threads: it may read :meth:`alone`."""


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
        pointwise: Does a number of the result depend on that number of the sources alone? Then
            ``exact`` may be given any part.
    """

    mix: Callable[[Part, Sequence[Stored], str], Stored]
    exact: Callable[[Part, Sequence[NDArray[Any]]], NDArray[Any]]
    integers: Callable[[str], int]
    carries: Callable[[str], bool] = lambda name: False
    pointwise: bool = False


def line_mixer(
    alpha_of: Callable[[str], float], between: Callable[[float], int], scratch: Scratch
) -> Mixer:
    """A mixer of two checkpoints with one coefficient per tensor.

    numpy computes, with the bits of :func:`~.ops.lerp_tensor`: importing torch can take longer
    than the whole merge.

    Args:
        alpha_of: Name -> the share of the second checkpoint.
        between: Share -> which checkpoint integers are taken from.
        scratch: Memory of the threads.
    """

    def mix(part: Part, blocks: Sequence[Stored], kind: str) -> Stored:
        alpha, (x, y) = alpha_of(part.name), blocks
        one = x if alpha != 1 else y
        copied = alpha in (0, 1) or x.equals(y)
        if copied and one.kind == kind:
            return one
        return lerp_stored(x, y, alpha if not copied or alpha == 1 else 0, kind, scratch)

    def exact(part: Part, blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
        alpha, (x, y) = alpha_of(part.name), blocks
        return x if alpha == 0 else y if alpha == 1 else (1 - alpha) * x + alpha * y

    # What is not finite stays so in y - x and in every multiple of it but the one by 0.
    return Mixer(mix, exact, lambda name: between(alpha_of(name)),
                 carries=lambda name: alpha_of(name) not in (0, 1), pointwise=True)  # fmt: skip
