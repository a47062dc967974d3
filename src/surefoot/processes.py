"""Several processes look at one set of images: who takes which, and how rows come back together.

Shares are contiguous and unpadded, so every image is counted once whatever the number of processes
divides. Every process gets all rows and goes on alike; only the main one writes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from accelerate import PartialState
from numpy.typing import NDArray

__all__ = ["agreed", "begin", "is_main", "joined", "my_batches", "rank", "share", "world"]

_PIECE = 64 << 20
"""Bytes that one process sends at a time."""


def begin(device: str) -> None:
    """Join the other processes, where a launcher (torchrun, accelerate) has started several.

    Args:
        device: "cpu" keeps the work off accelerators; otherwise each process takes one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        PartialState(cpu=device == "cpu" or not torch.accelerator.is_available())


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if _several() else 0


def world() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _several() else 1


def is_main() -> bool:
    """Whether this process writes files and speaks, also before :func:`begin`."""
    return (rank() if _several() else int(os.environ.get("RANK", "0"))) == 0


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


def share(n: int) -> slice:
    """This process's part of n rows; the first processes have one more where it must be."""
    sizes = _sizes(n)
    first = sum(sizes[: rank()])
    return slice(first, first + sizes[rank()])


def _sizes(n: int) -> list[int]:
    """Rows of each process, as ``numpy.array_split`` deals them."""
    return [n // world() + (r < n % world()) for r in range(world())]


def my_batches(n: int, size: int, *, start: int = 0) -> list[NDArray[np.int64]]:
    """Index batches of this process's part of the rows from ``start`` to n - 1, in order."""
    mine = share(n - start)
    return [
        np.arange(at, min(at + size, start + mine.stop), dtype=np.int64)
        for at in range(start + mine.start, start + mine.stop, size)
    ]


def joined(rows: NDArray[Any], n: int) -> NDArray[Any]:
    """Every process's rows, in order.

    Args:
        rows: (m, ...), those of :func:`share`; ``m`` may be 0.
        n: Rows of all processes together.

    Returns:
        (n, ...) in every process; ``rows`` itself where there is one process.
    """
    if world() == 1:
        return rows
    out = np.empty((n, *rows.shape[1:]), dtype=rows.dtype)
    sizes = _sizes(n)
    firsts = np.cumsum([0, *sizes])
    step = max(1, _PIECE // max(1, rows.dtype.itemsize * int(np.prod(rows.shape[1:]))))
    for at in range(0, max(sizes), step):
        for r, part in enumerate(
            _gathered(rows[at : at + step], [min(s - at, step) for s in sizes])
        ):
            out[firsts[r] + at : firsts[r] + at + len(part)] = part
    return out


def _gathered(part: NDArray[Any], sizes: Sequence[int]) -> list[NDArray[Any]]:
    """One piece of every process; shorter ones travel padded and are cut again."""
    longest = max(sizes)
    padded = np.zeros((longest, *part.shape[1:]), dtype=part.dtype)
    padded[: len(part)] = part
    sent = torch.from_numpy(padded).to(_wire())
    received = [torch.empty_like(sent) for _ in sizes]
    dist.all_gather(received, sent)
    return [t.cpu().numpy()[: max(s, 0)] for t, s in zip(received, sizes, strict=True)]


def _wire() -> torch.device:
    """Where tensors must lie to be sent: NCCL sends from its device only."""
    return torch.device("cpu" if dist.get_backend() == "gloo" else PartialState().device)


def agreed(decide: Any) -> Any:
    """What the main process decides, in every process.

    Args:
        decide: Called in the main process alone; returns plain data.

    Raises:
        Exception: What ``decide`` raised, in every process.
    """
    if world() == 1:
        return decide()
    box: list[Any] = [None, None]
    if rank() == 0:
        try:
            box[0] = decide()
        except Exception as error:  # the others must not wait for a decision that never comes
            box[1] = error
    dist.broadcast_object_list(box, src=0, device=_wire())
    if box[1] is not None:
        raise box[1]
    return box[0]
