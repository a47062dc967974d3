"""What can be wrong with a local copy: counts, class folders, leftovers, images without bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import BadImages
from ..check import check_images
from ..dataset import Split
from ..folder import image_extensions
from ..images import FileImages
from ..sequence import underlying
from .facts import Expected

__all__ = [
    "AGAIN",
    "Problem",
    "Tree",
    "archive_problems",
    "bad_image_problems",
    "class_problems",
    "count_problems",
    "empty_problems",
    "few",
    "leftover_archives",
    "missing_problems",
    "plural",
    "read_tree",
    "some",
]

AGAIN = "extract the archive again, or fetch it again if it is shorter than published"
_ARCHIVE = re.compile(
    r"\.(tar|zip|tgz|tar\.gz|tar\.bz2|7z|rar|aa|ab|part\d*|crdownload|aria2)$", re.I
)
_DISK = "a disk was full or an extraction was interrupted"
_PARTLY = "the archive was extracted only in part"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a local copy, in plain words, and what to do.

    Attributes:
        what: What is wrong.
        fix: What to do; "" where nothing can be done but to get it again.
        split: The split that it concerns; "" for the whole data set.
    """

    what: str
    fix: str = ""
    split: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.fix})" if self.fix else self.what

    @classmethod
    def of(cls, split: str, what: str, fix: str = "") -> Problem:
        """A problem of one split, which the message begins with."""
        return cls(f"{split}: {what}", fix, split)


def plural(number: int, one: str, several: str = "") -> str:
    """Number and noun: "1 image", "2 images"; "3 classes" with the plural given."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def few(names: Iterable[str], most: int = 5) -> str:
    """The first few names and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def some(
    split: str, names: Sequence[str], noun: str, what: str, fix: str, *, most: int = 5
) -> list[Problem]:
    """One problem that several things share, or none where there is none of them.

    Args:
        split: That it concerns.
        names: Of the things; the first are shown.
        noun: What they are, in the singular.
        what: What is wrong with them; ``{}`` stands for the names.
        fix: What to do.
        most: How many names are shown.
    """
    if not names:
        return []
    return [Problem.of(split, f"{plural(len(names), noun)} {what.format(few(names, most))}", fix)]


@dataclass
class Tree:
    """Class folders as found, without opening an image.

    Attributes:
        counts: Class folder -> images below it; empty folders count 0.
        stems: Class folder -> the names of its images without extension, sorted.
        empty: Paths of images of zero bytes, relative to the root.
        archives: Archives and unfinished downloads, relative to the root.
        loose: Images that lie beside the class folders.
    """

    counts: dict[str, int] = field(default_factory=dict)
    stems: dict[str, list[str]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """In all class folders."""
        return sum(self.counts.values())

    @property
    def classes(self) -> int:
        """Class folders that hold an image."""
        return sum(n > 0 for n in self.counts.values())


def read_tree(root: Path, *, stems: bool = False) -> Tree:
    """Look at every entry below a folder of class folders; sizes are read, contents are not.

    Args:
        root: The folder.
        stems: Keep the names of the images too.

    Raises:
        OSError: The folder cannot be listed.
    """
    tree = Tree()
    for entry in sorted(os.scandir(root), key=lambda e: e.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            names = _stems(Path(entry.path), entry.name, tree)
            tree.counts[entry.name] = len(names)
            if stems:
                tree.stems[entry.name] = sorted(names)
        elif _is_image(entry.name):
            tree.loose.append(entry.name)
        elif _ARCHIVE.search(entry.name):
            tree.archives.append(entry.name)
    return tree


def _stems(folder: Path, prefix: str, tree: Tree) -> list[str]:
    names: list[str] = []
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        below = f"{prefix}/{entry.name}"
        if entry.is_dir():
            names += _stems(Path(entry.path), below, tree)
        elif _is_image(entry.name):
            names.append(entry.name.rsplit(".", 1)[0])
            if entry.stat().st_size == 0:
                tree.empty.append(below)
        elif _ARCHIVE.search(entry.name):
            tree.archives.append(below)
    return names


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in image_extensions()


def archive_problems(tree: Tree, split: str) -> list[Problem]:
    """Archives left inside, images that have no bytes, images beside the class folders."""
    found = []
    if tree.archives:
        found.append(Problem.of(
            split,
            f"archives or unfinished downloads lie in it, {len(tree.archives):,} in all "
            f"({few(tree.archives, 3)}): it was only partly extracted",
            "extract each into the class folder of its name, then remove it",
        ))  # fmt: skip
    found += some(split, tree.empty, "image", f"of zero bytes ({{}}): {_DISK}", AGAIN, most=3)
    beside = "beside the class folders, of no class ({})"
    found += some(split, tree.loose, "image", beside, "sort them into their class folders", most=3)
    return found


def class_problems(
    split: str, counts: Mapping[str, int], wanted: Sequence[str] | None, per_class: int | None
) -> list[Problem]:
    """Class folders that are missing, foreign or empty, or hold another number than published.

    Args:
        split: Which one.
        counts: Class folder -> images.
        wanted: The class folders that there should be; None: unknown.
        per_class: Images that every class should have; None: they differ or are not published.
    """
    missing = [c for c in wanted or () if c not in counts]
    foreign = [c for c in counts if wanted is not None and c not in set(wanted)]
    hollow = [c for c, n in counts.items() if not n]
    odd = [f"{c}: {n}" for c, n in counts.items() if n and per_class and n != per_class]
    found = some(split, missing, "class folder", "missing ({})",
                 f"{_PARTLY}, or classes were removed")  # fmt: skip
    found += some(split, foreign, "folder", "of no class of it ({})", "remove or rename them")
    found += some(split, hollow, "class folder", "without images ({})", _PARTLY)
    if odd:
        what = f"{plural(len(odd), 'class', 'classes')} without exactly {per_class} images"
        found.append(Problem.of(split, f"{what} ({few(odd)})", AGAIN))
    return found


def count_problems(split: str, expected: Expected, images: int, classes: int) -> list[Problem]:
    """Totals against those published; nothing where the publisher gives none."""
    found = []
    for seen, published, nouns in (
        (classes, expected.classes, ("class", "classes")),
        (images, expected.images, ("image", "images")),
    ):
        if published is not None and seen != published:
            what = f"{plural(seen, *nouns)}, expected {published:,}"
            found.append(Problem.of(split, what, _too_many_or_few(seen, published)))
    return found


def _too_many_or_few(seen: int, expected: int) -> str:
    if seen < expected:
        return f"{expected - seen:,} missing: extract the archive again, to its end"
    return f"{seen - expected:,} too many: something else was copied into it"


def bad_image_problems(split: Split, name: str) -> list[Problem]:
    """Every image opened, once if it occurs with several captions: those that cannot be decoded."""
    first: dict[str, int] = {}
    for i in range(len(split)):
        first.setdefault(split.images.id(i), i)
    once = split if len(first) == len(split) else split.take(list(first.values()))
    bad = check_images(once, workers=min(8, os.cpu_count() or 1))
    shown = [f"{image}: {why}" for image, why in bad]
    what = f"of {len(once):,} cannot be decoded ({{}})"
    return some(name, shown, "image", what, "extract them again")


def missing_problems(name: str, error: BadImages, expected: Expected) -> list[Problem]:
    """That files which a list names are not there."""
    share = f"of {expected.images:,} missing ({{}})" if expected.images else "missing ({})"
    return some(
        name, [path for path, _ in error.bad], "image", share, f"{_PARTLY}: {AGAIN}", most=3
    )


def empty_problems(split: Split, name: str) -> list[Problem]:
    """Files of zero bytes, by one look into every folder."""
    images, at = underlying(split.images, np.arange(len(split), dtype=np.int64))
    if not isinstance(images, FileImages):
        return []
    wanted = {images.paths[int(i)] for i in at}
    empty = []
    for inside in sorted({os.path.dirname(p) for p in wanted}):
        with os.scandir(os.path.join(images.root, inside)) as entries:
            for entry in entries:
                path = f"{inside}/{entry.name}" if inside else entry.name
                if path in wanted and entry.stat().st_size == 0:
                    empty.append(path)
    return some(name, empty, "image", f"of zero bytes ({{}}): {_DISK}", AGAIN, most=3)


def leftover_archives(folder: Path) -> list[Problem]:
    """Archives and unfinished downloads inside a copy that has problems."""
    left = sorted(e.name for e in os.scandir(folder) if e.is_file() and _ARCHIVE.search(e.name))
    if not left:
        return []
    return [Problem(
        f"archives or unfinished downloads lie in {folder}, {len(left):,} in all ({few(left, 3)}): "
        "it was perhaps not extracted to the end",
        "extract them again and look for messages of the program that extracts",
    )]  # fmt: skip
