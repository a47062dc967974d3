"""Votes of the k nearest neighbours (Caron et al. 2021, arXiv 2104.14294, section 4.1).

Features are l2-normalised; each query's k most similar training images vote exp(s / 0.07) for
their labels in float32. One top-k at the largest k serves every k. Right for any number of
queries, classes and training images.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import DataError
from ..weights.streaming import workers

__all__ = ["KS", "knn"]

KS = (10, 20, 100, 200)
"""The k of the DINO paper; 20 is the usual one."""

Features = NDArray[np.float32] | Tensor

_SIMILARITIES = {"cpu": 1 << 21, "other": 1 << 25}
"""Similarities held at once unless ``chunk`` says otherwise: 8 MiB, 128 MiB on an accelerator.
All threads of the CPU share them.
"""

_BANK_ROWS = {"cpu": 1 << 10, "other": 1 << 17}
"""Training images in one block of similarities. Blocks about square suit the matrix product, and
small ones stay in the CPU's cache until they are looked through.
"""

_FEW = 64
"""Queries that are worth a thread of their own."""


def knn(
    bank: Features,
    bank_labels: NDArray[np.int64] | Tensor,
    queries: Features,
    *,
    classes: int,
    ks: Sequence[int] = KS,
    temperature: float = 0.07,
    chunk: int | None = None,
    exclude: NDArray[np.int64] | None = None,
    device: torch.device | str | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Votes of the nearest neighbours.

    Args:
        bank: (n, d) features of the training images; may be memory-mapped.
        bank_labels: (n,) in 0 to classes - 1.
        queries: (q, d) features.
        classes: Columns of the result.
        ks: How many neighbours; a k beyond the bank takes all of it, with a warning.
        temperature: T of exp(s / T), above 0. Below 1/80, where that leaves float32, the votes of
            a query are relative to its nearest neighbour's, which orders classes the same.
        chunk: Queries at once, of each thread; by default as many as keep the similarities in
            8 MiB (128 on an accelerator).
        exclude: (q,) or (q, c) rows of the bank that are the query itself, -1 where there is none.
        device: Where to compute; where the bank is, or the CPU.

    Returns:
        k -> (q, classes) float32 votes; the predicted class is the argmax, ties to the lowest.
        Votes are not logarithms: they order classes, and give no likelihood.

    Raises:
        DataError: Shapes, labels or ks that do not fit.
    """
    where = torch.device(device) if device is not None else _home(bank)
    labels = torch.as_tensor(np.asarray(bank_labels) if not torch.is_tensor(bank_labels)
                             else bank_labels, dtype=torch.int64, device=where)  # fmt: skip
    _check(bank, labels, queries, classes, ks)
    if not temperature > 0:
        raise DataError(f"the temperature of the votes is {temperature}", expected="above 0")
    n, total = len(bank), len(queries)
    if max(ks) > n:
        warnings.warn(
            f"k = {max(ks)} neighbours were asked of a bank of {n} images: all {n} vote",
            UserWarning,
            stacklevel=2,
        )
    kind = "cpu" if where.type == "cpu" else "other"
    rows = min(n, _BANK_ROWS[kind])
    crew = max(1, min(torch.get_num_threads(), total // _FEW)) if kind == "cpu" else 1
    most = chunk or max(_FEW, min(2048, _SIMILARITIES[kind] // rows) // crew)
    turns = max(1, -(-total // (crew * most)))
    step = max(1, -(-total // (crew * turns)))  # so that all threads have the same to do
    votes = {k: np.empty((total, classes), dtype=np.float32) for k in ks}
    with torch.inference_mode():
        blocks = _Blocks(bank, rows, where)

    def vote(at: int) -> None:
        with torch.inference_mode():  # of its own in every thread
            query = _unit(_tensor(queries, at, at + step, where))
            skip = None
            if exclude is not None:
                own = exclude[at : at + step]
                skip = torch.as_tensor(own.reshape(len(own), -1)).to(where)
            near, who = _neighbours(query, blocks, min(max(ks), n), skip)
            # The sum of many votes must fit in float32, whose logarithm ends at 88.
            nearest: Tensor | float = 0.0 if temperature >= 1 / 80 else near[:, :1].clamp_min(-1)
            weight = ((near - nearest) / temperature).exp()
            tally = torch.zeros(len(query), classes, device=where)
            used = 0
            for k in sorted(set(ks)):
                part = slice(used, k)
                tally.scatter_add_(1, labels[who[:, part]], weight[:, part])
                used = k
                votes[k][at : at + step] = tally.cpu().numpy()

    if crew == 1:
        for at in range(0, total, step):
            vote(at)
    else:  # what is not the matrix product hardly gains from torch's own threads
        with workers(crew) as pool:
            for _ in pool.map(vote, range(0, total, step)):
                pass
    return votes


def _home(features: Features) -> torch.device:
    return features.device if isinstance(features, Tensor) else torch.device("cpu")


def _check(
    bank: Features, labels: Tensor, queries: Features, classes: int, ks: Sequence[int]
) -> None:
    if bank.ndim != 2 or queries.ndim != 2 or bank.shape[1] != queries.shape[1]:
        raise DataError(
            f"a bank of shape {tuple(bank.shape)} and queries of shape {tuple(queries.shape)}",
            expected="(n, d) and (q, d) with the same d",
        )
    if not len(bank) or labels.shape != (len(bank),):
        raise DataError(
            f"{len(bank)} features and labels of shape {tuple(labels.shape)} in the bank",
            expected="at least one image, one label each",
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise DataError(
            f"labels of the bank run from {int(labels.min())} to {int(labels.max())}",
            expected=f"0 to {classes - 1}",
        )
    if not ks or min(ks) < 1:
        raise DataError(f"ks are {tuple(ks)}", expected="numbers of neighbours, at least 1")


def _tensor(features: Features, start: int, stop: int, where: torch.device) -> Tensor:
    block = features[start:stop]
    if not isinstance(block, Tensor):
        # A memory-mapped array is read-only, and torch wants memory that it may write to.
        block = torch.from_numpy(
            block if block.flags.writeable and block.flags.c_contiguous else np.array(block)
        )
    return block.to(where, torch.float32)


def _unit(features: Tensor, out: Tensor | None = None) -> Tensor:
    return nn.functional.normalize(features, dim=1, out=out)


class _Blocks:
    """Unit-norm blocks of the bank; each is good until the next.

    A bank on disk stays there. On the CPU every block is normalised in the same small buffer when
    its turn comes: that costs less than the fresh memory of a copy of the whole bank, which only
    an accelerator holds.
    """

    def __init__(self, bank: Features, rows: int, where: torch.device) -> None:
        self.bank, self.rows, self.where = bank, rows, where
        by_block = where.type == "cpu" or isinstance(bank, np.memmap)
        self.ready = None if by_block else _unit(_tensor(bank, 0, len(bank), where))

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        n, width = self.bank.shape
        buffer = torch.empty(self.rows if self.ready is None else 0, width, device=self.where)
        for at in range(0, n, self.rows):
            if self.ready is not None:
                yield at, self.ready[at : at + self.rows]
            else:
                block = _tensor(self.bank, at, at + self.rows, self.where)
                yield at, _unit(block, out=buffer[: len(block)])


_GROUP = 8
"""Columns of one group."""


def _largest(sims: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row (b, n), in any order, and their columns.

    The k largest lie in the k groups of columns whose own largest are largest, so that a selection
    among n / 8 maxima and one among 8 k candidates do for one among n.
    """
    columns = sims.shape[1]
    width = columns // _GROUP
    if width < 2 * k:
        found = sims.topk(k, dim=1, sorted=False)
        return found.values, found.indices
    whole = width * _GROUP
    maxima = sims[:, :whole].view(len(sims), _GROUP, width).amax(dim=1)
    groups = maxima.topk(k, dim=1, sorted=False).indices
    steps = torch.arange(0, whole, width, device=sims.device)
    candidates = (groups[:, None, :] + steps[None, :, None]).flatten(1)
    if whole < columns:
        rest = torch.arange(whole, columns, device=sims.device).expand(len(sims), -1)
        candidates = torch.cat([candidates, rest], dim=1)
    found = sims.gather(1, candidates).topk(k, dim=1, sorted=False)
    return found.values, candidates.gather(1, found.indices)


def _above(sims: Tensor, least: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """What exceeds ``least`` (b, 1) in each row of (b, n), (b, m) padded with -inf, and columns.

    Of a row with more than 2 k of it, the k largest.
    """
    height, width = sims.shape
    flat = _exceeding(sims, least)
    counts = torch.bincount(flat // width, minlength=height)
    if int(counts.max()) > 2 * k:
        # A bank in order of class has all of a class in one block: few queries meet theirs there.
        many = counts > 2 * k
        rows, place = many.nonzero(), many[flat // width]
        _, columns = _largest(sims[many], k)
        flat = torch.cat([flat[~place], (rows * width + columns).flatten()]).sort().values
        counts[many] = columns.shape[1]
    rows = flat // width
    place = torch.arange(len(flat), device=sims.device) - (counts.cumsum(0) - counts)[rows]
    values = sims.new_full((height, int(counts.max())), -torch.inf)
    columns = torch.zeros_like(values, dtype=torch.int64)
    values[rows, place] = sims.flatten()[flat]
    columns[rows, place] = flat - rows * width
    return values, columns


def _exceeding(sims: Tensor, least: Tensor) -> Tensor:
    """Where similarities exceed ``least``, as places in the flattened ones, ascending."""
    if sims.device.type == "cpu":  # several times faster than torch's where few do
        return torch.from_numpy(np.flatnonzero(sims.numpy() > least.numpy()))
    return (sims > least).flatten().nonzero()[:, 0]


def _neighbours(
    query: Tensor, blocks: _Blocks, k: int, skip: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Similarities (b, k), descending, and rows of the bank (b, k)."""
    room = query.new_empty(len(query) * blocks.rows)  # fresh memory for every block costs time
    held: list[tuple[Tensor, Tensor]] = []
    least: Tensor | None = None
    for at, bank in blocks:
        sims = room[: len(query) * len(bank)].view(len(query), len(bank))
        torch.mm(query, bank.T, out=sims)
        if skip is not None:
            here, copy = torch.nonzero((skip >= at) & (skip < at + len(bank)), as_tuple=True)
            sims[here, skip[here, copy] - at] = -torch.inf
        # Once k are known, only what is nearer than the k-th of them can matter: of later blocks
        # very little. It is collected, and a new k-th found when there is enough of it.
        if least is None:
            values, index = _largest(sims, min(k, len(bank)))
        else:
            values, index = _above(sims, least, min(k, len(bank)))
        held.append((values, index + at))
        width = sum(values.shape[1] for values, _ in held)
        if width >= k if least is None else width > 2 * k:
            held = [_merged(held, k)]
            least = held[0][0].amin(dim=1, keepdim=True)
    values, index = _merged(held, k)
    values, order = values.sort(dim=1, descending=True)
    return values, index.gather(1, order)


def _merged(held: list[tuple[Tensor, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """The k largest of what is held."""
    if len(held) == 1:
        return held[0]
    values, index = (torch.cat(parts, dim=1) for parts in zip(*held, strict=True))
    found = values.topk(min(k, values.shape[1]), dim=1, sorted=False)
    return found.values, index.gather(1, found.indices)
