"""Is a copy of PACS whole: images of every domain and class, file names, its authors' lists."""

from __future__ import annotations

from pathlib import Path

from ...errors import BadImages, DataError
from ..images import FileImages
from .base import KnownDataset, Problem, expected_here, miniature_mark
from .layout import (
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    read_tree,
)
from .pacs_protocols import (
    CLASSES,
    DOMAINS,
    LISTED,
    fingerprint,
    images_folder,
    list_file,
    listed_files,
)
from .parts import leftover_archives, missing_files

__all__ = ["COUNTS", "inspect_pacs"]

COUNTS = {
    "art_painting": (379, 255, 285, 184, 201, 295, 449),
    "cartoon": (389, 457, 346, 135, 324, 288, 405),
    "photo": (189, 202, 182, 186, 199, 280, 432),
    "sketch": (772, 740, 753, 608, 816, 80, 160),
}
"""Domain -> images of each class."""

_NAMES = {"art_painting": "a8d447f14e5cd02a", "cartoon": "ace0bce3230521d3",
          "photo": "1429162252b376f3", "sketch": "e9b0810a1930a9e1"}  # fmt: skip
"""Domain -> fingerprint of "photo/dog/056_0001.jpg" and all others."""


def inspect_pacs(known: KnownDataset, folder: Path, full: bool) -> list[Problem]:
    """Every problem of a local copy; the authors' lists are checked where they are there.

    Args:
        known: PACS.
        folder: Of the copy.
        full: Decode every image.
    """
    if not folder.is_dir():
        return [Problem(f"there is no folder {folder}", f"{known.title}: {known.homepage}")]
    found: list[Problem] = []
    for domain in DOMAINS:
        own = _domain_problems(known, folder, domain, full)
        found += own + _list_problems(known, folder, domain, whole=not own)
    return [*found, *leftover_archives(folder)] if found else found


def _domain_problems(known: KnownDataset, folder: Path, domain: str, full: bool) -> list[Problem]:
    root = images_folder(folder) / domain
    if not root.is_dir():
        return [Problem(f"{domain}: the folder {root} is missing",
                        f"expected {known.layout[1].strip()}", domain)]  # fmt: skip
    tree, real = read_tree(root), miniature_mark(folder) is None
    classes = sum(n > 0 for n in tree.counts.values())
    expected = expected_here(known, folder)[domain]
    found = archive_problems(tree, domain)
    found += class_problems(domain, tree.counts, CLASSES, None)
    found += count_problems(domain, expected, tree.images, classes)
    if real:
        wanted = dict(zip(CLASSES, COUNTS[domain], strict=True))
        odd = [f"{c} {tree.counts[c]:,} of {n:,}" for c, n in wanted.items()
               if tree.counts.get(c, n) != n]  # fmt: skip
        if odd:
            found.append(Problem(f"{domain}: images of classes differ from those published "
                                 f"({few(odd, 7)})", "get the copy again", domain))  # fmt: skip
    if found and (classes < len(CLASSES) or set(tree.counts) - set(CLASSES)):
        return found
    split = known.read(folder, domain)
    assert isinstance(split.images, FileImages)
    if real and not found and fingerprint(split.images.paths) != _NAMES[domain]:
        found.append(Problem(
            f"{domain}: the images have other file names than published, so that {domain}80 and "
            f"{domain}20 are not DomainBed's cut", "get a copy with the original names", domain,
        ))  # fmt: skip
    return found + (bad_image_problems(split, domain) if full else [])


def _list_problems(known: KnownDataset, folder: Path, domain: str, *, whole: bool) -> list[Problem]:
    """Of the authors' lists, which a copy need not have: of two, both or none."""
    names = (f"{domain}_train", f"{domain}_crossval")
    if not any(list_file(folder, name) for name in names):
        return []
    found, seen = [], list[str]()
    for name in names:
        expected = expected_here(known, folder)[name]
        try:
            split = known.read(folder, name)
        except BadImages as error:
            found.append(missing_files(name, error, expected))
        except DataError as error:
            found.append(Problem(f"{name}: {error.wrong}", error.fix, name))
        else:
            classes = len(set(split.require_labels().tolist()))
            found += count_problems(name, expected, len(split), classes)
            seen += [split.images.id(i) for i in range(len(split))]
    if whole and not found:
        found += _cut_problems(known, folder, domain, seen)
    return found


def _cut_problems(known: KnownDataset, folder: Path, domain: str, seen: list[str]) -> list[Problem]:
    """Do the two lists cut the domain in two, and are they the published ones?"""
    images = known.read(folder, domain).images
    assert isinstance(images, FileImages)
    fix = "get the *_kfold.txt files again"
    if sorted(seen) != sorted(images.paths):
        return [Problem(f"{domain}: its two lists do not name every image once", fix, domain)]
    if miniature_mark(folder) is not None:
        return []
    odd = [name for name in (f"{domain}_train", f"{domain}_crossval")
           if _lines(folder, name) != LISTED[name][1]]  # fmt: skip
    what = "is not the published list, though as long: its images were drawn anew"
    return [Problem(f"{name}: {what}", fix, name) for name in odd]


def _lines(folder: Path, name: str) -> str:
    paths = listed_files(folder, name)
    return fingerprint(f"{p} {CLASSES.index(p.split('/')[1]) + 1}" for p in paths)
