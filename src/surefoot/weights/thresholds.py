"""The k-th largest magnitude of deltas that are larger than memory, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .mixers import common_dtype
from .mixing import Part, Scan
from .ops import wide
from .tensor_file import TensorFile
from .ties import kept, magnitude

__all__ = ["thresholds"]

_BINS = 1 << 15
_LOW = 1 << 16


@dataclass
class _Count:
    """A histogram (bins,) over the numbers of one group, tensor by tensor."""

    bins: Tensor
    pending: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.pending = torch.zeros_like(self.bins)

    def close(self, *, counts: bool) -> None:
        """A tensor is read to its end: it counts, or (a mask of infinities) it does not."""
        if counts:
            self.bins += self.pending
        self.pending.zero_()


def thresholds(
    sources: Sequence[TensorFile],
    scan: Scan,
    names: Sequence[str],
    density: float,
    *,
    group: Callable[[str], str],
) -> dict[str, list[float]]:
    """For each group of tensors and each tuned checkpoint the smallest magnitude that is kept.

    The magnitudes are float32, whose bits are ordered as the numbers are: one pass counts their
    upper 16 bits, a second the lower 16 of those that share the threshold's upper ones. The result
    is that of :func:`surefoot.weights.ties.threshold`; memory is two small histograms.

    Args:
        sources: The start, then the tuned checkpoints.
        scan: Reads them.
        names: Floating tensors; one that several names share counts once.
        density: Share that is kept, in (0, 1).
        group: Name -> the group it is trimmed with.
    """
    tuned = len(sources) - 1
    seen: set[object] = set()
    own = []
    for name in names:
        key = tuple(s.identity(name) for s in sources)
        own += [name] if key not in seen else []
        seen.add(key)
    if not own:
        return {group(name): [0.0] * tuned for name in names}
    upper = _histograms(scan, own, group, tuned, _BINS, lambda g, i, bits: bits >> 16)
    found = {g: [_locate(c.bins, _rank(c.bins, density)) for c in cs] for g, cs in upper.items()}

    def lower_bits(g: str, i: int, bits: Tensor) -> Tensor:
        return bits[(bits >> 16) == found[g][i][0]] & (_LOW - 1)

    lower = _histograms(scan, own, group, tuned, _LOW, lower_bits)
    out = {}
    for g, counts in lower.items():
        out[g] = [
            _number(found[g][i][0], _locate(c.bins, found[g][i][1])[0])
            for i, c in enumerate(counts)
        ]
    return out


def _histograms(
    scan: Scan,
    names: Sequence[str],
    group: Callable[[str], str],
    tuned: int,
    bins: int,
    digit: Callable[[str, int, Tensor], Tensor],
) -> dict[str, list[_Count]]:
    counts = {group(name): [_Count(torch.zeros(bins, dtype=torch.int64)) for _ in range(tuned)]
              for name in names}  # fmt: skip

    def count(part: Part, tensors: list[Tensor]) -> tuple[bool, list[Tensor]]:
        wider = wide(common_dtype(tensors))
        x, *ys = (t.to(wider) for t in tensors)
        found = []
        for i, y in enumerate(ys):
            bits = magnitude(y - x).view(torch.int32)
            found.append(torch.bincount(digit(group(part.name), i, bits), minlength=bins))
        return bool(torch.isfinite(x).all()), found

    fine = True
    for part, (finite, found) in scan(names, count):
        own = counts[group(part.name)]
        fine = finite and (fine or part.start == 0)
        for counter, more in zip(own, found, strict=True):
            counter.pending += more
        if part.stop == part.numel:
            for counter in own:
                counter.close(counts=fine)
            fine = True
    return counts


def _rank(bins: Tensor, density: float) -> int:
    n = int(bins.sum())
    return kept(n, density) if n else 0


def _locate(bins: Tensor, rank: int) -> tuple[int, int]:
    """The bin that holds the ``rank``-th largest, and its rank within that bin."""
    if rank == 0:
        return 0, 0
    above = torch.flip(torch.cumsum(torch.flip(bins, (0,)), 0), (0,))
    at = int((above >= rank).nonzero()[-1])
    return at, rank - int(above[at] - bins[at])


def _number(upper: int, lower: int) -> float:
    return float(torch.tensor((upper << 16) | lower, dtype=torch.int32).view(torch.float32))
