"""PatchCamelyon: patches of lymph nodes in HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...registry import import_optional
from ..dataset import Split
from .arrays import H5Images
from .base import Counts, KnownDataset
from .checks import AGAIN
from .facts import facts
from .files import read_columns, reading
from .pictures import stack, write_lines

__all__ = ["PCAM"]


class _PatchCamelyon(KnownDataset):
    """Two files a split: images under the key x, labels (n, 1, 1, 1) under y."""

    def present(self, folder: Path) -> bool:
        """Is there a file of images, packed or not?"""
        return any(folder.glob("camelyonpatch_level_2_split_*_x.h5*"))

    def _read(self, folder: Path, split: str) -> Split:
        images = H5Images(_file(folder, split, "x"), "x", split)
        file = _file(folder, split, "y")
        with reading(file, "HDF5 file with an array 'y'"), _h5py().File(file, "r") as opened:
            labels = np.asarray(opened["y"][...]).reshape(-1).astype(np.int64)
        if len(labels) != len(images):
            what = f"{len(images):,} images and {len(labels):,} labels of {split}"
            raise DataError(f"{folder}: {what}", fix=AGAIN)
        slides = _slides(_file(folder, split, "meta", "csv"), len(labels))
        return self.made(
            split, images, labels, list(self.prompts), folder,
            metadata={} if slides is None else {"wsi": slides},
            unit=None if slides is None else "wsi",
        )  # fmt: skip

    def _miniature(self, folder: Path, seed: int) -> Counts:
        h5py = _h5py()
        rng = np.random.default_rng(seed)
        sizes = {"train": 8, "val": 4, "test": 4}
        for split, n in sizes.items():
            labels = rng.permutation(np.arange(n) % 2)
            with h5py.File(_file(folder, split, "x"), "w") as opened:
                opened["x"] = stack(labels, seed=seed, side=96)
            with h5py.File(_file(folder, split, "y"), "w") as opened:
                opened["y"] = labels.astype(np.uint8).reshape(-1, 1, 1, 1)
            rows = [f"{i},camelyon16_{split}_{i // 2:03d}" for i in range(n)]
            write_lines(_file(folder, split, "meta", "csv"), ["index,wsi", *rows])
        return {split: (n, 2) for split, n in sizes.items()}


def _h5py() -> Any:
    return import_optional("h5py", needed_for="PatchCamelyon")


def _slides(file: Path, n: int) -> NDArray[np.str_] | None:
    """The slide that each patch was cut from, (n,); None where the copy has no such table."""
    if not file.is_file():
        return None
    slides = read_columns(file, (), optional=("wsi",)).get("wsi")
    if slides is None:
        return None
    if len(slides) != n:
        raise DataError(f"{file} has {len(slides):,} rows for {n:,} images", fix=AGAIN)
    return slides.astype(np.str_)


def _file(folder: Path, split: str, part: str, ending: str = "h5") -> Path:
    called = "valid" if split == "val" else split
    file = folder / f"camelyonpatch_level_2_split_{called}_{part}.{ending}"
    packed = file.with_name(file.name + ".gz")
    if not file.is_file() and packed.is_file():
        raise DataError(f"{packed} is still compressed", fix=f"gunzip {packed}")
    return file


PCAM = _PatchCamelyon(**facts("pcam"))
