"""What readers and checks of published data sets share: missing folders, counts, leftovers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DataError
from ..check import check_images
from ..dataset import Split
from ..folder import image_extensions
from .base import Expected, KnownDataset, Problem

__all__ = [
    "Tree",
    "archive_problems",
    "bad_image_problems",
    "class_problems",
    "count_problems",
    "few",
    "no_folder",
    "not_there",
    "plural",
    "read_tree",
]

_ARCHIVE = re.compile(r"\.(tar|zip|tgz|tar\.gz|tar\.bz2|7z|rar|aa|ab|part\d*|crdownload)$", re.I)


@dataclass
class Tree:
    """Class folders as found, without opening an image.

    Attributes:
        root: Where they lie.
        counts: Class folder -> images below it; empty folders count 0.
        empty: Paths of images of zero bytes, relative to the root.
        archives: Archives and unfinished downloads, relative to the root.
        loose: Images that lie beside the class folders.
        stems: Class folder -> the names of its images without extension, sorted.
    """

    root: Path
    counts: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    stems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """In all class folders."""
        return sum(self.counts.values())


def read_tree(root: Path, *, stems: bool = False) -> Tree:
    """Look at every entry below a folder of class folders; sizes are read, contents are not.

    Raises:
        OSError: The folder cannot be listed.
    """
    tree = Tree(root)
    for entry in sorted(os.scandir(root), key=lambda e: e.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            names = _images(Path(entry.path), entry.name, tree)
            tree.counts[entry.name] = len(names)
            if stems:
                tree.stems[entry.name] = sorted(names)
        elif _is_image(entry.name):
            tree.loose.append(entry.name)
        elif _ARCHIVE.search(entry.name):
            tree.archives.append(entry.name)
    return tree


def _images(folder: Path, prefix: str, tree: Tree) -> list[str]:
    names: list[str] = []
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        below = f"{prefix}/{entry.name}"
        if entry.is_dir():
            names += _images(Path(entry.path), below, tree)
        elif _is_image(entry.name):
            names.append(entry.name.rsplit(".", 1)[0])
            if entry.stat().st_size == 0:
                tree.empty.append(below)
        elif _ARCHIVE.search(entry.name):
            tree.archives.append(below)
    return names


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in image_extensions()


def plural(number: int, one: str, several: str = "") -> str:
    """Number and noun: "1 image", "2 images"; "3 classes" with the plural given."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def few(names: Iterable[str], most: int = 5) -> str:
    """The first few names and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def not_there(known: KnownDataset, looked: Sequence[Path], what: str = "") -> DataError:
    """The error for a data set that was not found: every path looked at, layout, where it's from.

    Args:
        known: The data set.
        looked: Folders or files that were tried, in order.
        what: What is missing, where it is not the whole data set ("the split 'train'").
    """
    tried = "".join(f"\n      {path}" for path in looked)
    return DataError(
        f"{what or 'the data set'} of {known.name!r} ({known.title}) is not there; looked at{tried}"
        if what
        else f"{known.name!r} ({known.title}) was not found; looked at{tried}",
        expected="this layout\n      " + "\n      ".join(known.layout),
        fix=f"get it from {known.homepage}; give its folder as {known.name}@DIR, or the folder "
        "that holds it as --data-root DIR or in the environment variable SUREFOOT_DATA",
    )


def archive_problems(tree: Tree, label: str) -> list[Problem]:
    """Archives left inside, and images that have no bytes."""
    found = []
    if tree.archives:
        found.append(Problem(
            f"{label}: archives or unfinished downloads lie in it, {len(tree.archives):,} in all "
            f"({few(tree.archives, 3)}): it was only partly extracted",
            "extract each into the class folder of its name, then remove it", label,
        ))  # fmt: skip
    if tree.empty:
        found.append(Problem(
            f"{label}: {plural(len(tree.empty), 'image')} of zero bytes "
            f"({few(tree.empty, 3)}): a disk was full or an extraction was interrupted",
            "extract the archive again", label,
        ))  # fmt: skip
    if tree.loose:
        found.append(Problem(
            f"{label}: {plural(len(tree.loose), 'image')} beside the class folders, of no class "
            f"({few(tree.loose, 3)})",
            "sort them into their class folders", label,
        ))  # fmt: skip
    return found


def no_folder(folder: Path, known: KnownDataset) -> list[Problem]:
    """That a folder is not there, if it isn't."""
    if folder.is_dir():
        return []
    return [Problem(f"the folder {folder} does not exist", f"expected {known.layout[0]}")]


def count_problems(label: str, expected: Expected, images: int, classes: int) -> list[Problem]:
    """Totals against those published; nothing where the publisher gives none."""
    found = []
    if expected.classes is not None and classes != expected.classes:
        found.append(Problem(
            f"{label}: {plural(classes, 'class', 'classes')}, expected {expected.classes:,}",
            _too_many_or_few(classes, expected.classes), label,
        ))  # fmt: skip
    if expected.images is not None and images != expected.images:
        found.append(Problem(
            f"{label}: {plural(images, 'image')}, expected {expected.images:,}",
            _too_many_or_few(images, expected.images), label,
        ))  # fmt: skip
    return found


def _too_many_or_few(seen: int, expected: int) -> str:
    if seen < expected:
        return f"{expected - seen:,} missing: extract the archive again, to its end"
    return f"{seen - expected:,} too many: something else was copied into it"


def class_problems(
    label: str, counts: Mapping[str, int], wanted: Sequence[str] | None, per_class: int | None
) -> list[Problem]:
    """Class folders that are missing, foreign or empty, or hold another number than published.

    Args:
        label: Which split, as messages begin.
        counts: Class folder -> images.
        wanted: The class folders that there should be; None: unknown.
        per_class: Images that every class should have; None: they differ or are not published.
    """
    found = []
    missing = [c for c in wanted or () if c not in counts]
    foreign = [c for c in counts if wanted is not None and c not in set(wanted)]
    if missing:
        found.append(Problem(
            f"{label}: {plural(len(missing), 'class folder')} missing ({few(missing)})",
            "the archive was extracted only in part, or classes were removed", label,
        ))  # fmt: skip
    if foreign:
        found.append(Problem(
            f"{label}: {plural(len(foreign), 'folder')} of no class of it ({few(foreign)})",
            "remove or rename them", label,
        ))  # fmt: skip
    hollow = [c for c, n in counts.items() if not n]
    if hollow:
        found.append(Problem(
            f"{label}: {plural(len(hollow), 'class folder')} without images ({few(hollow)})",
            "the archive was extracted only in part", label,
        ))  # fmt: skip
    odd = [f"{c}: {n}" for c, n in counts.items() if n and per_class and n != per_class]
    if odd:
        found.append(Problem(
            f"{label}: {plural(len(odd), 'class', 'classes')} without exactly {per_class} images "
            f"({few(odd)})",
            "extract the archive again", label,
        ))  # fmt: skip
    return found


def bad_image_problems(split: Split, label: str) -> list[Problem]:
    """Every image opened: those that cannot be decoded."""
    bad = check_images(split, workers=min(8, os.cpu_count() or 1))
    if not bad:
        return []
    shown = few((f"{name}: {why}" for name, why in bad), 5)
    return [Problem(
        f"{label}: {len(bad):,} of {plural(len(split), 'image')} cannot be decoded ({shown})",
        "extract them again", label,
    )]  # fmt: skip
