"""STL-10: 96 x 96 photographs from ImageNet in ten classes, nine of which are CIFAR-10's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import write_atomic
from ...errors import DataError
from ..dataset import Split
from .arrays import ArrayImages
from .base import Counts
from .checks import AGAIN
from .cifar import NamedClasses
from .facts import facts
from .files import read_text, reading
from .pictures import stack, write_lines

__all__ = ["STL10"]

_SHAPE = (3, 96, 96)
_BYTES = 3 * 96 * 96


class _STL10(NamedClasses):
    """Plain bytes; labels count from 1."""

    def _read(self, folder: Path, split: str) -> Split:
        """Pixels stay in the file (mapped): the unlabelled part alone has 2.8 GB."""
        pixels = _mapped(folder / f"{split}_X.bin")
        labels = None if split == "unlabeled" else _labels(folder / f"{split}_y.bin", len(pixels))
        self.require_names(read_text(folder / "class_names.txt"), folder / "class_names.txt")
        # Stored column by column: the axes of one image are channel, width, height.
        return self.made(split, ArrayImages(pixels, split, (2, 1, 0)), labels, self.names, folder)

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """2 training and 1 test image of each class, 5 without labels."""
        rng = np.random.default_rng(seed)
        for split, labels in (
            ("train", rng.permutation(np.repeat(np.arange(10), 2))),
            ("test", rng.permutation(10)),
            ("unlabeled", np.arange(5)),
        ):
            stored = np.ascontiguousarray(stack(labels, seed=seed, side=96).transpose(0, 3, 2, 1))
            write_atomic(folder / f"{split}_X.bin", stored.tobytes())
            if split != "unlabeled":
                write_atomic(folder / f"{split}_y.bin", (labels + 1).astype(np.uint8).tobytes())
        write_lines(folder / "class_names.txt", self.names)
        folds = (" ".join(map(str, range(i, 20, 10))) for i in range(10))
        write_lines(folder / "fold_indices.txt", folds)
        return {"train": (20, 10), "test": (10, 10), "unlabeled": (5, None)}


def _mapped(file: Path) -> NDArray[np.uint8]:
    with reading(file, "STL-10 binary"):
        size = file.stat().st_size
    if not size or size % _BYTES:
        raise DataError(
            f"{file} has {size:,} bytes, which are no whole number of images: it is cut off",
            expected=f"{_BYTES:,} bytes for each image of 96 x 96 pixels",
            fix=AGAIN,
        )
    return np.memmap(file, dtype=np.uint8, mode="r", shape=(size // _BYTES, *_SHAPE))


def _labels(file: Path, n: int) -> NDArray[np.int64]:
    with reading(file, "STL-10 binary"):
        labels = np.fromfile(file, dtype=np.uint8).astype(np.int64) - 1
    if len(labels) != n or not ((labels >= 0) & (labels < 10)).all():
        raise DataError(
            f"{file} holds {len(labels):,} labels for {n:,} images, or some outside 1 to 10",
            fix=AGAIN,
        )
    return labels


STL10 = _STL10(**facts("stl10"))
