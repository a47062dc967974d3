"""What is wrong with a data folder or any other spec, all of it at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import BadImages, DataError
from .check import Progress, check_images
from .dataset import Split
from .folder import images_below
from .source import read_split
from .units import check_unit, with_unit

__all__ = ["check_folder"]


def check_folder(
    path: str | os.PathLike[str],
    *,
    cut: bool = True,
    unit: str | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> list[str]:
    """Every problem of a data folder (or any spec of ``read_split``), one sentence each.

    An empty class folder does not hide a truncated image in the next one.

    Args:
        path: What is checked.
        cut: Whether a part may have to be cut off it, for which classes need two images.
        unit: What is to say which images hang together, if anything.
        workers: As in :func:`check_images`.
        progress: Likewise.

    Returns:
        Problems in plain words; empty when all is well.
    """
    root = Path(path)
    if not root.is_dir():
        return _problems(path, cut, unit, workers, progress)
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    found: list[str] = []
    try:
        split = read_split(path, name=root.name or "data", domain="ID", use="test")
    except DataError as error:
        found.append(str(error))
    else:
        return _whole(split, cut, unit, workers, progress)
    for folder in folders:
        found += _problems_inside(folder, workers)
    return found


def _problems(
    path: str | os.PathLike[str],
    cut: bool,
    unit: str | None,
    workers: int,
    progress: Progress | None,
) -> list[str]:
    try:
        split = read_split(path, name="data", domain="ID", use="test")
    except BadImages as error:
        return [f"{name}: {why}" for name, why in error.bad]
    except DataError as error:
        return [str(error)]
    return _whole(split, cut, unit, workers, progress)


def _whole(
    split: Split, cut: bool, unit: str | None, workers: int, progress: Progress | None
) -> list[str]:
    """Problems of a split that could be read."""
    found = _bad(split, workers, progress) + (_small(split) if cut else [])
    try:
        if unit is not None:
            with_unit(split, check_unit(unit))
    except (DataError, ValueError) as error:
        found.append(str(error))
    return found


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
    split = images_below(folder)
    if split is None:
        return []
    return [f"{folder.name}/{name}: {why}" for name, why in check_images(split, workers=workers)]
