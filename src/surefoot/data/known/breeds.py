"""BREEDS Living-17 and Entity-30: the same superclasses, other subclasses of ImageNet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..dataset import Split
from ..folder import image_extensions
from ..images import FileImages
from .base import Counts, KnownDataset
from .checks import Problem, few
from .facts import facts, miniature_mark
from .hierarchy import FILES, ROOT, Superclass, read_hierarchy, superclasses
from .imagenet import IMAGENET, val_folder
from .pictures import class_folders, salted, write_lines
from .wordnet import imagenet_index, imagenet_wnids, synset_lemmas

__all__ = ["ENTITY_30", "LIVING_17"]

_PLACES = (
    "BREEDS-Benchmarks/imagenet_class_hierarchy/modified",
    "imagenet_class_hierarchy/modified",
    "breeds",
    "breeds_hierarchy",
    "modified",
    ".",
)
_PUBLISHED = {
    "class_hierarchy.txt": "039cfaddf9732855b93f7899ba4b5ba6d80f8dbe15cfaad566f575b6c8ce0216",
    "dataset_class_info.json": "be90503d57a001f95e094a81dc4de90772bfc58546ca58061d6474799829afd0",
    "node_names.txt": "322af45711ed69a7b199f11225bd964c7dae71df3c586498bef2f7c9e031dedb",
}
"""sha256 of the three files in github.com/MadryLab/BREEDS-Benchmarks."""


def _hierarchy_place(folder: Path) -> Path | None:
    places = (folder / name for name in _PLACES)
    return next((p for p in places if all((p / f).is_file() for f in FILES)), None)


def _imagenet_place(folder: Path) -> Path | None:
    """ImageNet inside the folder, the folder itself, or beside it."""
    names = IMAGENET.folders
    places = [folder / n for n in names] + [folder] + [folder.parent / n for n in names]
    return next((p for p in places if p.is_dir() and IMAGENET.present(p)), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Breeds(KnownDataset):
    """One of the two.

    Attributes:
        level: Of the superclasses in the hierarchy.
        ancestor: Below which they lie; None: the root.
        subclasses: That each must have; half of them are drawn for each side.
    """

    level: int
    ancestor: str | None
    subclasses: int

    def present(self, folder: Path) -> bool:
        """Are the hierarchy files here, and ImageNet here or beside?"""
        return _hierarchy_place(folder) is not None and _imagenet_place(folder) is not None

    def _classes(self, folder: Path) -> list[Superclass]:
        """The superclasses from the hierarchy files of this copy.

        Raises:
            DataError: They are not there.
        """
        place = _hierarchy_place(folder)
        if place is None:
            raise self.not_there([folder / p / FILES[1] for p in _PLACES[:3]], "the hierarchy")
        return superclasses(
            read_hierarchy(place), level=self.level, ancestor=self.ancestor,
            subclasses=self.subclasses,
        )  # fmt: skip

    def _images(self, folder: Path, part: str) -> Path:
        """ImageNet's train or val.

        Raises:
            DataError: It is not there.
        """
        place = _imagenet_place(folder)
        root = None if place is None else place / "train" if part == "train" else val_folder(place)
        if root is None or not root.is_dir():
            raise self.not_there([root or folder / "imagenet" / part], f"ImageNet's {part}")
        return root

    def _read(self, folder: Path, split: str) -> Split:
        """Images of the subclasses of one side ("source-train", ...), labelled by superclass."""
        side, part = split.split("-")
        classes, root = self._classes(folder), self._images(folder, part)
        paths: list[str] = []
        labels: list[int] = []
        for label, one in enumerate(classes):
            for wnid in one.side(side):
                if not (root / wnid).is_dir():
                    raise self.not_there([root / wnid], f"the class {wnid} of {split}")
                found = _files(root / wnid)
                paths += [f"{wnid}/{name}" for name in found]
                labels += [label] * len(found)
        return self.made(
            split, FileImages(root, paths), np.array(labels, dtype=np.int64),
            [one.name for one in classes], root,
            metadata={"subclass": np.array([p.split("/")[0] for p in paths], dtype=np.str_)},
            notes=(f"{self.name}: subclasses drawn as the authors' package does (rand, seed 2)",),
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        place = _hierarchy_place(folder)
        if place is None:
            return [Problem(f"the hierarchy files {', '.join(FILES)} are not in {folder}",
                            "clone github.com/MadryLab/BREEDS-Benchmarks into it")]  # fmt: skip
        found = [] if miniature_mark(folder) else _changed(place)
        classes = self._classes(folder)
        for split, expected in self.expected(folder).items():
            side, part = split.split("-")
            wanted = [wnid for one in classes for wnid in one.side(side)]
            own = _subclass_problems(folder, split, part, wanted)
            found += own or self._split_problems(folder, split, expected, full)
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """Three superclasses with enough subclasses, and one with too few, over a small tree."""
        leaves = self._write_tree(folder / _PLACES[0])
        index = imagenet_index()
        used = [(w, index[w]) for w in sorted(leaves)]
        train = [(w, label, [f"{w}_{i}.JPEG" for i in range(3)]) for w, label in used]
        val = [
            (w, label, [f"ILSVRC2012_val_{90_000_000 + 10 * label + i}.JPEG" for i in range(2)])
            for w, label in used
        ]
        class_folders(folder / "imagenet/train", train, seed=salted("train", seed))
        class_folders(folder / "imagenet/val", val, seed=salted("val", seed))
        half = _SUPERCLASSES * self.subclasses // 2
        return {
            f"{side}-{part}": (half * each, _SUPERCLASSES)
            for side in ("source", "target")
            for part, each in (("train", 3), ("val", 2))
        }

    def _write_tree(self, place: Path) -> list[str]:
        """The three files; returns the classes that are used."""
        wnids, names = imagenet_wnids(), synset_lemmas()
        chain = [ROOT, *([self.ancestor] if self.ancestor else [])]
        chain += [f"step{i:02d}" for i in range(len(chain), self.level)]
        edges = list(pairwise(chain))
        called = {ROOT: "entity"} | {node: f"level {i}" for i, node in enumerate(chain) if i}
        used: list[str] = []
        for at in range(_SUPERCLASSES + 1):
            node, middle = f"super{at:02d}", f"middle{at:02d}"
            called |= {node: f"kind {at}", middle: f"some of kind {at}"}
            count = self.subclasses + 1 if at < _SUPERCLASSES else self.subclasses - 1
            mine = wnids[20 * at : 20 * at + count]
            edges += [(chain[-1], node), (node, middle)]  # half of the classes lie one step deeper
            edges += [(middle if i % 2 else node, w) for i, w in enumerate(mine)]
            used += mine
        if self.ancestor:  # an equally deep branch that is not below the ancestor
            others = [ROOT, *(f"other{i:02d}" for i in range(self.level))]
            edges += list(pairwise(others))
            edges += [(others[-1], w) for w in wnids[200 : 200 + self.subclasses]]
        write_lines(place / FILES[1], (f"{a} {b}" for a, b in edges))
        write_lines(place / FILES[2], (f"{node}\t{text}" for node, text in called.items()))
        info = [[i, w, names[w]] for i, w in enumerate(wnids)]
        (place / FILES[0]).write_text(json.dumps(info))
        return used


_SUPERCLASSES = 3
"""Of the miniature."""


def _subclass_problems(folder: Path, split: str, part: str, wanted: list[str]) -> list[Problem]:
    """ImageNet, or folders of subclasses, that are not there."""
    place = _imagenet_place(folder)
    if place is None:
        what = f"ImageNet is not in {folder} or beside it"
        return [Problem.of(split, what, "put or link it there as imagenet")]
    root = place / "train" if part == "train" else val_folder(place)
    missing = [w for w in wanted if not (root / w).is_dir()]
    if not missing:
        return []
    return [Problem.of(
        split,
        f"{len(missing)} of {len(wanted)} subclasses have no folder in {root} ({few(missing)})",
        "ImageNet's folders must be sorted by class; `surefoot data check imagenet` says more",
    )]  # fmt: skip


def _files(folder: Path) -> list[str]:
    extensions = image_extensions()
    return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in extensions)


def _changed(place: Path) -> list[Problem]:
    """Hierarchy files that are not the published ones give other subclasses."""
    changed = [
        name for name, digest in _PUBLISHED.items()
        if hashlib.sha256((place / name).read_bytes()).hexdigest() != digest
    ]  # fmt: skip
    if not changed:
        return []
    return [Problem(
        f"{', '.join(changed)} in {place} differ from the published files: other subclasses may "
        "be drawn",
        "take imagenet_class_hierarchy/modified of github.com/MadryLab/BREEDS-Benchmarks",
    )]  # fmt: skip


LIVING_17 = _Breeds(**facts("living-17"))
ENTITY_30 = _Breeds(**facts("entity-30"))
