"""Merge methods that must know the whole files, or a second set, before they mix a block."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, combinations_with_replacement

import torch
from torch import Tensor

from ..errors import WeightsError
from .combine import ratio_of, stock
from .dtypes import COMPUTED_KINDS
from .fisher import check_shares, fisher_norm, precise_mean
from .mixers import common_dtype, wide_mixer
from .mixing import Mixer, Part, Scan
from .ops import wide
from .tensor_file import TensorFile, open_tensors
from .thresholds import thresholds
from .ties import check_ties, elect, threshold

__all__ = ["fisher", "model_stock", "ties"]

Integers = Callable[[str], int]

_BLOCK = 1 << 20
"""Numbers of a Fisher in memory at once, where its norm is taken."""


def ties(
    sources: Sequence[TensorFile],
    scan: Scan,
    density: float,
    scale: float,
    integers: Integers,
    *,
    per_tensor: bool,
) -> Mixer:
    """The start, then one or more tuned checkpoints; see :class:`~.rules.Ties`."""
    check_ties(len(sources) - 1, density, scale)
    names = sources[0].computed()
    if density == 1:
        found: dict[str, list[float]] = {"": [0.0] * (len(sources) - 1)}
    elif per_tensor:
        split = [name for name in names if scan.splits(name)]
        # A tensor to each thread: one by one, all would wait for the last part of every tensor.
        least_of = scan.each(split, lambda k: thresholds(sources, scan.alone, [k], density))
        found = dict(zip(split, least_of, strict=True))
    else:
        found = {"": thresholds(sources, scan, names, density)}

    def merged(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
        least = found.get("") or found.get(part.name)
        if least is None:
            least = [threshold([y - x], density) for y in ys]
        return elect(x, ys, least, scale)

    return wide_mixer(merged, range(len(sources)), integers)


def model_stock(sources: Sequence[TensorFile], scan: Scan, integers: Integers) -> Mixer:
    """The start, then two or more tuned checkpoints; see :class:`~.rules.ModelStockRule`."""
    if len(sources) < 3:
        raise WeightsError(
            f"Model Stock was given {len(sources)} checkpoint{'s' * (len(sources) != 1)}",
            expected="the start and two or more tuned from it: their angle is what it works with",
        )
    split = [name for name in sources[0].computed() if scan.splits(name)]
    ratios = _stock_ratios(scan, split, len(sources) - 1)

    def stocked(part: Part, x: Tensor, *ys: Tensor) -> Tensor:
        return stock(x, ys, ratios.get(part.name))

    return wide_mixer(stocked, range(len(sources)), integers)


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


def fisher(
    sources: Sequence[TensorFile],
    fishers: Sequence[str | os.PathLike[str]],
    shares: Sequence[float],
    floor: float,
    integers: Integers,
    *,
    normalize: bool,
) -> Mixer:
    """One Fisher per checkpoint, the same names in each; see :class:`~.rules.FisherRule`."""
    count = len(sources)
    check_shares(count, len(fishers), shares, floor)
    files = [open_tensors(path) for path in fishers]
    for number, file in enumerate(files, 1):
        _require_fisher(file, files[0], sources[0], number)
    active = [i for i, share in enumerate(shares) if share > 0]
    norms = [_norm(files[i]) if normalize else 1.0 for i in active]

    def merged(part: Part, *xs: Tensor) -> Tensor:
        own = None
        if part.name in files[0] and len(active) > 1:
            own = [_fisher_block(files[i], part) for i in active]
        return precise_mean(xs, [shares[i] for i in active], own, floor, norms)

    return wide_mixer(merged, active, integers)


def _norm(file: TensorFile) -> float:
    """The norm of a Fisher on disk, read in blocks."""

    def blocks() -> Iterator[Tensor]:
        for name in file:
            numel = math.prod(file.shape(name))
            for at in range(0, numel, _BLOCK):
                yield _fisher_block(file, Part(name, at, min(at + _BLOCK, numel), numel))

    return fisher_norm(blocks())


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
    wrong += [name for name in file if name not in model or model.kind(name) not in COMPUTED_KINDS
              or file.kind(name) not in COMPUTED_KINDS
              or file.shape(name) != model.shape(name)]  # fmt: skip
    if wrong:
        raise WeightsError(
            f"Fisher {number} ({file.path.name}) does not fit in "
            f"{', '.join(repr(name) for name in wrong[:5])}",
            expected="tensors >= 0 of the names and shapes of the parameters, the same names for "
            "every model",
        )
