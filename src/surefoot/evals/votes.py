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

__all__ = ["KS", "knn"]

KS = (10, 20, 100, 200)
"""The k of the DINO paper; 20 is the usual one."""

Features = NDArray[np.float32] | Tensor

_SIMILARITIES = {"cpu": 1 << 21, "other": 1 << 25}
"""Similarities held at once unless ``chunk`` says otherwise: 8 MiB, 128 MiB on an accelerator."""

_BANK_ROWS = {"cpu": 1 << 12, "other": 1 << 17}
"""Training images in one block of similarities."""


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
        temperature: T of exp(s / T).
        chunk: Queries at once; by default as many as keep the similarities in 8 MiB (128 on an
            accelerator).
        exclude: (q,) row of the bank that is the query itself, -1 where it is not there.
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
    n, total = len(bank), len(queries)
    if max(ks) > n:
        warnings.warn(
            f"k = {max(ks)} neighbours were asked of a bank of {n} images: all {n} vote",
            UserWarning,
            stacklevel=2,
        )
    kind = "cpu" if where.type == "cpu" else "other"
    rows = min(n, _BANK_ROWS[kind])
    step = chunk or max(1, min(2048, _SIMILARITIES[kind] // rows))
    votes = {k: np.empty((total, classes), dtype=np.float32) for k in ks}
    with torch.inference_mode():
        blocks = _Bank(bank, rows, min(step, total), where)
        for at in range(0, total, step):
            query = _unit(_tensor(queries, at, at + step, where))
            skip = None if exclude is None else torch.as_tensor(exclude[at : at + step]).to(where)
            near, who = _neighbours(query, blocks, min(max(ks), n), skip)
            weight = (near / temperature).exp()
            tally = torch.zeros(len(query), classes, device=where)
            used = 0
            for k in sorted(set(ks)):
                part = slice(used, k)
                tally.scatter_add_(1, labels[who[:, part]], weight[:, part])
                used = k
                votes[k][at : at + step] = tally.cpu().numpy()
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


class _Bank:
    """Similarities to the bank, block by block; a bank on disk stays there.

    On the CPU a block is normalised in one small buffer whenever its turn comes, far cheaper than
    fresh memory for a copy of the bank. An accelerator holds that copy.
    """

    def __init__(self, features: Features, rows: int, step: int, where: torch.device) -> None:
        self.features, self.rows, self.where = features, rows, where
        self.ready: Tensor | None = None
        if where.type == "cpu":
            self.unit = torch.empty(rows, features.shape[1])
            self.room = torch.empty(step * rows)
        elif not isinstance(features, np.memmap):
            self.ready = _unit(_tensor(features, 0, len(features), where))

    def similarities(self, query: Tensor) -> Iterator[tuple[int, Tensor]]:
        """First row of each block and similarities (b, rows), which the next ones overwrite."""
        for at in range(0, len(self.features), self.rows):
            if self.ready is not None:
                yield at, query @ self.ready[at : at + self.rows].T
                continue
            block = _tensor(self.features, at, at + self.rows, self.where)
            if self.where.type != "cpu":
                yield at, query @ _unit(block).T
                continue
            unit = _unit(block, out=self.unit[: len(block)])
            sims = self.room[: len(query) * len(block)].view(len(query), len(block))
            # The BLAS of numpy's wheels needs two thirds of the time of that of torch's on AMD.
            np.matmul(query.numpy(), unit.numpy().T, out=sims.numpy())
            yield at, sims


_GROUP = 8
"""Columns of one group."""

Found = tuple[Tensor, Tensor]
"""Similarities (b, m), -inf where a row has fewer, and rows of the bank (b, m); in any order."""


def _largest(sims: Tensor, k: int, least: Tensor) -> Found:
    """What exceeds ``least`` (b, 1) of at least the k largest of each row (b, n).

    Of groups of columns k have a maximum that is no less than the k-th largest maximum, so that
    k similarities are no less either: a selection among n / 8 does for one among n.
    """
    columns = sims.shape[1]
    width = columns // _GROUP
    if width >= 2 * k:
        maxima = sims[:, : width * _GROUP].view(len(sims), _GROUP, width).amax(dim=1)
        found = _collected(sims, (sims >= _kth(maxima, k)) & (sims > least))
        if found is not None:
            return found
    best = sims.topk(min(k, columns), dim=1, sorted=False)
    return best.values, best.indices


def _kth(values: Tensor, k: int) -> Tensor:
    """The k-th largest (b, 1) of each row."""
    if values.device.type == "cpu":  # several times faster than torch's
        at = values.shape[1] - k
        return torch.from_numpy(np.partition(values.numpy(), at, axis=1)[:, at : at + 1])
    return values.topk(k, dim=1, sorted=False).values.amin(dim=1, keepdim=True)


def _collected(sims: Tensor, passing: Tensor) -> Found | None:
    """Similarities that pass and their columns; None where a row has so many that a selection is
    cheaper.
    """
    height, width = sims.shape
    if int(torch.count_nonzero(passing)) > passing.numel() // 4:
        return None
    if passing.device.type == "cpu":  # several times faster than torch's where few pass
        flat = torch.from_numpy(np.flatnonzero(passing.numpy()))
    else:
        flat = passing.flatten().nonzero()[:, 0]
    rows = flat // width
    counts = torch.bincount(rows, minlength=height)
    most = int(counts.max())
    if most > width // 4:
        return None
    place = torch.arange(len(flat), device=sims.device) - (counts.cumsum(0) - counts)[rows]
    values = sims.new_full((height, most), -torch.inf)
    columns = torch.zeros((height, most), dtype=torch.int64, device=sims.device)
    values[rows, place] = sims.flatten()[flat]
    columns[rows, place] = flat - rows * width
    return values, columns


def _neighbours(query: Tensor, bank: _Bank, k: int, skip: Tensor | None) -> Found:
    """Similarities (b, k), descending, and rows of the bank (b, k)."""
    held: list[Found] = []
    least = query.new_full((len(query), 1), -torch.inf)
    for at, sims in bank.similarities(query):
        if skip is not None:
            here = torch.nonzero((skip >= at) & (skip < at + sims.shape[1]))[:, 0]
            sims[here, skip[here] - at] = -torch.inf
        # Once k are known, only what is nearer than the k-th of them can matter: of later blocks
        # very little.
        values, columns = _collected(sims, sims > least) or _largest(sims, k, least)
        held.append((values, columns + at))
        if sum(values.shape[1] for values, _ in held) > 2 * k:
            held = [_merged(held, k)]
            least = held[0][0].amin(dim=1, keepdim=True)
    values, rows = _merged(held, k)
    values, order = values.sort(dim=1, descending=True)
    return values, rows.gather(1, order)


def _merged(held: list[Found], k: int) -> Found:
    """The k largest of what is held."""
    values, rows = (torch.cat(parts, dim=1) for parts in zip(*held, strict=True))
    found = values.topk(min(k, values.shape[1]), dim=1, sorted=False)
    return found.values, rows.gather(1, found.indices)
