"""Oxford Flowers-102: numbered images, labels and splits in MATLAB files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from ...errors import DataError, MissingDependency
from ...registry import import_optional
from ..dataset import Split
from .base import Expected, KnownDataset, mark_miniature
from .mat import read_mat
from .parts import AGAIN, Listing, inspect_splits, split_of, unknown_split
from .pictures import write_picture

__all__ = ["FLOWERS102"]

_IDS = {"train": "trnid", "val": "valid", "test": "tstid"}
_IMAGES = ("jpg", "all_images")
"""torchvision's folder, and FLYP's."""


@lru_cache(maxsize=1)
def _class_names() -> tuple[str, ...]:
    """The 102 names in label order: the publisher's files have numbers only; torchvision has them.

    Raises:
        MissingDependency: This torchvision carries no list.
    """
    datasets = import_optional("torchvision.datasets", needed_for="the names of Flowers-102")
    names: Any = getattr(datasets.Flowers102, "classes", None)
    if not names or len(names) != 102:
        raise MissingDependency(
            "this version of torchvision does not carry the class names of Flowers-102",
            expected="torchvision.datasets.Flowers102.classes with 102 names",
            fix="pip install --upgrade torchvision",
        )
    return tuple(names)


def _read(folder: Path, split: str) -> Split:
    if split not in _IDS:
        raise unknown_split("flowers102", split, _IDS)
    numbers = np.atleast_1d(read_mat(folder / "setid.mat", _IDS[split])).astype(np.int64)
    labels = np.atleast_1d(read_mat(folder / "imagelabels.mat", "labels")).astype(np.int64) - 1
    if numbers.min() < 1 or numbers.max() > len(labels):
        raise DataError(
            f"{folder / 'setid.mat'} names image {numbers.max()}, imagelabels.mat has labels of "
            f"{len(labels)}",
            fix=AGAIN,
        )
    images = next((name for name in _IMAGES if (folder / name).is_dir()), _IMAGES[0])
    paths = [f"{images}/image_{number:05d}.jpg" for number in numbers.tolist()]
    listing = Listing(paths, labels[numbers - 1], _class_names())
    return split_of(FLOWERS102, folder, split, listing, domain="ID")


def _miniature(folder: Path, seed: int) -> None:
    """All 102 classes, one image of each in train and val, one of the first 30 in test."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.concatenate([np.arange(102), np.arange(102), np.arange(30)]))
    ids: dict[str, list[int]] = {key: [] for key in _IDS.values()}
    seen: dict[int, int] = {}
    for number, label in enumerate(order.tolist(), 1):
        write_picture(folder / f"jpg/image_{number:05d}.jpg", label, number, seed=seed)
        seen[label] = seen.get(label, -1) + 1
        ids[("trnid", "valid", "tstid")[seen[label]]].append(number)
    savemat(folder / "imagelabels.mat", {"labels": (order + 1).astype(np.uint8)[None]})
    savemat(folder / "setid.mat", {k: np.array(v, dtype=np.uint16)[None] for k, v in ids.items()})
    counts = {k: Expected(n, n, source="miniature") for k, n in
              (("train", 102), ("val", 102), ("test", 30))}  # fmt: skip
    mark_miniature(folder, "flowers102", counts, seed)


_SOURCE = "TensorFlow Datasets catalogue, oxford_flowers102"

FLOWERS102: KnownDataset = KnownDataset(
    name="flowers102",
    title="Oxford Flowers-102",
    summary="Photographs of 102 kinds of flowers, ten of each for training; the mean over classes "
    "is scored.",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    citation='M.-E. Nilsback, A. Zisserman, "Automated Flower Classification over a Large Number '
    'of Classes", ICVGIP 2008',
    licence="not stated",
    layout=(
        "flowers-102/",
        "  jpg/image_00001.jpg, ...",
        "  imagelabels.mat, setid.mat",
    ),
    folders=("flowers-102", "flowers102", "oxford_flowers"),
    splits={
        "train": Expected(1_020, 102, source=_SOURCE),
        "val": Expected(1_020, 102, source=_SOURCE),
        "test": Expected(6_149, 102, source=_SOURCE),
    },
    default="test",
    metric="per_class",
    domain="ID",
    read=_read,
    inspect=lambda folder, full: inspect_splits(FLOWERS102, folder, full),
    miniature=_miniature,
    class_source="torchvision.datasets.Flowers102.classes",
    aliases=("oxford-flowers", "flowers-102"),
    present=lambda folder: (folder / "setid.mat").is_file(),
    roles={"train": "train", "val": "val", "test": "test"},
)
