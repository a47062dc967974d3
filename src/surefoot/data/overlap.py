"""Are the same images in training and test? Looked for cheaply, and said."""

from __future__ import annotations

import hashlib
import os

import numpy as np
from numpy.typing import NDArray

from .dataset import Split
from .images import FileImages, underlying

__all__ = ["overlap_note", "shared_images"]

_MOST = 50_000
"""Files of equal size that are hashed on either side; of more, a draw."""


def overlap_note(train: Split, other: Split) -> str | None:
    """A warning for the report when images of ``other`` are training images too."""
    shared, cut = _search(train, other)
    if not shared:
        return (
            f"whether images of {other.name} are in {train.name} too was looked for among "
            f"{_MOST:,} files of equal size only, drawn at random: none found"
            if cut
            else None
        )
    first = ", ".join(shared[:3])
    return (
        f"WARNING: {len(shared)} of {len(other)} images of {other.name} are in {train.name} too "
        f"({first}{', ...' if len(shared) > 3 else ''}): its score is too high"
    )


def shared_images(train: Split, other: Split) -> list[str]:
    """Ids of ``other`` whose file is a file of ``train``, or has the same bytes.

    Only files of equal size are read: the first 4 KiB of each, and all of those that agree.
    Sets that are not kept as files share nothing here.
    """
    return _search(train, other)[0]


def _search(train: Split, other: Split) -> tuple[list[str], bool]:
    """Ids that are shared, and whether the search was cut short."""
    left, right = _files(train), _files(other)
    if left is None or right is None:
        return [], False
    (mine, my_rows), (theirs, their_rows) = left, right
    my_sizes, their_sizes = _sizes(mine, my_rows), _sizes(theirs, their_rows)
    mine_at = np.flatnonzero(np.isin(my_sizes, their_sizes) & (my_sizes > 0))
    theirs_at = np.flatnonzero(np.isin(their_sizes, my_sizes) & (their_sizes > 0))
    cut = max(len(mine_at), len(theirs_at)) > _MOST
    mine_at, theirs_at = _drawn(mine_at, my_sizes), _drawn(theirs_at, their_sizes)
    heads = {_hash(mine, int(my_rows[i]), int(my_sizes[i]), 4096) for i in mine_at}
    likely = [
        i for i in theirs_at
        if _hash(theirs, int(their_rows[i]), int(their_sizes[i]), 4096) in heads
    ]  # fmt: skip
    if not likely:
        return [], cut
    sizes = {int(their_sizes[i]) for i in likely}
    whole = {
        _hash(mine, int(my_rows[i]), int(my_sizes[i]), None)
        for i in mine_at
        if int(my_sizes[i]) in sizes
    }
    found = [
        other.images.id(int(i))
        for i in likely
        if _hash(theirs, int(their_rows[i]), int(their_sizes[i]), None) in whole
    ]
    return found, cut


def _drawn(at: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``_MOST`` of the files at ``at``, by a draw of sizes.

    Sizes are drawn alike on both sides, so that a file that both have is looked at on both (or,
    where files of one size abound, likely so). The first files would be those of some classes.
    """
    if len(at) <= _MOST:
        return at
    rank = np.random.default_rng(0).permutation(len(at))
    scattered = sizes[at].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
    kept: NDArray[np.int64] = np.sort(at[np.lexsort((rank, scattered))[:_MOST]])
    return kept


def _files(split: Split) -> tuple[FileImages, NDArray[np.int64]] | None:
    images, rows = underlying(split.images, np.arange(len(split), dtype=np.int64))
    return (images, rows) if isinstance(images, FileImages) else None


def _sizes(images: FileImages, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    def size(row: int) -> int:
        try:
            return os.path.getsize(images.path(row))
        except OSError:
            return 0

    return np.fromiter((size(int(r)) for r in rows), dtype=np.int64, count=len(rows))


def _hash(images: FileImages, row: int, size: int, first: int | None) -> tuple[int, bytes]:
    """Size and SHA-256 of a file, or of its first bytes."""
    try:
        with open(images.path(row), "rb") as file:
            data = file.read() if first is None else file.read(first)
    except OSError:
        data = os.fsencode(images.path(row))  # unreadable: equal to itself only
    return size, hashlib.sha256(data).digest()
