"""Stanford Cars and Oxford Flowers-102: images listed in MATLAB files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, MissingDependency
from ...registry import import_optional
from ..dataset import Split
from .base import Counts, KnownDataset
from .checks import AGAIN
from .facts import facts
from .files import read_mat
from .pictures import write_picture

__all__ = ["CARS", "FLOWERS102"]


class _Cars(KnownDataset):
    """Stanford Cars: rows of file and class (from 1)."""

    def _read(self, folder: Path, split: str) -> Split:
        """FLYP holds a fifth of the training list back for validation, drawn by scikit-learn."""
        test = split == "test"
        file = "cars_test_annos_withlabels.mat" if test else "devkit/cars_train_annos.mat"
        rows = np.atleast_1d(read_mat(folder / file, "annotations"))
        if split in ("train80", "val20"):
            from sklearn.model_selection import train_test_split

            larger, fifth = train_test_split(rows, test_size=0.2, random_state=10)
            rows = larger if split == "train80" else fifth
        images = "cars_test" if test else "cars_train"
        labels = np.array([int(row["class"]) - 1 for row in rows], dtype=np.int64)
        names = np.atleast_1d(read_mat(folder / "devkit/cars_meta.mat", "class_names"))
        paths = [f"{images}/{row['fname']}" for row in rows]
        return self.listed(folder, split, paths, labels, [str(n) for n in names])

    def _miniature(self, folder: Path, seed: int) -> Counts:
        from scipy.io import savemat

        names = [
            "AM General Hummer SUV 2000",
            "Acura RL Sedan 2012",
            "Ram C/V Cargo Van Minivan 2012",
        ]
        kind = [(f, "O") for f in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
        (folder / "devkit").mkdir(parents=True, exist_ok=True)
        savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(names, dtype=object)})
        for images, file, count in (
            ("cars_train", "devkit/cars_train_annos.mat", 15),
            ("cars_test", "cars_test_annos_withlabels.mat", 6),
        ):
            rows = np.empty(count, dtype=kind)
            for i in range(count):
                rows[i] = (1, 2, 20, 21, i % 3 + 1, f"{i + 1:05d}.jpg")
                write_picture(folder / images / f"{i + 1:05d}.jpg", i % 3, i, seed=seed)
            savemat(folder / file, {"annotations": rows})
        return {"train": (15, 3), "train80": (12, 3), "val20": (3, None), "test": (6, 3)}


_IDS = {"train": "trnid", "val": "valid", "test": "tstid"}
_IMAGES = ("jpg", "all_images")
"""torchvision's folder, and FLYP's."""


class _Flowers(KnownDataset):
    """Oxford Flowers-102: numbered images; their labels and splits by number."""

    def _read(self, folder: Path, split: str) -> Split:
        numbers = np.atleast_1d(read_mat(folder / "setid.mat", _IDS[split])).astype(np.int64)
        labels = np.atleast_1d(read_mat(folder / "imagelabels.mat", "labels")).astype(np.int64) - 1
        if numbers.min() < 1 or numbers.max() > len(labels):
            raise DataError(
                f"{folder / 'setid.mat'} names image {numbers.max()}, imagelabels.mat has labels "
                f"of {len(labels)}",
                fix=AGAIN,
            )
        images = next((name for name in _IMAGES if (folder / name).is_dir()), _IMAGES[0])
        paths = [f"{images}/image_{number:05d}.jpg" for number in numbers.tolist()]
        return self.listed(folder, split, paths, labels[numbers - 1], _flower_names())

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """All 102 classes, one image of each in train and val, one of the first 30 in test."""
        from scipy.io import savemat

        rng = np.random.default_rng(seed)
        order = rng.permutation(np.concatenate([np.arange(102), np.arange(102), np.arange(30)]))
        ids: dict[str, list[int]] = {key: [] for key in _IDS.values()}
        for number, label in enumerate(order.tolist(), 1):
            write_picture(folder / f"jpg/image_{number:05d}.jpg", label, number, seed=seed)
            seen = int((order[: number - 1] == label).sum())
            ids[("trnid", "valid", "tstid")[seen]].append(number)
        savemat(folder / "imagelabels.mat", {"labels": (order + 1).astype(np.uint8)[None]})
        arrays = {key: np.array(held, dtype=np.uint16)[None] for key, held in ids.items()}
        savemat(folder / "setid.mat", arrays)
        return {"train": (102, 102), "val": (102, 102), "test": (30, 30)}


@lru_cache(maxsize=1)
def _flower_names() -> tuple[str, ...]:
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


CARS = _Cars(**facts("cars"))
FLOWERS102 = _Flowers(**facts("flowers102"))
