"""A sequence of images: what it promises, parts of one, and who each image in it is.

An image's identity is its content: SHA-256 of its encoded bytes, or of type, shape and pixels where
it is kept as an array. It is the same whatever holds the image (a folder, a table, a shard) and
whatever it is called there. A picture that was encoded anew is another image here.
"""

from __future__ import annotations

import hashlib
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "BROKEN",
    "LOOK",
    "Images",
    "Taken",
    "View",
    "content",
    "identities",
    "identity_column",
    "keep_identity",
    "keep_look",
    "looks",
    "pixel_content",
    "underlying",
]

BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise for files that are no good images."""


class Images(Protocol):
    """Where pixels come from: a sequence that decodes when indexed.

    One that knows its images without decoding them has ``content(index) -> bytes`` as well, 32
    bytes that are the same for the same image (see :func:`content`).
    """

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int) -> Image.Image:
        """The image at ``index``, decoded, RGB."""

    def id(self, index: int) -> str:
        """A stable name: the path relative to the root, or a key."""


class View(ABC):
    """A sequence whose images are those of another one."""

    @abstractmethod
    def source(self, indices: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
        """The other sequence, and the indices (n,) in it."""


class Taken(View):
    """Some images of another sequence.

    Args:
        images: Of which they are some.
        at: (n,) which, in order.
    """

    def __init__(self, images: Images, at: NDArray[np.int64]) -> None:
        # A part of a part points at the whole, so that indexing stays one step.
        self.images: Images = images.images if isinstance(images, Taken) else images
        self.at: NDArray[np.int64] = images.at[at] if isinstance(images, Taken) else at

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: int) -> Image.Image:
        return self.images[int(self.at[index])]

    def id(self, index: int) -> str:
        """As the other sequence has it."""
        return self.images.id(int(self.at[index]))

    def source(self, indices: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
        """Those, and where each lies there."""
        return self.images, self.at[indices]


def underlying(images: Images, indices: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
    """The sequence that a selection was taken from, and the indices (n,) in it."""
    while isinstance(images, View):
        images, indices = images.source(indices)
    return images, indices


def pixel_content(pixels: NDArray[Any]) -> bytes:
    """SHA-256 of an image kept as an array: type, shape and pixels."""
    head = f"{pixels.dtype.str} {pixels.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(pixels).data).digest()


def content(images: Images, index: int) -> bytes:
    """32 bytes that say which image it is; looked up where it was read before.

    Raises:
        OSError: It cannot be read.
    """
    source, rows = underlying(images, np.array([index], dtype=np.int64))
    row = int(rows[0])
    digests, known, _ = _ledger(source)
    if not known[row]:
        digests[row] = np.frombuffer(_read(source, row), np.uint8)
        known[row] = True
    return bytes(digests[row])


def _read(source: Images, row: int) -> bytes:
    own = getattr(source, "content", None)
    return bytes(own(row)) if own is not None else pixel_content(np.asarray(source[row]))


def identities(images: Images) -> NDArray[np.uint8]:
    """Who the images are, (n, 32): each read once, unless it was before.

    Zeros stand for an image that cannot be read, which is like no other: decoding it will say what
    is wrong.
    """
    source, rows = underlying(images, np.arange(len(images), dtype=np.int64))
    digests, known, _ = _ledger(source)
    for row in rows[~known[rows]].tolist():
        try:
            digests[row] = np.frombuffer(_read(source, row), np.uint8)
        except BROKEN:
            continue
        known[row] = True
    return digests[rows]


def keep_identity(source: Images, row: int, digest: bytes) -> None:
    """Note who an image is that was just read.

    Args:
        source: The sequence, as :func:`underlying` gives it.
        row: In it.
        digest: SHA-256 of the encoded bytes.
    """
    digests, known, _ = _ledger(source)
    digests[row] = np.frombuffer(digest, np.uint8)
    known[row] = True


def keep_look(source: Images, row: int, image: Image.Image, frames: int = 1) -> None:
    """Note how an image is stored that was just decoded: mode, size, range of its channels.

    Args:
        source: The sequence, as :func:`underlying` gives it.
        row: In it.
        image: Loaded, not yet brought to RGB.
        frames: Pictures in its file.
    """
    ends = np.array(_ends(image), np.float64)
    low, high = (ends[..., 0].min(), ends[..., 1].max())
    _ledger(source)[2][row] = (image.mode.encode()[:5], *image.size, low, high, frames)


def _ends(image: Image.Image) -> Any:
    """Smallest and largest value of each channel; Pillow cannot tell those of 16 bits and NaN."""
    if image.mode == "P":
        return np.nan, np.nan
    if not image.mode.startswith(("I", "F")):
        return image.getextrema()
    pixels = np.asarray(image)
    finite = pixels[np.isfinite(pixels)]
    return (finite.min(), finite.max()) if finite.size else (np.nan, np.nan)


def looks(images: Images) -> NDArray[np.void]:
    """How the images are stored (n,), fields of :data:`LOOK`; mode b"" where none was decoded."""
    source, rows = underlying(images, np.arange(len(images), dtype=np.int64))
    return _ledger(source)[2][rows]


LOOK = np.dtype([("mode", "S5"), ("width", "<i4"), ("height", "<i4"), ("low", "<f4"),
                 ("high", "<f4"), ("frames", "<i4")])  # fmt: skip
"""Mode of Pillow, size in pixels, smallest and largest value (NaN of a palette's), pictures in the
file."""

_Ledger = tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.void]]

_LEDGERS: dict[int, tuple[weakref.ref[Images], _Ledger]] = {}
"""By address of a sequence: digests (n, 32), which (n,) are known, looks; they go with it.

Not by its hash: two of a user's sequences may be equal, or have none.
"""


def _ledger(source: Images) -> _Ledger:
    key = id(source)
    kept = _LEDGERS.get(key)
    if kept is not None and kept[0]() is source and len(kept[1][1]) == len(source):
        return kept[1]
    fresh = _blank(len(source))
    with suppress(TypeError):  # one that cannot be referred to weakly is read anew each time
        _LEDGERS[key] = weakref.ref(source, lambda _: _LEDGERS.pop(key, None)), fresh
    return fresh


def _blank(n: int) -> _Ledger:
    return np.zeros((n, 32), np.uint8), np.zeros(n, np.bool_), np.zeros(n, LOOK)


def identity_column(digests: NDArray[np.uint8]) -> NDArray[np.void]:
    """Identities (n, 32) as one column (n,) that compares and sorts."""
    column: NDArray[np.void] = np.ascontiguousarray(digests).view(np.dtype((np.void, 32)))[:, 0]
    return column
