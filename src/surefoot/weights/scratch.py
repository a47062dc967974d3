"""Memory that a thread uses again: fresh memory for every block costs more than the arithmetic."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import numpy as np

from .kinds import Bytes

__all__ = ["Scratch"]


class Scratch:
    """Buffers by slot, each thread's own; a buffer grows to the largest size asked of it."""

    def __init__(self) -> None:
        self._local = threading.local()

    def __call__(self, slot: Hashable, size: int) -> Bytes:
        """(size,) bytes of this thread's memory; what was in the slot before is lost."""
        held: dict[Hashable, Bytes] = self._local.__dict__.setdefault("held", {})
        if slot not in held or len(held[slot]) < size:
            held[slot] = np.empty(size, dtype=np.uint8)
        return held[slot][:size]
