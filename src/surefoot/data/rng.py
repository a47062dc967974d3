"""Random numbers that belong to an image, not to a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["kept_rng", "mix"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def _scramble(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: a bijection of 64 bits whose outputs look independent."""
    with np.errstate(over="ignore"):
        x = x + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _M1
        x = (x ^ (x >> np.uint64(27))) * _M2
    scrambled: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return scrambled


def mix(indices: NDArray[np.int64], *keys: int) -> NDArray[np.uint64]:
    """One 64-bit seed for each index (n,), for given keys such as (seed, epoch).

    Hundreds of times cheaper than a ``SeedSequence`` per image, which matters at 32 pixels.
    """
    state = np.zeros(1, dtype=np.uint64)
    for key in keys:
        state = _scramble(state ^ np.array([key & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))
    return _scramble(state ^ np.asarray(indices, dtype=np.int64).view(np.uint64))


@contextmanager
def kept_rng() -> Iterator[torch.Generator]:
    """Lend torch's global CPU generator; its state comes back on leaving.

    ``torch.random.fork_rng`` does the same and also walks the accelerators; no transform on the
    CPU draws from those.
    """
    generator = torch.default_generator
    state = generator.get_state()
    try:
        yield generator
    finally:
        generator.set_state(state)
