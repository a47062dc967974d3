"""ImageNet (ILSVRC2012), and ImageNet-R, -A and -Sketch, which ask in its classes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..dataset import Split
from .base import Counts
from .checks import Problem
from .facts import facts
from .flat_val import flat_files, flat_val_problems, read_flat_val
from .order import samples
from .pictures import class_folders, salted
from .wnid_folders import WordNetFolders, wnids_in
from .wordnet import imagenet_index, imagenet_wnids, subset_wnids

__all__ = [
    "IMAGENET",
    "IMAGENET_A",
    "IMAGENET_R",
    "IMAGENET_SKETCH",
    "miniature_wnids",
    "val_folder",
]

_VAL_FOLDERS = ("val", "val_in_folder", "validation")
_ORDER = "imagenet:val"


def val_folder(folder: Path) -> Path:
    """Where the validation images lie: sorted folders first, under any of the names in use."""
    places = [folder / name for name in _VAL_FOLDERS if (folder / name).is_dir()]
    sorted_ones = [p for p in places if _holds(p, lambda entry: entry.is_dir())]
    return next(iter([*sorted_ones, *places]), folder / "val")


def _holds(place: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> bool:
    """Does a folder hold such an entry? It is read no further than that."""
    with os.scandir(place) as entries:
        return any(map(wanted, entries))


def miniature_wnids() -> tuple[str, ...]:
    """The 10 classes of all miniatures of the family, in label order.

    Some are in ImageNet-R and -A both, some in one, some in neither (as far as timm's lists say),
    so that masks have something to leave out.
    """
    in_r, in_a = set(subset_wnids("imagenet-r") or ()), set(subset_wnids("imagenet-a") or ())
    wnids = imagenet_wnids()
    chosen = [w for w in wnids if w in in_r and w in in_a][:3]
    chosen += [w for w in wnids if w in in_r and w not in in_a][:2]
    chosen += [w for w in wnids if w in in_a and w not in in_r][:2]
    chosen += [w for w in reversed(wnids) if w not in in_r | in_a][: 10 - len(chosen)]
    return tuple(sorted(chosen))


class _ImageNet(WordNetFolders):
    """``train/`` in class folders; ``val/`` in class folders, or flat with the devkit beside it."""

    def present(self, folder: Path) -> bool:
        """Is there a train or val folder that holds something of ImageNet?"""
        index = imagenet_index()

        def ours(entry: os.DirEntry[str]) -> bool:
            return entry.name[:9] in index or entry.name.startswith("ILSVRC2012_val_")

        return any(_holds(p, ours) for p in (folder / "train", val_folder(folder)) if p.is_dir())

    def _read(self, folder: Path, split: str) -> Split:
        if split == "train":
            return self.wnid_split(folder, folder / "train", split)
        place = val_folder(folder)
        if flat_files(place):
            return read_flat_val(self, folder, place)
        return self.wnid_split(folder, place, split, _ORDER)

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        wnids = imagenet_wnids()
        found = self.wnid_problems(folder, folder / "train", "train", full, wanted=wnids)
        place = val_folder(folder)
        if flat_files(place):
            return found + flat_val_problems(self.expected(folder)["val"], folder, place, full)
        return found + self.wnid_problems(folder, place, "val", full, wanted=wnids, order=_ORDER)

    def _miniature(self, folder: Path, seed: int) -> Counts:
        index, wnids = imagenet_index(), miniature_wnids()
        train = [(w, index[w], [f"{w}_{i}.JPEG" for i in range(6)]) for w in wnids]
        val = [
            (w, index[w], [f"ILSVRC2012_val_{s}.JPEG" for s in samples(_ORDER, index[w])])
            for w in wnids
        ]
        n_train = class_folders(folder / "train", train, seed=salted("imagenet:train", seed))
        n_val = class_folders(folder / "val", val, seed=salted(_ORDER, seed))
        return {"train": (n_train, len(wnids)), "val": (n_val, len(wnids))}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Shifted(WordNetFolders):
    """Class folders alone.

    Attributes:
        inner: The folder in which they lie, where a copy has it; then all classes are asked.
        example: A file's name; {n} is its number.
    """

    inner: str = ""
    example: str

    def _root(self, folder: Path) -> Path:
        return folder / self.inner if (folder / self.inner).is_dir() else folder

    def _wanted(self) -> tuple[str, ...] | None:
        """The classes of the publisher: all, or the subset that timm lists; None: unknown."""
        return imagenet_wnids() if self.inner else subset_wnids(self.name)

    def present(self, folder: Path) -> bool:
        """Is the first class folder one of ImageNet?"""
        return any(name in imagenet_index() for name in wnids_in(self._root(folder))[:1])

    def _read(self, folder: Path, split: str) -> Split:
        return self.wnid_split(folder, self._root(folder), split)

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        root, wanted = self._root(folder), self._wanted()
        found = self.wnid_problems(folder, root, "test", full, wanted=wanted)
        foreign = [n for n in wnids_in(root) if n not in imagenet_index()]
        if wanted is None and foreign:
            found.append(Problem.of("test", f"{foreign[0]} is no class of ImageNet"))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        index, wanted = imagenet_index(), self._wanted()
        wnids = [w for w in miniature_wnids() if wanted is None or w in wanted]
        if wanted is None:
            wnids = wnids[:5]
        files = [
            (w, index[w], [self.example.format(n=i) for i in range(2 + at % 2)])
            for at, w in enumerate(wnids)
        ]
        count = class_folders(folder / self.inner, files, seed=salted(self.name, seed))
        if not self.inner:
            (folder / "README.txt").write_text("A miniature that surefoot made.\n")
        return {"test": (count, len(wnids))}


IMAGENET = _ImageNet(**facts("imagenet"))
IMAGENET_R = _Shifted(**facts("imagenet-r"))
IMAGENET_A = _Shifted(**facts("imagenet-a"))
IMAGENET_SKETCH = _Shifted(**facts("imagenet-sketch"))
