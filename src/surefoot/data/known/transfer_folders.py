"""Caltech-101 and Rendered SST2: class folders, as torchvision lays them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..dataset import Split
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem, few
from .facts import facts
from .pictures import write_picture

__all__ = ["CALTECH101", "RENDERED_SST2"]

_IMAGES = "101_ObjectCategories"
_BACKGROUND = "BACKGROUND_Google"
_SHARES = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}


class _Caltech(KnownDataset):
    """Caltech-101, which comes without splits."""

    def _read(self, folder: Path, split: str) -> Split:
        """60/20/20 of every class, drawn with seed 0: FLYP's own draw had no seed."""
        root = folder / _IMAGES
        if not root.is_dir():
            raise DataError(
                f"there is no folder {root} (looked at {root.absolute()})",
                expected="the 101 class folders and BACKGROUND_Google",
                fix="extract 101_ObjectCategories.tar.gz, which lies inside caltech-101.zip",
            )
        names = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name != _BACKGROUND)
        paths: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(names):
            files = sorted(p.name for p in (root / name).glob("*.jpg"))
            kept = [files[i] for i in _share(len(files), label, split)]
            paths += [f"{_IMAGES}/{name}/{file}" for file in kept]
            labels += [label] * len(kept)
        cut = (f"caltech101:{split}: 60/20/20 of every class, seed 0",)
        notes = () if split == "all" else cut
        return self.listed(
            folder, split, paths, np.array(labels, dtype=np.int64), names, notes=notes
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: images are numbered without gaps, so a gap is an image that is missing."""
        found = super()._problems(folder, full)
        gaps = []
        for inside in sorted(p for p in (folder / _IMAGES).glob("*") if p.is_dir()):
            names = {p.name for p in inside.glob("image_*.jpg")}
            wanted = {f"image_{i:04d}.jpg" for i in range(1, len(names) + 1)}
            gaps += [f"{inside.name}/{name}" for name in sorted(wanted - names)]
        if gaps:
            what = f"images are numbered from 1, and {len(gaps)} are missing ({few(gaps, 3)})"
            found.append(Problem(what, AGAIN))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        for label, name in enumerate(("Faces", "accordion", "yin_yang", _BACKGROUND)):
            for i in range(1, 6):
                file = folder / f"{_IMAGES}/{name}/image_{i:04d}.jpg"
                write_picture(file, label, i, seed=seed)
        return {"all": (15, 3), "train": (9, 3), "val": (3, 3), "test": (3, 3)}


def _share(n: int, label: int, split: str) -> NDArray[np.int64]:
    """Which of a class's n images, ascending; a class has its own draw."""
    if split == "all":
        return np.arange(n, dtype=np.int64)
    low, high = _SHARES[split]
    order = np.random.default_rng([0, label]).permutation(n)
    return np.sort(order[round(low * n) : round(high * n)])


class _RenderedSST2(KnownDataset):
    """``{train,valid,test}/{negative,positive}/``; some copies call valid val."""

    def _read(self, folder: Path, split: str) -> Split:
        renamed = split == "val" and not (folder / split).is_dir()
        inside = folder / ("valid" if renamed else split)
        return self.sorted_by_class(inside, split, ("negative", "positive"))

    def _miniature(self, folder: Path, seed: int) -> Counts:
        for inside, each in (("train", 4), ("valid", 2), ("test", 2)):
            for label, name in enumerate(("negative", "positive")):
                for i in range(each):
                    write_picture(folder / f"{inside}/{name}/{i:04d}.png", label, i, seed=seed)
        return {"train": (8, 2), "val": (4, 2), "test": (4, 2)}


CALTECH101 = _Caltech(**facts("caltech101"))
RENDERED_SST2 = _RenderedSST2(**facts("rendered-sst2"))
