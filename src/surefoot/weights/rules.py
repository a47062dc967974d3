"""Merge methods with their options, as plain data; every one on one streaming path.

A :class:`Rule` goes into a virtual checkpoint as it is. :meth:`Rule.mixer` reads what must be known
of the whole files first and gives the functions that work block by block, which are those of the
in-memory operations. All but those of a line between two checkpoints need torch, and import it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..errors import UnknownName, WeightsError
from ..registry import nearest
from .alpha import Side, check_alpha
from .depths import layer_depths
from .mixing import Mixer, Scan, line_mixer
from .scratch import Scratch
from .tensor_file import TensorFile

__all__ = ["MERGE_METHODS", "FisherRule", "Lerp", "LinesRule", "Mean", "ModelStockRule", "Rule",
           "TaskArithmetic", "Ties", "make_rule"]  # fmt: skip


@dataclass(frozen=True)
class Rule(ABC):
    """A merge method with its options.

    Attributes:
        integers: Whose integer tensors are taken: "start" the first checkpoint's, "end" the last's.

    Example:
        >>> sf.weights.Lerp(alpha=0.25).name, sf.weights.Lerp(alpha=0.25).alpha
        ('lerp', 0.25)
    """

    name: ClassVar[str]
    temporaries: ClassVar[int] = 6
    """Blocks of 8 bytes a number that are alive at once, for the memory budget."""
    by_torch: ClassVar[bool] = True
    """Does it compute by torch, rather than by numpy alone?"""

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

    Example:
        >>> sf.weights.Lerp(alpha=0.25)
        Lerp(integers='end', alpha=0.25, extrapolate=False)
    """

    name: ClassVar[str] = "lerp"
    temporaries: ClassVar[int] = 2
    by_torch: ClassVar[bool] = False

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

    Example:
        >>> sf.weights.LinesRule(alpha=0.3, beta=0.7)
        LinesRule(integers='end', alpha=0.3, beta=0.7, extrapolate=False)
    """

    name: ClassVar[str] = "lines"
    temporaries: ClassVar[int] = 2
    by_torch: ClassVar[bool] = False

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

    Example:
        >>> sf.weights.Mean(weights=(1.0, 3.0))
        Mean(integers='end', weights=(1.0, 3.0))
    """

    name: ClassVar[str] = "mean"
    temporaries: ClassVar[int] = 3

    weights: tuple[float, ...] | None = None

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """Any number of checkpoints."""
        from .mixers import mean

        return mean(len(sources), self.weights)


@dataclass(frozen=True)
class TaskArithmetic(Rule):
    """Start + sum_i scale_i (tuned_i - start) (arXiv 2212.04089, section 2).

    Attributes:
        scales: One per tuned checkpoint; None: 1 for each.

    Example:
        >>> sf.weights.TaskArithmetic(scales=(0.4,))
        TaskArithmetic(integers='end', scales=(0.4,))
    """

    name: ClassVar[str] = "task-arithmetic"

    scales: tuple[float, ...] | None = None

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then one checkpoint per task."""
        from .mixers import task_arithmetic

        return task_arithmetic(len(sources) - 1, self.scales, self._integers(len(sources)))


@dataclass(frozen=True)
class Ties(Rule):
    """TIES-Merging (arXiv 2306.01708, section 4): start + scale * merged delta.

    The thresholds are exact; as a rule one pass over the files finds them
    (:mod:`~.thresholds`).

    Attributes:
        density: Share of each delta that is kept.
        scale: Of the merged delta.
        per_tensor: Trim within each tensor instead of over the whole delta.

    Example:
        >>> sf.weights.Ties(density=0.3)
        Ties(integers='end', density=0.3, scale=1.0, per_tensor=False)
    """

    name: ClassVar[str] = "ties"

    density: float = 0.2
    scale: float = 1.0
    per_tensor: bool = False

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then one or more tuned checkpoints."""
        from .mixers_scanned import ties

        return ties(sources, scan, self.density, self.scale, self._integers(len(sources)),
                    per_tensor=self.per_tensor)  # fmt: skip


@dataclass(frozen=True)
class ModelStockRule(Rule):
    """Model Stock (arXiv 2403.19522, section 4): t * mean(tuned) + (1 - t) * start by tensor.

    The angles of tensors that are larger than a block take one pass over them beforehand.

    Example:
        >>> sf.weights.ModelStockRule()
        ModelStockRule(integers='end')
    """

    name: ClassVar[str] = "model-stock"

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then two or more tuned checkpoints."""
        from .mixers_scanned import model_stock

        return model_stock(sources, scan, self._integers(len(sources)))


@dataclass(frozen=True)
class FisherRule(Rule):
    """sum_i w_i F_i theta_i / sum_i w_i F_i (arXiv 2111.09832, section 3).

    Attributes:
        fishers: For each checkpoint a file with the diagonal of its Fisher information.
        weights: One per checkpoint; None: the same for all.
        floor: Fishers below it are raised to it.
        normalize: Divide each Fisher by its Euclidean norm, the default of the paper's code.

    Example:
        >>> sf.weights.FisherRule(fishers=("a.safetensors", "b.safetensors")).floor
        0.0
    """

    name: ClassVar[str] = "fisher"
    temporaries: ClassVar[int] = 20

    fishers: tuple[str | os.PathLike[str], ...] = ()
    weights: tuple[float, ...] | None = None
    floor: float = 0.0
    normalize: bool = False

    def options(self) -> dict[str, Any]:
        """The fields, the Fishers by the names of their files."""
        return {**vars(self), "fishers": [os.path.basename(path) for path in self.fishers]}

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """One Fisher per checkpoint; the same names in each."""
        from .mixers_scanned import fisher

        shares = (1.0,) * len(sources) if self.weights is None else self.weights
        return fisher(sources, self.fishers, shares, self.floor, self._integers(len(sources)),
                      normalize=self.normalize)  # fmt: skip


def _line(sources: Sequence[TensorFile], alpha_of: Callable[[str], float], rule: Rule) -> Mixer:
    """A mixer of two checkpoints with one coefficient per tensor."""
    if len(sources) != 2:
        raise WeightsError(
            f"{rule.name} was given {len(sources)} checkpoint{'s' * (len(sources) != 1)}",
            expected="two, the start and the end",
            fix="for more than two take mean, task-arithmetic, ties, model-stock or fisher",
        )

    def between(alpha: float) -> int:
        return 0 if alpha == 0 or (alpha != 1 and rule.integers == "start") else 1

    return line_mixer(alpha_of, between, Scratch())


MERGE_METHODS: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (Lerp, Mean, TaskArithmetic, Ties, ModelStockRule, LinesRule, FisherRule)
}
"""Name -> rule."""


def make_rule(method: str, **options: Any) -> Rule:
    """A rule from its name and plain options; lists become tuples.

    Raises:
        UnknownName: There is no such method; the nearest are named.
        WeightsError: An option that the method does not have.

    Example:
        >>> sf.weights.make_rule("lerp", alpha=0.25)
        Lerp(integers='end', alpha=0.25, extrapolate=False)
        >>> sorted(sf.weights.MERGE_METHODS)
        ['fisher', 'lerp', 'lines', 'mean', 'model-stock', 'task-arithmetic', 'ties']
    """
    if method not in MERGE_METHODS:
        near = nearest(method, list(MERGE_METHODS))
        error = UnknownName("merge method", method, list(MERGE_METHODS), near)
        error.fix = "`surefoot merge --help` describes them"
        raise error
    kind = MERGE_METHODS[method]
    known = [f.name for f in fields(kind)]
    strange = sorted(set(options) - set(known))
    if strange:
        raise WeightsError(
            f"{method} has no option {', '.join(strange)}",
            expected=f"of {', '.join(known)}",
        )
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return kind(**plain)
