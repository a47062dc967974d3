"""How blocks of several checkpoints become one: every merge method on one streaming path.

A :class:`Rule` is plain data (it goes into a virtual checkpoint as it is); :meth:`Rule.mixer` reads
what must be known of the whole files first and gives the functions that work block by block. They
are those of the in-memory operations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import WeightsError
from .audit import COMPUTED
from .combine import add_deltas
from .lines import layer_depths
from .ops import Side, check_alpha, normalised, weighted_sum, wide
from .scratch import Scratch
from .tensor_file import TensorFile

__all__ = ["Lerp", "LinesRule", "Mean", "Mixer", "Part", "Rule", "Scan", "TaskArithmetic"]

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
        mix: (part, blocks of all sources (n,) as stored, dtype) -> the result (n,) in that dtype,
            which may lie in memory that the thread's next call uses again.
        exact: (part, blocks of all sources in float64) -> the result before rounding, (n,).
        integers: Name -> index of the source that integer tensors are copied from.
    """

    mix: Callable[[Part, Sequence[Tensor], torch.dtype], Tensor]
    exact: Callable[[Part, Sequence[Tensor]], Tensor]
    integers: Callable[[str], int]


@dataclass(frozen=True)
class Rule(ABC):
    """A merge method with its options.

    Attributes:
        integers: Whose integer tensors are taken: "start" the first checkpoint's, "end" the last's.
    """

    name: ClassVar[str]
    temporaries: ClassVar[int] = 6
    """Blocks of 8 bytes a number that are alive at once, for the memory budget."""

    integers: Side = "end"

    @abstractmethod
    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The functions that work block by block.

        Raises:
            AlphaError: A coefficient is out of range.
            WeightsError: Too few checkpoints, or options that do not fit them.
        """

    def options(self) -> dict[str, Any]:
        """The fields, as plain data; of files the names."""
        return dict(vars(self))

    def _integers(self, count: int) -> Callable[[str], int]:
        at = 0 if self.integers == "start" else count - 1
        return lambda name: at


@dataclass(frozen=True)
class Lerp(Rule):
    """(1 - alpha) start + alpha end: WiSE-FT's path (arXiv 2109.01903, section 3).

    Attributes:
        alpha: From 0 to 1.
        extrapolate: Allow alpha outside [0, 1].
    """

    name: ClassVar[str] = "lerp"
    temporaries: ClassVar[int] = 2

    alpha: float = 0.5
    extrapolate: bool = False

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """Two checkpoints, one coefficient."""
        alpha = check_alpha(self.alpha, extrapolate=self.extrapolate)
        return _line(sources, lambda name: alpha, self)


@dataclass(frozen=True)
class LinesRule(Rule):
    """LiNeS: a coefficient alpha + beta * depth for each layer (arXiv 2410.17146, section 3).

    Attributes:
        alpha: At the first block.
        beta: Added to it at the last.
        extrapolate: Allow coefficients outside [0, 1].
    """

    name: ClassVar[str] = "lines"
    temporaries: ClassVar[int] = 2

    alpha: float = 0.5
    beta: float = 0.5
    extrapolate: bool = False

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """Two checkpoints, a coefficient by the depth that a name tells."""
        check_alpha(self.alpha, extrapolate=self.extrapolate)
        check_alpha(self.alpha + self.beta, extrapolate=self.extrapolate)
        depth = layer_depths(sources[0])
        return _line(sources, lambda name: self.alpha + self.beta * depth[name], self)


@dataclass(frozen=True)
class Mean(Rule):
    """sum_i w_i x_i / sum_i w_i: a model soup (arXiv 2203.05482, section 2).

    Integers come from the first checkpoint, as in :func:`~surefoot.weights.weighted_mean`.

    Attributes:
        weights: One per checkpoint; None: the same for all.
    """

    name: ClassVar[str] = "mean"
    temporaries: ClassVar[int] = 3

    weights: tuple[float, ...] | None = None

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """Any number of checkpoints."""
        given = (1.0,) * len(sources) if self.weights is None else self.weights
        shares = normalised(given, len(sources))

        def averaged(part: Part, *xs: Tensor) -> Tensor:
            return weighted_sum(xs, shares, xs[0].dtype)

        return wide_mixer(averaged, range(len(sources)), lambda name: 0)


@dataclass(frozen=True)
class TaskArithmetic(Rule):
    """Start + sum_i scale_i (tuned_i - start) (arXiv 2212.04089, section 2).

    Attributes:
        scales: One per tuned checkpoint; None: 1 for each.
    """

    name: ClassVar[str] = "task-arithmetic"

    scales: tuple[float, ...] | None = None

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then one checkpoint per task."""
        count = len(sources) - 1
        scales = (1.0,) * count if self.scales is None else self.scales
        if not count or len(scales) != count or any(abs(s) == float("inf") or s != s
                                                    for s in scales):  # fmt: skip
            raise WeightsError(
                f"{count} task vectors cannot be added with the scales {list(scales)}",
                expected="the start, then one or more tuned checkpoints, one finite scale each",
            )
        active = [i for i, scale in enumerate(scales) if scale != 0]

        def added(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
            return add_deltas(x, ys, [scales[i] for i in active])

        return wide_mixer(added, [0, *(i + 1 for i in active)], self._integers(len(sources)))


def wide_mixer(
    combine: Callable[..., Tensor], active: Iterable[int], integers: Callable[[str], int]
) -> Mixer:
    """A mixer that computes in a wide dtype and rounds once.

    Args:
        combine: (part, one wide block per active source) -> a wide block.
        active: The sources that take part.
        integers: As in :class:`Mixer`.
    """
    own = list(active)

    def mix(part: Part, tensors: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        taken = [tensors[i] for i in own]
        first = taken[0]
        if all(t.dtype == first.dtype and torch.equal(first, t) for t in taken[1:]):
            return first.to(dtype)
        wider = wide(common_dtype(taken))
        return combine(part, *(t.to(wider) for t in taken)).to(dtype)

    def exact(part: Part, tensors: Sequence[Tensor]) -> Tensor:
        return combine(part, *(tensors[i] for i in own))

    return Mixer(mix, exact, integers)


def common_dtype(tensors: Sequence[Tensor]) -> torch.dtype:
    """What tensors of several floating dtypes are computed in before they are widened."""
    common = tensors[0].dtype
    for tensor in tensors[1:]:
        common = torch.promote_types(common, tensor.dtype)
    return common


def _line(sources: Sequence[TensorFile], alpha_of: Callable[[str], float], rule: Any) -> Mixer:
    """A mixer of two checkpoints with one coefficient per tensor."""
    if len(sources) != 2:
        raise WeightsError(
            f"{rule.name} was given {len(sources)} checkpoint{'s' * (len(sources) != 1)}",
            expected="two, the start and the end",
            fix="for more than two take mean, task-arithmetic, ties, model-stock or fisher",
        )

    scratch = Scratch()

    def held(slot: int, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        if tensor.dtype == dtype:
            return tensor
        return scratch(slot, len(tensor), dtype).copy_(tensor)

    def mix(part: Part, tensors: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """As :func:`~.ops.lerp_tensor` mixes, in memory that the next block uses again."""
        alpha, (x, y) = alpha_of(part.name), tensors
        if alpha in (0, 1):
            return held(3, x if alpha == 0 else y, dtype)
        if x.dtype == y.dtype and torch.equal(x, y):
            return held(3, x, dtype)
        common = torch.promote_types(common_dtype([x, y]), torch.float32)
        mixed = torch.lerp(held(0, x, common), held(1, y, common), alpha,
                           out=scratch(2, len(x), common))  # fmt: skip
        return held(3, mixed, dtype)

    def exact(part: Part, tensors: Sequence[Tensor]) -> Tensor:
        alpha, (x, y) = alpha_of(part.name), tensors
        return x if alpha == 0 else y if alpha == 1 else (1 - alpha) * x + alpha * y

    def integers(name: str) -> int:
        alpha = alpha_of(name)
        return 0 if alpha == 0 or (alpha != 1 and rule.integers == "start") else 1

    return Mixer(mix, exact, integers)


def computed(sources: Sequence[TensorFile]) -> list[str]:
    """Names of the floating tensors, in the order of the first checkpoint."""
    return [name for name in sources[0] if sources[0].dtype(name) in COMPUTED]
