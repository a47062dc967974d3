"""Finds images that cannot be decoded, before a run starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import BadImages, DataError
from .dataset import Split
from .images import EncodedImages, many_may_read, opened, reason, underlying
from .prefetch import prefetch, threads_for
from .readers import read_split

__all__ = ["BROKEN", "Progress", "check_folder", "check_images", "require_good"]

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

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


def check_images(
    split: Split, *, workers: int = 0, progress: Progress | None = None, quick: bool = False
) -> list[tuple[str, str]]:
    """Every image that cannot be had, with the reason in plain words.

    Images are decoded one after the other and forgotten: memory does not grow with their number.

    Args:
        split: What is checked.
        workers: Threads (Pillow's decoders run side by side); 0: as many as pay off, on images
            of ours.
        progress: Called now and then with (done, all).
        quick: Read and verify headers and checksums only. Finds empty files, files that are no
            images and damaged PNGs, but not truncated JPEGs.

    Returns:
        (id, reason) in the order of the split.
    """
    bad: list[tuple[str, str]] = []

    def one(index: int) -> str | None:
        try:
            _header(split, index) if quick else split.images[index]
        except BROKEN as error:
            return reason(error)
        return None

    threads = workers or (1 if quick else _threads(split))
    for index, why in enumerate(prefetch(one, range(len(split)), threads)):
        if why is not None:
            bad.append((split.images.id(index), why))
        if progress is not None and (index % 256 == 255 or index + 1 == len(split)):
            progress(index + 1, len(split))
    return bad


def _threads(split: Split) -> int:
    """Threads that pay off for images like the first; a broken one says nothing about the rest."""
    if not many_may_read(split.images):
        return 1
    try:
        return threads_for(split.images[0])
    except BROKEN:
        return 1


def _header(split: Split, index: int) -> None:
    images, at = underlying(split.images, np.array([index], dtype=np.int64))
    if not isinstance(images, EncodedImages):
        images[int(at[0])]
        return
    data = images.read(int(at[0]))
    if not data:
        raise OSError("the file is empty")
    with opened(data) as image:
        image.verify()


def require_good(
    split: Split,
    skip_bad: bool = False,
    *,
    workers: int = 0,
    progress: Progress | None = None,
    quick: bool = False,
) -> Split:
    """The split itself if every image decodes; else an error, or the split without the bad ones.

    Args:
        split: What is checked.
        skip_bad: Leave bad images out, with a note, instead of stopping.
        workers: As in :func:`check_images`.
        progress: Likewise.
        quick: Likewise.

    Raises:
        BadImages: Some are bad and ``skip_bad`` is off, or all are.
    """
    bad = check_images(split, workers=workers, progress=progress, quick=quick)
    if not bad:
        return split
    if not skip_bad or len(bad) == len(split):
        raise BadImages(bad, where=split.source or f"the split {split.name!r}")
    gone = {name for name, _ in bad}
    kept = [i for i in range(len(split)) if split.images.id(i) not in gone]
    first = ", ".join(name for name, _ in bad[:3])
    more = ", ..." if len(bad) > 3 else ""
    return split.take(
        kept,
        note=f"{split.name}: {len(bad)} of {len(split)} images cannot be decoded and are left "
        f"out ({first}{more})",
    )


def check_folder(
    path: str | os.PathLike[str],
    *,
    cut: bool = True,
    workers: int = 0,
    progress: Progress | None = None,
) -> list[str]:
    """Every problem of a data folder (or any spec of ``read_split``), one sentence each.

    An empty class folder does not hide a truncated image in the next one.

    Args:
        path: What is checked.
        cut: Whether a part may have to be cut off it, for which classes need two images.
        workers: As in :func:`check_images`.
        progress: Likewise.

    Returns:
        Problems in plain words; empty when all is well.
    """
    root = Path(path)
    if not root.is_dir():
        return _problems(path, cut, workers, progress)
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    found: list[str] = []
    try:
        split = read_split(path, name=root.name or "data", domain="ID", use="test")
    except DataError as error:
        found.append(str(error))
    else:
        return _bad(split, workers, progress) + (_small(split) if cut else [])
    for folder in folders:
        found += _problems_inside(folder, workers)
    return found


def _problems(
    path: str | os.PathLike[str], cut: bool, workers: int, progress: Progress | None
) -> list[str]:
    try:
        split = read_split(path, name="data", domain="ID", use="test")
    except BadImages as error:
        return [f"{name}: {why}" for name, why in error.bad]
    except DataError as error:
        return [str(error)]
    return _bad(split, workers, progress) + (_small(split) if cut else [])


def _bad(split: Split, workers: int, progress: Progress | None) -> list[str]:
    return [
        f"{name}: {why}" for name, why in check_images(split, workers=workers, progress=progress)
    ]


def _small(split: Split) -> list[str]:
    """Classes with one image: nothing of them can be kept for validation."""
    if split.labels is None:
        return []
    counts = np.bincount(split.labels, minlength=len(split.class_names))
    lone = [split.class_names[i] for i in np.flatnonzero(counts == 1)]
    if not lone:
        return []
    have = "class has" if len(lone) == 1 else "classes have"
    return [
        f"{len(lone)} {have} one image only, of which no validation part can be cut: "
        f"{', '.join(lone[:8])}{', ...' * (len(lone) > 8)}"
    ]


def _problems_inside(folder: Path, workers: int) -> list[str]:
    """Bad images of one class folder whose data set could not be read as a whole."""
    from .folder import images_below

    split = images_below(folder)
    if split is None:
        return []
    return [f"{folder.name}/{name}: {why}" for name, why in check_images(split, workers=workers)]
