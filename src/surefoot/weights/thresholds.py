"""The k-th largest magnitude of deltas that are larger than memory, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .mixers import common_dtype
from .mixing import Part, Read
from .ops import wide
from .tensor_file import TensorFile
from .ties import PIECE, kept, magnitude

__all__ = ["thresholds"]

_BINS = 1 << 15
_LOW = 1 << 16

_AROUND = 4
"""Of these bins so many on each side of the guess are counted number by number, 3 % or more."""

_CROWD = 0.1
"""Where more of the sample than that lies there, as in half precision, other passes are quicker."""

_SAMPLED = (1 << 16, 1 << 21)
"""Numbers that the guess rests on, about: 3 % of all, at least and at most so many."""

_RUN = 1 << 10
"""Numbers that are sampled in one go."""

_GROUP = 1 << 9

_INFINITE = 0x7F800000
"""The bits of Inf in float32; those of NaN are larger."""


def thresholds(
    sources: Sequence[TensorFile], read: Read, names: Sequence[str], density: float
) -> list[float]:
    """For each tuned checkpoint the smallest magnitude that is kept.

    The magnitudes are float32, whose bits are ordered as the numbers are. A sample says where the
    threshold will be; one pass counts what lies above that neighbourhood, and each magnitude
    within. Should the threshold lie elsewhere, or many magnitudes there, or should a number be
    infinite, two passes find it: one counts the upper 16 bits, the other the lower 16 of those
    that share the threshold's upper ones. The result is that of
    :func:`surefoot.weights.ties.threshold` in any case; memory is 2 MB for each tuned
    checkpoint (4 from two thousand million numbers on).

    Args:
        sources: The start, then the tuned checkpoints.
        read: Reads them part by part.
        names: Floating tensors that are trimmed together; one that several names share counts
            once.
        density: Share that is kept, in (0, 1).
    """
    distinct: dict[object, str] = {}
    for name in names:
        distinct.setdefault(tuple(s.identity(name) for s in sources), name)
    own = [name for name in distinct.values() if sources[0].numel(name)]
    if not own:
        return [0.0] * (len(sources) - 1)
    least = _guesses(sources, own, density)
    found = None if least is None else _around(sources, read, own, density, least)
    return found or _by_digits(read, own, density, len(sources) - 1)


def _bits(tensors: Sequence[Tensor]) -> Iterator[Tensor]:
    """The start and the tuned ones (n,) -> the bits of each delta's magnitude (n,), int32."""
    wider = wide(common_dtype(tensors))
    x, *ys = (t.to(wider) for t in tensors)
    return (magnitude(y - x).view(torch.int32) for y in ys)


def _guesses(
    sources: Sequence[TensorFile], names: Sequence[str], density: float
) -> list[int] | None:
    """For each tuned checkpoint the least bits of a neighbourhood that a sample proposes."""
    total = sum(sources[0].numel(name) for name in names)
    fewest, most = _SAMPLED
    runs_a_number = min(most, max(total / 32, fewest)) / _RUN / total
    shares = torch.zeros(len(sources) - 1, _BINS, dtype=torch.float64)
    for name in names:
        numel = sources[0].numel(name)
        runs = max(1, round(numel * runs_a_number))
        size = min(_RUN, -(-numel // runs))
        every: list[list[Tensor]] = [[] for _ in shares]
        for i in range(runs):
            at = (numel - size) * (2 * i + 1) // (2 * runs)  # spread evenly
            blocks = [s.block(name, at, at + size) for s in sources]
            for own, bits in zip(every, _bits(blocks), strict=True):
                own.append(bits >> 16)
        for share, own in zip(shares, every, strict=True):
            seen = torch.bincount(torch.cat(own), minlength=_BINS)
            share += seen * (numel / (runs * size * total))
    found = []
    for own in shares:
        above = own.flip(0).cumsum(0).flip(0)
        at = int((above >= min(density, float(above[0]))).nonzero()[-1])
        first = min(max(0, at - _AROUND), (_INFINITE >> 16) - 2 * _AROUND)
        if float(own[first : first + 2 * _AROUND].sum()) > _CROWD:
            return None
        found.append(first << 16)
    return found


@dataclass
class _Counted:
    """Of some deltas, how many lie above a neighbourhood, and where those within lie."""

    above: int = 0
    near: list[NDArray[np.uint32]] = field(default_factory=list)

    def add(self, bits: NDArray[np.uint32], low: np.uint32, width: np.uint32) -> bool:
        """Bits of magnitudes, which are lost; False where a number is not finite."""
        if bits.max(initial=0) >= _INFINITE:
            return False
        bits -= low  # what lies below wraps around, and so is beyond the end as well
        within = bits < width
        self.near.append(bits[within])
        self.above += int(np.count_nonzero(bits < _INFINITE - low)) - len(self.near[-1])
        return True


def _around(
    sources: Sequence[TensorFile],
    read: Read,
    names: Sequence[str],
    density: float,
    least: Sequence[int],
) -> list[float] | None:
    """The thresholds by one pass; None where they cannot be told from it."""
    width = 2 * _AROUND << 16

    def count(_: Part, tensors: list[Tensor]) -> list[_Counted] | None:
        found = [_Counted() for _ in least]
        for piece in zip(*(torch.split(t, PIECE) for t in tensors), strict=True):
            for own, low, bits in zip(found, least, _bits(piece), strict=True):
                # numpy: torch takes five times as long to compare and to count.
                if not own.add(bits.numpy().view(np.uint32), np.uint32(low), np.uint32(width)):
                    return None
        return found

    above = [0] * len(least)
    total = sum(sources[0].numel(name) for name in names)
    kind = torch.int32 if total < 2**31 else torch.int64  # tensors are counted by several threads
    bins = [torch.zeros(width, dtype=kind) for _ in least]
    for _, found in read(names, count):
        if found is None:
            return None
        for i, own in enumerate(found):
            above[i] += own.above
            near = torch.from_numpy(np.concatenate(own.near).view(np.int32))
            bins[i].index_add_(0, near, torch.ones(len(near), dtype=kind))
    rank = kept(total, density)
    ranks = [rank - n for n in above]
    if not all(0 < r <= int(b.sum()) for r, b in zip(ranks, bins, strict=True)):
        return None
    return [_number(least[i] + _locate(bins[i], r)[0]) for i, r in enumerate(ranks)]


def _by_digits(read: Read, names: Sequence[str], density: float, tuned: int) -> list[float]:
    """The thresholds by two passes; a tensor whose start is not finite (a mask) does not count."""
    upper = _histograms(read, names, tuned, _BINS, lambda i, bits: bits >> 16)
    found = []
    for bins in upper:
        n = int(bins.sum())
        found.append(_locate(bins, kept(n, density) if n else 0))

    def lower_bits(i: int, bits: Tensor) -> Tensor:
        return bits[(bits >> 16) == found[i][0]] & (_LOW - 1)

    lower = _histograms(read, names, tuned, _LOW, lower_bits)
    return [
        _number(at << 16 | _locate(bins, rank)[0])
        for (at, rank), bins in zip(found, lower, strict=True)
    ]


def _histograms(
    read: Read, names: Iterable[str], tuned: int, bins: int, digit: Callable[[int, Tensor], Tensor]
) -> Tensor:
    """How often each digit occurs, (tuned, bins)."""

    def count(_: Part, tensors: list[Tensor]) -> tuple[bool, Tensor]:
        found = torch.zeros(tuned, bins, dtype=torch.int64)
        for i, bits in enumerate(_bits(tensors)):
            found[i] = torch.bincount(digit(i, bits), minlength=bins)
        return bool(torch.isfinite(tensors[0]).all()), found

    total, pending = (torch.zeros(tuned, bins, dtype=torch.int64) for _ in range(2))
    fine = True
    for part, (finite, found) in read(names, count):
        fine = finite and (fine or part.start == 0)
        pending += found
        if part.stop == part.numel:  # a tensor is read to its end
            if fine:
                total += pending
            pending.zero_()
            fine = True
    return total


def _locate(bins: Tensor, rank: int) -> tuple[int, int]:
    """The bin that holds the ``rank``-th largest, and its rank within that bin."""
    if rank == 0:
        return 0, 0
    at = 0
    # First among groups of bins, then within one: most of the bins need not be added up.
    for part in (bins.view(-1, _GROUP).sum(dim=1), None):
        own = bins[at : at + _GROUP] if part is None else part
        above = own.flip(0).cumsum(0).flip(0)
        first = int((above >= rank).nonzero()[-1])
        rank -= int(above[first] - own[first])
        at = first * _GROUP if part is not None else at + first
    return at, rank


def _number(bits: int) -> float:
    return float(torch.tensor(bits, dtype=torch.int32).view(torch.float32))
