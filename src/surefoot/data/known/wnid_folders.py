"""Folders called by WordNet ids: ImageNet itself, ImageNet-R, -A and -Sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..dataset import Split, Use
from ..folder import from_folder
from .base import Expected, KnownDataset, Problem, expected_here, miniature_mark
from .layout import (
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    not_there,
    read_tree,
)
from .order import order_problems, require_order
from .parts import unknown_split
from .wordnet import imagenet_index, imagenet_wnids

__all__ = ["check_wnids", "inspect_wnid_folders", "read_wnid_folders", "wnids_in"]


def wnids_in(root: Path) -> list[str]:
    """Names of the folders in ``root``, ImageNet's in label order first, then any others."""
    names = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    index = imagenet_index()
    return sorted(names, key=lambda n: (index.get(n, len(index)), n))


def check_wnids(known: KnownDataset, root: Path, names: Sequence[str], expected: Expected) -> None:
    """Raise unless the folders are as many of ImageNet's classes as published.

    Raises:
        DataError: A folder is no class of ImageNet, or some are missing.
    """
    foreign = [n for n in names if n not in imagenet_index()]
    wrong = (
        f"{len(foreign)} folders that are no WordNet ids of ImageNet ({few(foreign)})"
        if foreign
        else f"{len(names):,} class folders"
        if expected.classes is not None and len(names) != expected.classes
        else ""
    )
    if wrong:
        raise DataError(
            f"{root}, read as {known.name}, has {wrong}",
            expected=f"{expected.classes:,} folders called by WordNet ids, such as "
            f"{imagenet_wnids()[0]}",
            fix=f"`surefoot data check {known.name} {root}` says what is wrong; a selection of "
            "classes of your own is read as a plain folder: give its path",
        )


def read_wnid_folders(
    known: KnownDataset,
    folder: Path,
    root: Path,
    split: str,
    use: Use,
    *,
    order: str | None = None,
) -> Split:
    """A split of class folders called by WordNet ids, labelled in ImageNet's order.

    Args:
        known: The data set.
        folder: Of the data set.
        root: Of this split's class folders.
        split: Its name.
        use: Its role.
        order: The table of :mod:`order` that its file names are held against, or None.

    Raises:
        DataError: The folder is missing, or holds other classes than published or in the wrong
            order.
    """
    if split not in known.splits:
        raise unknown_split(known.name, split, known.splits)
    if not root.is_dir():
        raise not_there(known, [root.absolute()], f"the split {split!r}")
    names = wnids_in(root)
    check_wnids(known, root, names, expected_here(known, folder)[split])
    read = from_folder(root, name=known.name, domain=known.domain, use=use, class_names=names)
    if order is not None:
        index = imagenet_index()
        require_order(read, order, {n: index[n] for n in names})
    return replace(read, licence=known.licence, source=str(root))


def inspect_wnid_folders(
    known: KnownDataset,
    folder: Path,
    root: Path,
    split: str,
    full: bool,
    *,
    wanted: Sequence[str] | None = None,
    even: bool = False,
    order: str | None = None,
) -> list[Problem]:
    """Every problem of one split of class folders.

    Args:
        known: The data set.
        folder: Of the data set.
        root: Of this split's class folders.
        split: Its name.
        full: Open every image.
        wanted: The class folders there should be; a miniature has fewer, so that only foreign
            ones are looked for.
        even: Every class has the same number of images.
        order: The table of :mod:`order` to compare with, or None.
    """
    if not root.is_dir():
        return [Problem(f"{split}: the folder {root} does not exist",
                        f"expected {known.layout[0]}", split)]  # fmt: skip
    expected = expected_here(known, folder)[split]
    tree = read_tree(root, stems=order is not None)
    counts = tree.counts
    found = archive_problems(tree, split)
    mini = miniature_mark(folder) is not None
    if wanted is not None and mini:
        wanted = sorted({*(n for n in counts if n in set(wanted))})
    images, classes = expected.images, expected.classes
    per_class = images // classes if even and images and classes else None
    found += class_problems(split, counts, wanted, per_class)
    found += count_problems(split, expected, tree.images, sum(n > 0 for n in counts.values()))
    if order is not None:
        index = imagenet_index()
        labels = {n: index[n] for n in counts if n in index}
        found += order_problems(order, tree.stems, labels, split)
    if full and any(counts.values()) and not any(n == 0 for n in counts.values()):
        read = from_folder(root, name=split, domain=known.domain, use="test")
        found += bad_image_problems(read, split)
    return found
