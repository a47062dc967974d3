"""CIFAR-10 and CIFAR-100 (python batches), and how CIFAR-10's classes become STL-10's.

Layouts: the archives `cifar-10-python.tar.gz` and `cifar-100-python.tar.gz` as torchvision reads
them (its md5 sums are not asked for: CIFAR-10 built from other packagings has the same pixels and
other bytes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...atomic import write_atomic
from ...errors import ClassMismatch, DataError
from ..dataset import ClassMap, Split
from .arrays import ArrayImages, require_images
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem, few
from .facts import facts
from .pickled import dump_python2, load_arrays
from .pictures import stack

__all__ = ["CIFAR10", "CIFAR100", "CLASSES", "NamedClasses", "drawn", "to_cifar_or_stl"]

_SAME = {"car": "automobile", "automobile": "car"}


def to_cifar_or_stl(classes: Sequence[str], task_classes: Sequence[str]) -> ClassMap | None:
    """CIFAR-10 <-> STL-10: nine classes are shared, a car is an automobile.

    STL's monkey and CIFAR's frog have no partner and are left out of the score, as LP-FT (Kumar et
    al. 2022, arXiv 2202.10054) does. None where every class is one of the task's already.
    """
    if set(classes) <= set(task_classes):
        return None
    pairs = {}
    for name in classes:
        partner = name if name in task_classes else _SAME.get(name, name)
        if partner in task_classes:
            pairs[name] = partner
    return ClassMap(pairs) if pairs else None


def drawn(rng: np.random.Generator, classes: int, each: int) -> NDArray[np.int64]:
    """Labels of a miniature's split: as many images of every class, in random order."""
    return rng.permutation(np.repeat(np.arange(classes), each))


@dataclass(frozen=True, eq=False, kw_only=True)
class NamedClasses(KnownDataset):
    """CIFAR-10's relatives.

    Attributes:
        names: The classes that every copy has, in the order of its labels; none for CIFAR-100.
    """

    names: tuple[str, ...] = ()

    def class_map(self, folder: Path, split: Split, task: Sequence[str]) -> ClassMap | None:
        """See :func:`to_cifar_or_stl`."""
        return to_cifar_or_stl(split.class_names, task) if self.names else None

    def require_names(self, found: Sequence[str], file: Path) -> None:
        """Raise unless a copy names these classes.

        Raises:
            ClassMismatch: It names others.
        """
        if self.names and tuple(found) != self.names:
            raise ClassMismatch(
                f"{file} names the classes {few(map(str, found), 12)}",
                expected=", ".join(self.names),
                fix=AGAIN,
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Batches(NamedClasses):
    """Pickles of arrays.

    Attributes:
        batches: Split -> its files.
        labels_key: Of the labels in a batch.
        meta: The file of class names.
        names_key: Of the names in it.
    """

    batches: Mapping[str, Sequence[str]]
    labels_key: str
    meta: str
    names_key: str

    def _read(self, folder: Path, split: str) -> Split:
        """All batches of a split, in their order, in memory (150 MB for 50,000 images)."""
        pixels: list[NDArray[np.uint8]] = []
        labels: list[int] = []
        for name in self.batches[split]:
            batch = load_arrays(folder / name)
            if not isinstance(batch, dict) or not {"data", self.labels_key} <= set(batch):
                raise DataError(f"{folder / name} is no batch of CIFAR", fix=AGAIN)
            data, own = np.asarray(batch["data"]), np.asarray(batch[self.labels_key])
            require_images(data, own, (3072,), folder / name)
            pixels.append(data)
            labels += own.tolist()
        images = ArrayImages(np.concatenate(pixels).reshape(-1, 3, 32, 32), split, (1, 2, 0))
        names = self._class_names(folder / self.meta)
        return self.made(split, images, np.array(labels, dtype=np.int64), names, folder)

    def _class_names(self, file: Path) -> list[str]:
        """From the copy's own meta file, which for CIFAR-10 must say what it always says."""
        meta = load_arrays(file)
        names = meta.get(self.names_key) if isinstance(meta, dict) else None
        if not isinstance(names, list) or not names:
            raise DataError(f"{file} names no classes", fix=AGAIN)
        self.require_names(names, file)
        return [str(n) for n in names]

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Missing or damaged batches, counts, and classes of unequal size."""
        found = super()._problems(folder, full)
        for split in () if found else self.splits:
            counts = np.bincount(self.read(folder, split).require_labels())
            if counts.min() != counts.max():
                what = f"classes have {counts.min()} to {counts.max()} images, equally many are"
                fix = f"a batch is there twice or is foreign: {AGAIN}"
                found.append(Problem.of(split, f"{what} published", fix))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """2 training images of each class (spread over the batches) and 1 test image."""
        rng = np.random.default_rng(seed)
        names = list(self.names) or [f"class_{i}" for i in range(100)]
        counts = {}
        for split, files in self.batches.items():
            labels = drawn(rng, len(names), 2 if split == "train" else 1)
            for name, own in zip(files, np.array_split(labels, len(files)), strict=True):
                pixels = stack(own, seed=seed, side=32).transpose(0, 3, 1, 2).reshape(-1, 3072)
                batch = {
                    "batch_label": f"{split} batch",
                    self.labels_key: own.tolist(),
                    "data": np.ascontiguousarray(pixels),
                    "filenames": [f"{names[c]}_s_{i:06d}.png" for i, c in enumerate(own)],
                }
                coarse = {} if self.names else {"coarse_labels": (own // 5).tolist()}
                write_atomic(folder / name, dump_python2(batch | coarse))
            counts[split] = (len(labels), len(names))
        contents: dict[str, Any] = {self.names_key: names, "num_vis": 3072}
        if not self.names:
            contents["coarse_label_names"] = [f"group_{i}" for i in range(20)]
        write_atomic(folder / self.meta, dump_python2(contents))
        return counts


CIFAR10 = _Batches(**facts("cifar10"))
CIFAR100 = _Batches(**facts("cifar100"))
CLASSES = CIFAR10.names
"""In the order of CIFAR-10's labels (its page, and every copy's batches.meta)."""
