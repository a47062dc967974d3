"""ImageNet's validation images as the archive unpacks them: one flat folder and the devkit."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Split
from ..images import FileImages
from .base import KnownDataset
from .checks import Problem, Tree, archive_problems, bad_image_problems, count_problems
from .facts import Expected
from .files import reading
from .wordnet import imagenet_wnids

__all__ = ["flat_files", "flat_val_problems", "read_flat_val"]

_FILE = re.compile(r"^ILSVRC2012_val_(\d{8})\.JPEG$", re.I)
_DEVKITS = ("ILSVRC2012_devkit_t12", "devkit", "ILSVRC2012_devkit_t12.tar.gz")
_TRUTH, _META = "data/ILSVRC2012_validation_ground_truth.txt", "data/meta.mat"


def flat_files(place: Path) -> list[str]:
    """Names of the validation images that lie in one folder, in the order of their numbers."""
    if not place.is_dir():
        return []
    return sorted(p.name for p in place.iterdir() if _FILE.match(p.name))


def _devkit_wnids(folder: Path) -> list[str]:
    """The class of every validation image, in the order of their numbers, from the devkit.

    Reads ``data/ILSVRC2012_validation_ground_truth.txt`` (a number from 1 to 1000 a line) and
    ``data/meta.mat`` (which class each number is) of the folder or the archive.

    Raises:
        DataError: There is no devkit beside the images, or it cannot be read.
    """
    for name in _DEVKITS:
        place = folder / name
        if place.exists():
            with reading(
                place,
                "devkit",
                expected=f"{_TRUTH} and {_META} in it, as published",
                fix="get ILSVRC2012_devkit_t12.tar.gz again",
            ):
                return _labels(*_devkit_bytes(place))
    raise DataError(
        f"the validation images in {folder} lie in one flat folder, and their labels are not there "
        f"(looked for {', '.join(str((folder / n).absolute()) for n in _DEVKITS)})",
        expected="the devkit of the 2012 challenge beside train/ and val/",
        fix="put ILSVRC2012_devkit_t12.tar.gz there, or sort val into class folders",
    )


def _devkit_bytes(place: Path) -> tuple[bytes, bytes]:
    if place.is_dir():
        return (place / _TRUTH).read_bytes(), (place / _META).read_bytes()
    with tarfile.open(place) as archive:
        found = {}
        for member in archive:
            for wanted in (_TRUTH, _META):
                file = archive.extractfile(member) if member.name.endswith(wanted) else None
                if file is not None:
                    found[wanted] = file.read()
    return found[_TRUTH], found[_META]


def _labels(truth: bytes, meta: bytes) -> list[str]:
    from scipy.io import loadmat

    synsets = loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
    wnid_of = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in np.atleast_1d(synsets)}
    return [wnid_of[int(line)] for line in truth.split()]


def _numbers(files: list[str]) -> list[int]:
    return [int(_FILE.match(f)[1]) for f in files]  # type: ignore[index]


def read_flat_val(known: KnownDataset, folder: Path, place: Path) -> Split:
    """The validation split from a flat folder, labelled by the devkit.

    Raises:
        DataError: The devkit is missing, or speaks of other images.
    """
    files, wnids = flat_files(place), _devkit_wnids(folder)
    last = max(_numbers(files))
    if last > len(wnids):
        raise DataError(
            f"{place} holds an image with the number {last}, the devkit has {len(wnids)} labels",
            expected="one label per image",
        )
    used = [wnids[n - 1] for n in _numbers(files)]
    expected = known.expected(folder)["val"]
    order = [w for w in imagenet_wnids() if w in set(used)]
    if expected.classes not in (None, len(order)):
        raise DataError(
            f"the images in {place} have {len(order)} classes",
            expected=f"{expected.classes}",
            fix=f"`surefoot data check imagenet:val {folder}` says what is missing",
        )
    position = {w: i for i, w in enumerate(order)}
    labels = np.array([position[w] for w in used], dtype=np.int64)
    return known.made("val", FileImages(place, files), labels, order, place)


def flat_val_problems(expected: Expected, folder: Path, place: Path, full: bool) -> list[Problem]:
    """Every problem of a flat validation folder."""
    files = flat_files(place)
    empty = [f for f in files if (place / f).stat().st_size == 0]
    found = archive_problems(Tree(empty=empty), "val")
    try:
        wnids = _devkit_wnids(folder)
    except DataError as error:
        return [*found, Problem.of("val", error.wrong, error.fix)]
    numbers = [n for n in _numbers(files) if n <= len(wnids)]
    found += count_problems("val", expected, len(files), len({wnids[n - 1] for n in numbers}))
    if full:
        split = Split("val", FileImages(place, files), None, (), "ID", "test", source=str(place))
        found += bad_image_problems(split, "val")
    return found
