"""Merge methods that must know the whole files, or a second set, before they mix a block."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import WeightsError
from .audit import COMPUTED
from .combine import ratio_of, stock
from .fisher import check_shares, precise_mean
from .ops import wide
from .rules import Mixer, Part, Rule, Scan, common_dtype, computed, wide_mixer
from .tensor_file import TensorFile, open_tensors
from .thresholds import thresholds
from .ties import check_ties, elect, threshold

__all__ = ["FisherRule", "ModelStockRule", "Ties"]


@dataclass(frozen=True)
class Ties(Rule):
    """TIES-Merging (arXiv 2306.01708, section 4): start + scale * merged delta.

    The thresholds over the whole deltas are exact: two passes over the files find them.

    Attributes:
        density: Share of each delta that is kept.
        scale: Of the merged delta.
        per_tensor: Trim within each tensor instead of over the whole delta.
    """

    name: ClassVar[str] = "ties"
    temporaries: ClassVar[int] = 20

    density: float = 0.2
    scale: float = 1.0
    per_tensor: bool = False

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then one or more tuned checkpoints."""
        check_ties(len(sources) - 1, self.density, self.scale)
        names = computed(sources)
        if self.density == 1:
            found: dict[str, list[float]] = {"": [0.0] * (len(sources) - 1)}
        elif self.per_tensor:
            split = [name for name in names if scan.splits(name)]
            found = {}
            for name in split:  # one by one: histograms of all of them would take much memory
                found |= thresholds(sources, scan, [name], self.density, group=lambda name: name)
        else:
            found = thresholds(sources, scan, names, self.density, group=lambda name: "")

        def merged(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
            least = found.get("") or found.get(part.name)
            if least is None:
                least = [threshold([y - x], self.density) for y in ys]
            return elect(x, ys, least, self.scale)

        return wide_mixer(merged, range(len(sources)), self._integers(len(sources)))


@dataclass(frozen=True)
class ModelStockRule(Rule):
    """Model Stock (arXiv 2403.19522, section 4): t * mean(tuned) + (1 - t) * start by tensor.

    The angles of tensors that are larger than a block take one pass over them beforehand.
    """

    name: ClassVar[str] = "model-stock"

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """The start, then two or more tuned checkpoints."""
        if len(sources) < 3:
            raise WeightsError(
                f"Model Stock was given {len(sources)} checkpoint{'s' * (len(sources) != 1)}",
                expected="the start and two or more tuned from it: their angle is what it works "
                "with",
            )
        split = [name for name in computed(sources) if scan.splits(name)]
        ratios = _stock_ratios(scan, split, len(sources) - 1)

        def stocked(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
            return stock(x, ys, ratios.get(part.name))

        return wide_mixer(stocked, range(len(sources)), self._integers(len(sources)))


def _stock_ratios(scan: Scan, names: Sequence[str], count: int) -> dict[str, float]:
    """The ratio t of Model Stock for each name, from products summed over blocks."""
    pairs = list(combinations_with_replacement(range(count), 2))
    sums: dict[str, list[float]] = {name: [0.0] * len(pairs) for name in names}

    def products(part: Part, tensors: list[Tensor]) -> list[float]:
        wider = wide(common_dtype(tensors))
        x, *ys = (t.to(wider) for t in tensors)
        deltas = [(y - x).double() for y in ys]
        return [float(deltas[i] @ deltas[j]) for i, j in pairs]

    for part, found in scan(names, products):
        sums[part.name] = [a + b for a, b in zip(sums[part.name], found, strict=True)]
    out = {}
    for name, values in sums.items():
        gram = dict(zip(pairs, values, strict=True))
        cosines = []
        for i, j in combinations(range(count), 2):
            size = math.sqrt(gram[i, i]) * math.sqrt(gram[j, j])
            cosines.append(gram[i, j] / size if size > 0 else 0.0)
        out[name] = ratio_of([0.0 if math.isnan(c) else c for c in cosines], count)
    return out


@dataclass(frozen=True)
class FisherRule(Rule):
    """sum_i w_i F_i theta_i / sum_i w_i F_i (arXiv 2111.09832, section 3).

    Attributes:
        fishers: For each checkpoint a file with the diagonal of its Fisher information.
        weights: One per checkpoint; None: the same for all.
        floor: Fishers below it are raised to it.
    """

    name: ClassVar[str] = "fisher"
    temporaries: ClassVar[int] = 20

    fishers: tuple[str | os.PathLike[str], ...] = ()
    weights: tuple[float, ...] | None = None
    floor: float = 0.0

    def options(self) -> dict[str, Any]:
        """The fields, the Fishers by the names of their files."""
        return {**vars(self), "fishers": [os.path.basename(path) for path in self.fishers]}

    def mixer(self, sources: Sequence[TensorFile], scan: Scan) -> Mixer:
        """One Fisher per checkpoint; the same names in each."""
        count = len(sources)
        shares = (1.0,) * count if self.weights is None else self.weights
        check_shares(count, len(self.fishers), shares, self.floor)
        files = [open_tensors(path) for path in self.fishers]
        for number, file in enumerate(files, 1):
            _require_fisher(file, files[0], sources[0], number)
        active = [i for i, share in enumerate(shares) if share > 0]

        def merged(part: Part, *xs: Tensor) -> Tensor:
            own = None
            if part.name in files[0] and len(active) > 1:
                own = [_fisher_block(files[i], part) for i in active]
            return precise_mean(xs, [shares[i] for i in active], own, self.floor)

        return wide_mixer(merged, active, self._integers(count))


def _fisher_block(file: TensorFile, part: Part) -> Tensor:
    block = file.block(part.name, part.start, part.stop)
    if block.numel() and not bool((block >= 0).all() & torch.isfinite(block).all()):
        raise WeightsError(
            f"the Fisher {file.path.name} holds NaN, Inf or a number below 0 in {part.name!r}",
            expected="finite numbers >= 0",
        )
    return block


def _require_fisher(file: TensorFile, first: TensorFile, model: TensorFile, number: int) -> None:
    wrong = sorted(set(file) ^ set(first))
    wrong += [name for name in file if name not in model or model.dtype(name) not in COMPUTED
              or file.dtype(name) not in COMPUTED
              or file.shape(name) != model.shape(name)]  # fmt: skip
    if wrong:
        raise WeightsError(
            f"Fisher {number} ({file.path.name}) does not fit in "
            f"{', '.join(repr(name) for name in wrong[:5])}",
            expected="tensors >= 0 of the names and shapes of the parameters, the same names for "
            "every model",
        )
