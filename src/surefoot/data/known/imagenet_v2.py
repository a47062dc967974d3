"""ImageNetV2: three new test sets; class folders are called 0 to 999."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import DataError
from ..dataset import Split
from ..folder import from_folder
from .base import Expected, KnownDataset, Problem, expected_here, mark_miniature, miniature_mark
from .imagenet import miniature_wnids
from .layout import (
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    no_folder,
    not_there,
    read_tree,
)
from .order import order_problems, require_order, samples
from .parts import unknown_split
from .pictures import class_folders, salted
from .wordnet import imagenet_index, imagenet_names, imagenet_wnids

__all__ = ["MATCHED_FREQUENCY", "THRESHOLD_07", "TOP_IMAGES"]


def _labels(names: Sequence[str]) -> dict[str, int]:
    """Folder -> label, for those called by a number from 0 to 999."""
    return {n: int(n) for n in names if n.isdecimal() and n.isascii() and int(n) < 1000}


@dataclass(frozen=True)
class _Version:
    """One of the three sets."""

    name: str

    @property
    def known(self) -> KnownDataset:
        return next(k for k in (MATCHED_FREQUENCY, THRESHOLD_07, TOP_IMAGES) if k.name == self.name)

    def present(self, folder: Path) -> bool:
        names = [p.name for p in folder.iterdir() if p.is_dir()]
        return any(n in ("0", "000") or n in imagenet_index() for n in names) or (
            miniature_mark(folder) is not None
        )

    def read(self, folder: Path, split: str) -> Split:
        """Label = the number of the folder; classes are WordNet ids.

        Raises:
            DataError: Folders are no numbers, or too few, or hold another class's images.
        """
        if split not in self.known.splits:
            raise unknown_split(self.name, split, self.known.splits)
        if not folder.is_dir():
            raise not_there(self.known, [folder.absolute()])
        expected = expected_here(self.known, folder)[split]
        names = [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
        labels = _labels(names)
        if len(labels) < len(names) or len(labels) != expected.classes:
            other = [n for n in names if n not in labels]
            raise DataError(
                f"{folder}, read as {self.name}, has {len(labels):,} folders called by a number "
                f"from 0 to 999" + (f" and {len(other):,} others ({few(other)})" if other else ""),
                expected=f"{expected.classes:,} folders called 0 to 999, as the archive unpacks",
                fix="extract the archive again; folders that were renamed to WordNet ids are in "
                f"the wrong order more often than not. `surefoot data check {self.name} {folder}` "
                "says more",
            )
        read = from_folder(folder, name=self.name, domain="OOD", use="test")
        order = [labels[n] for n in read.class_names]
        wnids = imagenet_wnids()
        require_order(read, self.name, labels)
        return replace(read, class_names=tuple(wnids[i] for i in order), source=str(folder))

    def inspect(self, folder: Path, full: bool) -> Sequence[Problem]:
        if missing := no_folder(folder, self.known):
            return missing
        expected = expected_here(self.known, folder)["test"]
        tree = read_tree(folder, stems=True)
        labels = _labels(list(tree.counts))
        found = archive_problems(tree, "test")
        renamed = [n for n in tree.counts if n in imagenet_index()]
        if renamed:
            found.append(Problem(
                f"test: {len(renamed):,} folders were renamed to WordNet ids ({few(renamed)}); the "
                "archive calls them 0 to 999. Renaming in the order of text (0, 1, 10, 100, ...) "
                "gives nearly every class another's images",
                "extract the archive again and leave its folders as they are", "test",
            ))  # fmt: skip
            index = imagenet_index()
            names = {n: index[n] for n in renamed}
            found += order_problems(self.name, tree.stems, names, "test")
        mini = miniature_mark(folder) is not None
        wanted = sorted(labels) if mini else [str(i) for i in range(1000)]
        counts = {n: c for n, c in tree.counts.items() if n not in set(renamed)}
        per_class = (expected.images or 0) // (expected.classes or 1)
        found += class_problems("test", counts, wanted, per_class)
        classes = sum(n > 0 for n in tree.counts.values())
        found += count_problems("test", expected, tree.images, classes)
        found += order_problems(self.name, tree.stems, labels, "test")
        if full and tree.images and all(tree.counts.values()):
            split = from_folder(folder, name="test", domain="OOD", use="test")
            found += bad_image_problems(split, "test")
        return found

    def miniature(self, folder: Path, seed: int) -> None:
        index = imagenet_index()
        files = [
            (str(label), label, [_file(s) for s in samples(self.name, label)])
            for label in (index[w] for w in miniature_wnids())
        ]
        count = class_folders(folder, files, seed=salted(self.name, seed))
        mark_miniature(folder, self.name, {"test": Expected(count, len(files))}, seed)


def _file(sample: str) -> str:
    """A file name of the published form: 40 hexadecimal digits."""
    return f"{sample}{hashlib.sha1(sample.encode()).hexdigest()[:32]}.jpeg"


def _known(name: str, title: str, how: str, folders: tuple[str, ...]) -> KnownDataset:
    version = _Version(name)
    return KnownDataset(
        name=name,
        title=f"ImageNetV2 ({title})",
        summary="New photographs of ImageNet's 1,000 classes, collected ten years later by the "
        f"same procedure; {how}.",
        homepage="https://github.com/modestyachts/ImageNetV2",
        citation="Recht et al., Do ImageNet Classifiers Generalize to ImageNet?, ICML 2019, "
        "arXiv 1902.10811",
        licence="images come from Flickr under their own licences (README); the code is MIT",
        layout=(f"{folders[0]}/0/*.jpeg, .../1/*.jpeg, ... /999/ (1,000 folders, numbers)",),
        folders=folders,
        splits={
            "test": Expected(
                10_000,
                1000,
                source="README of the repository; its published list has 10 images of each class",
            )
        },
        default="test",
        metric="top1",
        domain="OOD",
        read=version.read,
        inspect=version.inspect,
        miniature=version.miniature,
        control="imagenet:val",
        class_source="the number of the folder is ImageNet's label",
        present=version.present,
        prompt_names=imagenet_names,
        templates="openai_imagenet",
        aliases=(name.replace("imagenetv2", "imagenet-v2"),)
        + (("imagenetv2", "imagenet-v2") if "matched" in name else ()),
        notes=(
            "Folders are numbers: sorted as text they give nearly every class another's images. "
            "check compares file names with the published list.",
            "Files are called by the ids of that list (0/58fbc3e7....jpeg), as public listings of "
            "unpacked archives show; a copy whose files were renamed cannot be checked for order.",
        ),
    )


MATCHED_FREQUENCY = _known(
    "imagenetv2-matched-frequency",
    "matched frequency",
    "images are as often recognised by people as ImageNet's: the set that papers call ImageNetV2",
    ("imagenetv2-matched-frequency-format-val", "imagenetv2-matched-frequency", "imagenetv2",
     "ImageNetV2-matched-frequency", "imagenetv2/imagenetv2-matched-frequency-format-val"),
)  # fmt: skip
THRESHOLD_07 = _known(
    "imagenetv2-threshold-0.7",
    "threshold 0.7",
    "images were recognised by 70 % of annotators at least",
    ("imagenetv2-threshold0.7-format-val", "imagenetv2-threshold-0.7-format-val",
     "imagenetv2-threshold0.7", "imagenetv2-threshold-0.7"),
)  # fmt: skip
TOP_IMAGES = _known(
    "imagenetv2-top-images",
    "top images",
    "the ten images of each class that most annotators recognised",
    ("imagenetv2-top-images-format-val", "imagenetv2-topimages-format-val",
     "imagenetv2-top-images", "imagenetv2-topimages"),
)  # fmt: skip
