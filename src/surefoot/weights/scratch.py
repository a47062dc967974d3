"""Memory that a thread uses again: fresh memory for every block costs more than the arithmetic."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import torch
from torch import Tensor

__all__ = ["Scratch"]


class Scratch:
    """Buffers by slot, each thread's own; a buffer grows to the largest size asked of it."""

    def __init__(self) -> None:
        self._local = threading.local()

    def __call__(self, slot: Hashable, size: int, dtype: torch.dtype) -> Tensor:
        """(size,) of this thread's memory; what was in the slot before is lost."""
        held: dict[Hashable, Tensor] = self._local.__dict__.setdefault("held", {})
        needed = size * dtype.itemsize
        if slot not in held or len(held[slot]) < needed:
            held[slot] = torch.empty(needed, dtype=torch.uint8)
        return held[slot][:needed].view(dtype)
