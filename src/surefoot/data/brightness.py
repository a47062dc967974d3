"""Which value is white in images of more than eight bits: by all splits together, never by image.

A file does not say how many of its 16 bits were used. Each image by its own maximum would make
night as bright as day; the whole range of 16 bits would make 12-bit greys black.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..inventory import Note
from .dataset import Split
from .images import EncodedImages, White
from .sequence import Images, looks, underlying

__all__ = ["settle", "white_of"]

_WHITES = {
    "I": tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16)),
    "F": (1.0, 255.0, 65535.0),
}
"""What may be white: the greatest number of so many bits; of floats the ranges that are in use."""


def white_of(images: Images) -> White:
    """What was settled for these images; {} where nothing was."""
    source, _ = underlying(images, np.arange(0))
    return getattr(source, "white", {})


def settle(splits: Iterable[Split]) -> list[Note]:
    """Decide what is white for all images of these splits, once they have been looked at.

    Args:
        splits: Of one task; its shifts are judged by the same light.

    Returns:
        A sentence for each kind of numbers that is scaled.
    """
    sources = [underlying(split.images, np.arange(0))[0] for split in splits]
    encoded = [source for source in sources if isinstance(source, EncodedImages)]
    seen = [looks(source) for source in encoded]
    notes: list[Note] = []
    white: dict[str, float] = {}
    for kind, levels in _WHITES.items():
        highest = [_highest(look, kind) for look in seen]
        found = [high for high in highest if high is not None]
        if found:
            high = max(found)
            white[kind] = next((level for level in levels if high <= level), high)
            low = min(float(np.nan_to_num(look["low"]).min(initial=0.0)) for look in seen)
            notes.append(_said(kind, low, high, white[kind]))
    for source in encoded:
        source.white = white
    return notes


def _highest(look: NDArray[np.void], kind: str) -> float | None:
    """The greatest value of images of a kind; None where there are none."""
    own = look[np.char.startswith(look["mode"], kind.encode())]
    known = own["high"][np.isfinite(own["high"])]
    return float(known.max()) if len(known) else None


def _said(kind: str, low: float, high: float, white: float) -> Note:
    what = "16-bit greys" if kind == "I" else "images of floats"
    text = f"{what}: the brightest value of all splits is {high:,g}, and {white:,g} is white"
    text += f", what is below 0 (down to {low:,g}) is black" if low < 0 else ""
    full = low == 0 and kind == "I" and white == _WHITES["I"][-1]
    return Note(text, "fact" if full else "guessed", say="it by 8-bit images, or by 16-bit ones in "
                "which 65,535 is white")  # fmt: skip
