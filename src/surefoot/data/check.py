"""Reads every image before a run starts: who it is, and whether it can be decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np

from ..errors import BadImages
from ..inventory import Pictures
from .dataset import Split
from .images import EncodedImages, decode, many_may_read, opened, pictures_in, reason
from .prefetch import prefetch, threads_for
from .sequence import BROKEN, Images, content, keep_identity, keep_look, looks, underlying

__all__ = ["Progress", "check_images", "know_images", "pictures", "require_good"]

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


def check_images(
    split: Split, *, workers: int = 0, progress: Progress | None = None, quick: bool = False
) -> list[tuple[str, str]]:
    """Every image that cannot be had, with the reason in plain words.

    Images are decoded one after the other and forgotten: memory does not grow with their number.
    What stays is who each is, 32 bytes (``Split.identities``), since its bytes are here anyway.

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
    return [(split.images.id(i), why) for i, why in _bad(split, workers, progress, quick)]


def _bad(
    split: Split, workers: int, progress: Progress | None, quick: bool
) -> list[tuple[int, str]]:
    """Rows of the split and reasons."""
    bad: list[tuple[int, str]] = []
    source, rows = underlying(split.images, np.arange(len(split), dtype=np.int64))

    def one(index: int) -> str | None:
        try:
            _look(source, int(rows[index]), quick)
        except BROKEN as error:
            return reason(error)
        return None

    threads = workers or (1 if quick else _threads(split))
    for index, why in enumerate(prefetch(one, range(len(split)), threads)):
        if why is not None:
            bad.append((index, why))
        if progress is not None and (index % 256 == 255 or index + 1 == len(split)):
            progress(index + 1, len(split))
    return bad


def know_images(split: Split, *, workers: int = 0, progress: Progress | None = None) -> None:
    """Read every image for its identity alone; one that cannot be read has none.

    Args:
        split: What is not decoded before a run: a published data set.
        workers: As in :func:`check_images`.
        progress: Likewise.
    """

    def one(index: int) -> None:
        with suppress(*BROKEN):
            content(split.images, index)

    for index, _ in enumerate(prefetch(one, range(len(split)), workers or _threads(split))):
        if progress is not None and (index % 256 == 255 or index + 1 == len(split)):
            progress(index + 1, len(split))


def _threads(split: Split) -> int:
    """Threads that pay off for images like the first; a broken one says nothing about the rest."""
    if not many_may_read(split.images):
        return 1
    try:
        return threads_for(split.images[0])
    except BROKEN:
        return 1


def _look(source: Images, row: int, quick: bool) -> None:
    """Read one image, note who it is, and decode it (or its header)."""
    if not isinstance(source, EncodedImages):
        keep_look(source, row, source[row])
        content(source, row)
        return
    data = source.read(row)
    keep_identity(source, row, hashlib.sha256(data).digest())
    if not quick:
        decode(data, partial(keep_look, source, row, frames=_frames(data)))
        return
    if not data:
        raise OSError("the file is empty")
    with opened(data) as image:
        if image.mode.startswith(("I", "F")):  # what is white needs their numbers
            image.load()
            keep_look(source, row, image)
        else:
            image.verify()


def _frames(data: bytes) -> int:
    """Pictures in a file; only the first has to be a good one."""
    with suppress(*BROKEN):
        return pictures_in(data)
    return 1


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
    rows = _bad(split, workers, progress, quick)
    if not rows:
        return split
    bad = [(split.images.id(i), why) for i, why in rows]
    if not skip_bad or len(bad) == len(split):
        raise BadImages(bad, where=split.source or f"the split {split.name!r}")
    kept = np.delete(np.arange(len(split), dtype=np.int64), [i for i, _ in rows])
    first = ", ".join(name for name, _ in bad[:3])
    more = ", ..." if len(bad) > 3 else ""
    return split.take(
        kept,
        note=f"{split.name}: {len(bad)} of {len(split)} images cannot be decoded and are left "
        f"out ({first}{more})",
    )


_SAMPLE = 64
"""Images of a set that is not decoded before a run which are looked at all the same."""


def pictures(split: Split) -> Pictures | None:
    """What the images look like: those that were decoded, else a seeded sample of them.

    A published set is not decoded before a run. Nothing is known of images from Python that were
    not decoded either: to ask for them may cost anything.
    """
    found = looks(split.images)
    seen = np.flatnonzero(found["mode"] != b"")
    source, rows = underlying(split.images, np.arange(len(split), dtype=np.int64))
    if not len(seen) and isinstance(source, EncodedImages):
        draw = np.random.default_rng(0).permutation(len(split))[:_SAMPLE]
        for row in rows[draw].tolist():
            with suppress(*BROKEN):
                _look(source, int(row), False)
        found = looks(split.images)
        seen = np.flatnonzero(found["mode"] != b"")
    if not len(seen):
        return None
    found = found[seen]
    modes, counts = np.unique(found["mode"], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    sides = {s: (int(found[s].min()), int(found[s].max())) for s in ("width", "height")}
    known = found[np.isfinite(found["low"])]
    ends = (float(known["low"].min()), float(known["high"].max())) if len(known) else (0.0, 255.0)
    return Pictures(len(seen), {modes[i].decode(): int(counts[i]) for i in order}, range=ends,
                    **sides)  # fmt: skip
