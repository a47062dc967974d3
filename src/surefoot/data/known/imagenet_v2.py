"""ImageNetV2: three new test sets; class folders are called 0 to 999."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..dataset import Split
from .base import Counts
from .checks import (
    Problem,
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    read_tree,
)
from .facts import facts, miniature_mark
from .imagenet import miniature_wnids
from .order import order_problems, require_order, samples
from .pictures import class_folders, salted
from .wnid_folders import OfImageNet
from .wordnet import imagenet_index, imagenet_wnids

__all__ = ["MATCHED_FREQUENCY", "THRESHOLD_07", "TOP_IMAGES"]


def _labels(names: Sequence[str]) -> dict[str, int]:
    """Folder -> label, for those called by a number from 0 to 999."""
    return {n: int(n) for n in names if n.isdecimal() and n.isascii() and int(n) < 1000}


class _ImageNetV2(OfImageNet):
    """One of the three sets."""

    def present(self, folder: Path) -> bool:
        """Are there folders called by numbers, or by WordNet ids that somebody gave them?"""
        names = [p.name for p in folder.iterdir() if p.is_dir()]
        known = any(n in ("0", "000") or n in imagenet_index() for n in names)
        return known or miniature_mark(folder) is not None

    def _read(self, folder: Path, split: str) -> Split:
        """Label = the number of the folder; classes are WordNet ids."""
        expected = self.expected(folder)[split]
        names = [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
        labels = _labels(names)
        other = [n for n in names if n not in labels]
        if other or len(labels) != expected.classes:
            raise DataError(
                f"{folder}, read as {self.name}, has {len(labels):,} folders called by a number "
                f"from 0 to 999" + (f" and {len(other):,} others ({few(other)})" if other else ""),
                expected=f"{expected.classes:,} folders called 0 to 999, as the archive unpacks",
                fix="extract the archive again; folders that were renamed to WordNet ids are in "
                f"the wrong order more often than not. `surefoot data check {self.name} {folder}` "
                "says more",
            )
        read = require_order(self.sorted_by_class(folder, split), self.name, labels)
        wnids = imagenet_wnids()
        return replace(read, class_names=tuple(wnids[labels[n]] for n in read.class_names))

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        expected, index = self.expected(folder)["test"], imagenet_index()
        tree = read_tree(folder, stems=True)
        labels = _labels(list(tree.counts))
        renamed = {n: index[n] for n in tree.counts if n in index}
        found = archive_problems(tree, "test")
        if renamed:
            found.append(Problem.of(
                "test",
                f"{len(renamed):,} folders were renamed to WordNet ids ({few(renamed)}); the "
                "archive calls them 0 to 999. Renaming in the order of text (0, 1, 10, 100, ...) "
                "gives nearly every class another's images",
                "extract the archive again and leave its folders as they are",
            ))  # fmt: skip
            found += order_problems(self.name, tree.stems, renamed, "test")
        mini = miniature_mark(folder) is not None
        wanted = sorted(labels) if mini else [str(i) for i in range(1000)]
        counts = {n: c for n, c in tree.counts.items() if n not in renamed}
        per_class = (expected.images or 0) // (expected.classes or 1)
        found += class_problems("test", counts, wanted, per_class)
        found += count_problems("test", expected, tree.images, tree.classes)
        found += order_problems(self.name, tree.stems, labels, "test")
        if full and tree.images and all(tree.counts.values()):
            found += bad_image_problems(self.sorted_by_class(folder, "test"), "test")
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        files = [
            (str(label), label, [_file(s) for s in samples(self.name, label)])
            for label in (imagenet_index()[w] for w in miniature_wnids())
        ]
        return {"test": (class_folders(folder, files, seed=salted(self.name, seed)), len(files))}


def _file(sample: str) -> str:
    """A file name of the published form: 40 hexadecimal digits."""
    return f"{sample}{hashlib.sha1(sample.encode()).hexdigest()[:32]}.jpeg"


MATCHED_FREQUENCY = _ImageNetV2(**facts("imagenetv2-matched-frequency"))
THRESHOLD_07 = _ImageNetV2(**facts("imagenetv2-threshold-0.7"))
TOP_IMAGES = _ImageNetV2(**facts("imagenetv2-top-images"))
