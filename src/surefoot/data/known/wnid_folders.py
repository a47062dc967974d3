"""Folders called by WordNet ids: ImageNet itself, ImageNet-R, -A and -Sketch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ..dataset import Split
from .base import KnownDataset
from .checks import (
    Problem,
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    read_tree,
)
from .facts import Expected, miniature_mark
from .order import order_problems, require_order
from .wordnet import imagenet_index, imagenet_names, imagenet_wnids

__all__ = ["OfImageNet", "WordNetFolders", "wnids_in"]


def wnids_in(root: Path) -> list[str]:
    """Names of the folders in ``root``, ImageNet's in label order first, then any others."""
    names = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    index = imagenet_index()
    return sorted(names, key=lambda n: (index.get(n, len(index)), n))


@dataclass(frozen=True, eq=False, kw_only=True)
class OfImageNet(KnownDataset):
    """Classes are ImageNet's WordNet ids; prompts call them by open_clip's names."""

    def prompt_names(self) -> Mapping[str, str]:
        """The names of all 1,000."""
        return imagenet_names()


@dataclass(frozen=True, eq=False, kw_only=True)
class WordNetFolders(OfImageNet):
    """Class folders that are called by WordNet ids, labelled in ImageNet's order."""

    def wnid_split(self, folder: Path, root: Path, split: str, order: str | None = None) -> Split:
        """A split of such class folders.

        Args:
            folder: Of the data set.
            root: Of this split's class folders.
            split: Its name.
            order: The table of :mod:`order` that its file names are held against, or None.

        Raises:
            DataError: The folder is missing, or holds other classes than published or in the
                wrong order.
        """
        if not root.is_dir():
            raise self.not_there([root], f"the split {split!r}")
        names = wnids_in(root)
        self._require_classes(root, names, self.expected(folder)[split])
        read = self.sorted_by_class(root, split, names)
        index = imagenet_index()
        return require_order(read, order, {n: index[n] for n in names}) if order else read

    def _require_classes(self, root: Path, names: Sequence[str], expected: Expected) -> None:
        """Raise unless the folders are as many of ImageNet's classes as published."""
        foreign = [n for n in names if n not in imagenet_index()]
        if foreign:
            wrong = f"{len(foreign)} folders that are no WordNet ids of ImageNet ({few(foreign)})"
        elif expected.classes not in (None, len(names)):
            wrong = f"{len(names):,} class folders"
        else:
            return
        raise DataError(
            f"{root}, read as {self.name}, has {wrong}",
            expected=f"{expected.classes:,} folders called by WordNet ids, such as "
            f"{imagenet_wnids()[0]}",
            fix=f"`surefoot data check {self.name} {root}` says what is wrong; a selection of "
            "classes of your own is read as a plain folder: give its path",
        )

    def wnid_problems(
        self,
        folder: Path,
        root: Path,
        split: str,
        full: bool,
        *,
        wanted: Sequence[str] | None = None,
        order: str | None = None,
    ) -> list[Problem]:
        """Every problem of one split of such class folders.

        Args:
            folder: Of the data set.
            root: Of this split's class folders.
            split: Its name.
            full: Open every image.
            wanted: The class folders there should be; a miniature has fewer, so that only
                foreign ones are looked for.
            order: The table of :mod:`order` to compare with, where all classes have the same
                number of images; or None.
        """
        if not root.is_dir():
            what = f"the folder {root} does not exist"
            return [Problem.of(split, what, f"expected {self.layout[0]}")]
        expected = self.expected(folder)[split]
        tree = read_tree(root, stems=order is not None)
        if wanted is not None and miniature_mark(folder) is not None:
            wanted = sorted(set(wanted) & set(tree.counts))
        per_class = (expected.images or 0) // (expected.classes or 1) if order else None
        found = archive_problems(tree, split)
        found += class_problems(split, tree.counts, wanted, per_class)
        found += count_problems(split, expected, tree.images, tree.classes)
        if order is not None:
            index = imagenet_index()
            labels = {n: index[n] for n in tree.counts if n in index}
            found += order_problems(order, tree.stems, labels, split)
        if full and tree.images and all(tree.counts.values()):
            found += bad_image_problems(self.sorted_by_class(root, split), split)
        return found
