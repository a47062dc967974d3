"""Arrays of small pictures, for miniatures of the sets that keep their images in arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .pictures import pixels

__all__ = ["stack"]


def stack(labels: Iterable[int], *, seed: int, side: int) -> NDArray[np.uint8]:
    """One picture per label, (n, side, side, 3); no two are the same."""
    rows = [
        np.asarray(pixels(int(label), number, seed=seed, size=(side, side)))
        for number, label in enumerate(labels)
    ]
    return np.array(rows, dtype=np.uint8)
