"""Tiny data sets in the real layouts, for tests and for trying a recipe in seconds."""

from __future__ import annotations

import os
from pathlib import Path

from ..data.known.base import KnownDataset
from ..data.known.facts import miniature_mark
from ..data.known.find import known_dataset
from ..errors import DataError

__all__ = ["make_miniature"]


def make_miniature(name: str, dir: str | os.PathLike[str], seed: int = 0) -> Path:  # noqa: A002
    """Write a tiny copy of a published data set, in exactly its layout.

    Folder names, metadata files and columns are the real ones; the pictures are noise in the
    colours of their class, a few per class, of a few classes. The one file that a real copy does
    not have is ``surefoot-miniature.json``, which states the miniature's counts. Several can be
    made below one folder, which then is a data root: ``make_task(train="imagenet", root=dir)``.

    Args:
        name: As `surefoot ls datasets` lists it.
        dir: A data root; the data set goes into its own folder below.
        seed: Of the pictures.

    Returns:
        The data set's folder.

    Raises:
        UnknownName: There is no such data set.
        DataError: The folder holds something already.

    Example:
        >>> sf.testing.make_miniature("cifar10", "data").name
        'cifar-10-batches-py'
    """
    known = known_dataset(name)
    folder = Path(dir) / known.folders[0]
    if folder.exists() and any(folder.iterdir()) and not _shared(known, folder):
        raise DataError(
            f"{folder} holds something already",
            expected="a new folder: a miniature is never written over data",
            fix="give another folder",
        )
    known.miniature(folder, seed)
    return folder


def _shared(known: KnownDataset, folder: Path) -> bool:
    """Is it the miniature of another data set that lies in the same folder (fmow-continents)?"""
    mark = miniature_mark(folder)
    return mark is not None and known.name not in mark
