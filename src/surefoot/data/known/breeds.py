"""BREEDS Living-17 and Entity-30: the same superclasses, other subclasses of ImageNet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..dataset import Split
from ..folder import image_extensions
from ..images import FileImages
from ..strings import Strings
from .base import Expected, KnownDataset, Problem, expected_here, miniature_mark
from .breeds_miniature import miniature
from .hierarchy import FILES, Superclass, read_hierarchy, superclasses
from .imagenet import IMAGENET, val_folder
from .layout import bad_image_problems, count_problems, few, not_there
from .parts import unknown_split

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
    return next(
        (p for p in (folder / n for n in _PLACES) if all((p / f).is_file() for f in FILES)), None
    )


def _imagenet_place(folder: Path) -> Path | None:
    """ImageNet inside the folder, the folder itself, or beside it."""
    names = IMAGENET.folders
    places = [folder / n for n in names] + [folder] + [folder.parent / n for n in names]
    present = IMAGENET.present
    assert present is not None
    return next((p for p in places if p.is_dir() and present(p)), None)


def _present(folder: Path) -> bool:
    return _hierarchy_place(folder) is not None and _imagenet_place(folder) is not None


@dataclass(frozen=True)
class _Task:
    """One of the two."""

    name: str
    level: int
    ancestor: str | None
    subclasses: int

    @property
    def known(self) -> KnownDataset:
        return LIVING_17 if self.name == "living-17" else ENTITY_30

    def classes(self, folder: Path) -> list[Superclass]:
        """The superclasses from the hierarchy files of this copy.

        Raises:
            DataError: They are not there.
        """
        place = _hierarchy_place(folder)
        if place is None:
            looked = [(folder / p / FILES[1]).absolute() for p in _PLACES[:3]]
            raise not_there(self.known, looked, "the hierarchy")
        return superclasses(
            read_hierarchy(place), level=self.level, ancestor=self.ancestor,
            subclasses=self.subclasses,
        )  # fmt: skip

    def read(self, folder: Path, split: str) -> Split:
        """Images of the subclasses of one side ("source-train", ...), labelled by superclass."""
        if split not in self.known.splits:
            raise unknown_split(self.name, split, self.known.splits)
        side, part = split.split("-")
        classes = self.classes(folder)
        root = self.images(folder, part)
        paths: list[str] = []
        labels: list[int] = []
        wnids: list[str] = []
        for label, one in enumerate(classes):
            for wnid in one.source if side == "source" else one.target:
                if not (root / wnid).is_dir():
                    raise not_there(
                        self.known, [(root / wnid).absolute()], f"the class {wnid} of {split}"
                    )
                names = _files(root / wnid)
                paths += [f"{wnid}/{n}" for n in names]
                labels += [label] * len(names)
                wnids += [wnid] * len(names)
        return Split(
            name=self.name,
            images=FileImages(root, Strings(paths)),
            labels=np.array(labels, dtype=np.int64),
            class_names=tuple(one.name for one in classes),
            domain=self.known.domain,
            use="train" if part == "train" else "test",
            metadata={"subclass": np.array(wnids, dtype=np.str_)},
            licence=self.known.licence,
            source=str(root),
            notes=(f"{self.name}: subclasses drawn as the authors' package does (rand, seed 2)",),
        )

    def images(self, folder: Path, part: str) -> Path:
        """ImageNet's train or val.

        Raises:
            DataError: It is not there.
        """
        place = _imagenet_place(folder)
        root = None if place is None else place / "train" if part == "train" else val_folder(place)
        if root is None or not root.is_dir():
            looked = [root or folder / "imagenet" / part]
            raise not_there(self.known, [p.absolute() for p in looked], f"ImageNet's {part}")
        return root

    def inspect(self, folder: Path, full: bool) -> Sequence[Problem]:
        place = _hierarchy_place(folder)
        if place is None:
            return [Problem(f"the hierarchy files {', '.join(FILES)} are not in {folder}",
                            "clone github.com/MadryLab/BREEDS-Benchmarks into it")]  # fmt: skip
        found = [] if miniature_mark(folder) else _changed(place)
        classes = self.classes(folder)
        for split, expected in expected_here(self.known, folder).items():
            found += self._split_problems(folder, split, expected, classes, full)
        return found

    def _split_problems(
        self,
        folder: Path,
        split: str,
        expected: Expected,
        classes: Sequence[Superclass],
        full: bool,
    ) -> list[Problem]:
        side, part = split.split("-")
        place = _imagenet_place(folder)
        if place is None:
            return [Problem(f"{split}: ImageNet is not in {folder} or beside it",
                            "put or link it there as imagenet", split)]  # fmt: skip
        root = place / "train" if part == "train" else val_folder(place)
        wanted = [w for c in classes for w in (c.source if side == "source" else c.target)]
        missing = [w for w in wanted if not (root / w).is_dir()]
        if missing:
            return [Problem(
                f"{split}: {len(missing)} of {len(wanted)} subclasses have no folder in {root} "
                f"({few(missing)})",
                "ImageNet's folders must be sorted by class; `surefoot data check imagenet` says "
                "more", split,
            )]  # fmt: skip
        images = sum(len(_files(root / w)) for w in wanted)
        found = count_problems(split, expected, images, len(classes))
        if full:
            found += bad_image_problems(self.read(folder, split), split)
        return found


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


def _known(task: _Task, title: str, what: str, count: int) -> KnownDataset:
    images = count * task.subclasses // 2 * 50
    counts = f"{count} superclasses x {task.subclasses // 2} subclasses x ImageNet's 50"
    val = Expected(images, count, source=counts)
    train = Expected(None, count, source="ImageNet's images of the subclasses drawn")
    return KnownDataset(
        name=task.name,
        title=f"BREEDS {title}",
        summary=f"{what}; trained on half of the subclasses of each, tested on the others: does "
        "a class carry over to kinds that were never seen?",
        homepage="https://github.com/MadryLab/BREEDS-Benchmarks",
        citation="Santurkar et al., BREEDS: Benchmarks for Subpopulation Shift, ICLR 2021, "
        "arXiv 2008.04859",
        licence="the images are ImageNet's, under its terms; the hierarchy: not stated",
        layout=(
            "imagenet/train/n*/, imagenet/val/n*/ (sorted by class)",
            *(f"{_PLACES[0]}/{name}" for name in FILES),
        ),
        folders=(task.name, "breeds", *IMAGENET.folders),
        splits={"source-train": train, "source-val": val, "target-train": train, "target-val": val},
        default="target-val",
        metric="top1",
        domain="OOD",
        read=task.read,
        inspect=task.inspect,
        miniature=partial(miniature, task.name, task.level, task.ancestor, task.subclasses),
        needs=("ImageNet, sorted by class", f"the hierarchy files {', '.join(FILES)}"),
        class_source="drawn from the hierarchy files of the copy as the authors' package does "
        "(split rand, seed 2), as LP-FT uses it",
        aliases=(task.name.replace("-", ""),),
        present=_present,
        roles={"train": "source-train", "test": "source-val"},
        shifts=("target-val",),
    )


LIVING_17 = _known(
    _Task("living-17", 5, "n00004258", 4), "Living-17",
    "17 kinds of animals (salamander, wolf, ...) of ImageNet", 17,
)  # fmt: skip
ENTITY_30 = _known(
    _Task("entity-30", 4, None, 8), "Entity-30",
    "30 kinds of things and animals of ImageNet", 30,
)  # fmt: skip
