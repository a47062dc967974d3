"""CIFAR-10.1 (v4, v6) and CIFAR-10.2: new images in CIFAR-10's ten classes.

CIFAR-10.1's readme names two releases, v4 and v6; "v7" occurs in the publisher's own code and in
later repositories, but no such file is published, so there is none here. CIFAR-10.2 is published
as ``.npz`` (its readme); an earlier commit, which WiSE-FT's instructions fetch, had pickled
``.npy`` files. Both are read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..dataset import Split
from .arrays import ArrayImages, require_images
from .base import Counts
from .checks import AGAIN
from .cifar import CLASSES, NamedClasses, drawn
from .facts import facts
from .files import reading
from .pickled import load_object_npy
from .pictures import stack

__all__ = ["CIFAR10_1_V4", "CIFAR10_1_V6", "CIFAR10_2"]

_POINTER = (
    "fetch it from the publisher's repository; a file of a few hundred bytes is a page of the "
    "server or a pointer of Git LFS"
)


class _New(NamedClasses):
    """Arrays of images in CIFAR-10's classes."""

    def _of(self, split: str, folder: Path, file: Path, pixels: Any, labels: Any) -> Split:
        held, own = np.asarray(pixels), np.asarray(labels)
        require_images(held, own, (32, 32, 3), file)
        images = ArrayImages(held, f"{self.name}/{split}")
        return self.made(split, images, own.astype(np.int64), self.names, folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class _NewTestSet(_New):
    """CIFAR-10.1.

    Attributes:
        stem: What its two files are called.
    """

    stem: str

    def _read(self, folder: Path, split: str) -> Split:
        file = folder / f"{self.stem}_data.npy"
        return self._of(split, folder, file, _npy(file), _npy(folder / f"{self.stem}_labels.npy"))

    def _miniature(self, folder: Path, seed: int) -> Counts:
        labels = drawn(np.random.default_rng(seed), 10, 2)
        np.save(folder / f"{self.stem}_data.npy", stack(labels, seed=seed, side=32))
        np.save(folder / f"{self.stem}_labels.npy", labels.astype(np.int32))
        return {"test": (20, 10)}


class _Second(_New):
    """CIFAR-10.2."""

    def _read(self, folder: Path, split: str) -> Split:
        new, old = folder / f"cifar102_{split}.npz", folder / f"cifar102_{split}.npy"
        held = load_object_npy(old) if old.is_file() and not new.is_file() else _npz(new)
        if not isinstance(held, dict) or not {"images", "labels"} <= set(held):
            raise DataError(f"{new} or {old.name} holds no images and labels", fix=AGAIN)
        names = np.asarray(held.get("label_names", self.names)).astype(str)
        self.require_names(names.tolist(), new)
        return self._of(split, folder, new, held["images"], held["labels"])

    def present(self, folder: Path) -> bool:
        """Is one of the test set's two files here?"""
        return any((folder / f"cifar102_test.{kind}").is_file() for kind in ("npz", "npy"))

    def _miniature(self, folder: Path, seed: int) -> Counts:
        rng = np.random.default_rng(seed)
        counts = {}
        for split, each in (("train", 2), ("test", 1)):
            labels = drawn(rng, 10, each)
            np.savez(
                folder / f"cifar102_{split}.npz",
                images=stack(labels, seed=seed, side=32),
                labels=labels.astype(np.int64),
                label_names=np.array(self.names),
                ti_indices=rng.integers(0, 79_302_017, len(labels)),
                keywords=np.array([self.names[c] for c in labels]),
            )
            counts[split] = (len(labels), 10)
        return counts


def _npy(file: Path) -> NDArray[Any]:
    with reading(file, ".npy file", fix=_POINTER):
        held: NDArray[Any] = np.load(file, allow_pickle=False)
    return held


def _npz(file: Path) -> dict[str, Any]:
    """What can be read without a pickle; the publisher's lists of names may need one."""
    # Opened here: NumPy leaves the file open where it is cut off.
    with reading(file, ".npz file", fix=_POINTER), file.open("rb") as opened:
        stored = np.load(opened, allow_pickle=False)
        held = {key: stored[key] for key in {"images", "labels"} & set(stored.files)}
        with suppress(ValueError, KeyError):
            held["label_names"] = stored["label_names"]
    return held


CIFAR10_1_V4 = _NewTestSet(**facts("cifar10.1-v4"), names=CLASSES)
CIFAR10_1_V6 = _NewTestSet(**facts("cifar10.1-v6"), names=CLASSES)
CIFAR10_2 = _Second(**facts("cifar10.2"), names=CLASSES)
