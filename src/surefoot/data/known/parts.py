"""A split from a publisher's list of files, and the checks of sets whose splits are lists."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadImages, DataError, MissingDependency
from ..dataset import Domain, Split, Use
from ..images import FileImages
from ..sequence import underlying
from ..strings import Strings
from .base import Expected, KnownDataset, Problem, expected_here
from .layout import bad_image_problems, count_problems, few

__all__ = [
    "Listing",
    "inspect_splits",
    "leftover_archives",
    "missing_files",
    "read_text",
    "split_of",
    "unknown_split",
    "use_of",
]

AGAIN = "extract the archive again, or fetch it again if it is shorter than published"
_LEFTOVERS = (".tar", ".tar.gz", ".tgz", ".zip", ".part", ".crdownload", ".aria2")


@dataclass(frozen=True)
class Listing:
    """The files of one split as the publisher's lists name them.

    Attributes:
        paths: n paths relative to the data set's folder.
        labels: (n,) int64, or None.
        class_names: In label order.
        metadata: Column name -> (n,) array.
        captions: n texts, or None.
    """

    paths: Sequence[str]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...] = ()
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    captions: Sequence[str] | None = None


def use_of(split: str) -> Use:
    """What a split may be used for, by its name: train, something with val, else test."""
    if "train" in split and "test" not in split:
        return "train"
    return "val" if "val" in split else "test"


def unknown_split(name: str, split: str, splits: Iterable[str]) -> DataError:
    """The error for a split that a data set does not have."""
    return DataError(
        f"{name} has no split {split!r}",
        expected=f"one of {', '.join(splits)}",
        fix=f"write {name}:SPLIT",
    )


def split_of(
    known: KnownDataset,
    folder: Path,
    split: str,
    listing: Listing,
    *,
    domain: Domain,
    unit: str | None = None,
    version: str = "unversioned",
    notes: tuple[str, ...] = (),
) -> Split:
    """A split of files; each must exist (one look into every folder, not one per file).

    Raises:
        BadImages: Listed files are missing; the first ten are named.
    """
    paths = listing.paths if isinstance(listing.paths, Strings) else Strings(listing.paths)
    missing = _missing(folder, paths)
    if missing:
        raise BadImages(
            [(p, "the file is missing") for p in missing], where=f"{folder} ({known.name}:{split})"
        )
    return Split(
        name=f"{known.name}:{split}",
        images=FileImages(folder, paths),
        labels=listing.labels,
        class_names=listing.class_names,
        domain=domain,
        use=use_of(split),
        captions=listing.captions,
        metadata=listing.metadata,
        unit=unit,
        version=version,
        licence=known.licence,
        source=str(folder),
        notes=notes,
    )


def _missing(folder: Path, paths: Sequence[str]) -> list[str]:
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_folder[os.path.dirname(path)].append(path)
    gone: list[str] = []
    for inside, wanted in by_folder.items():
        try:
            there = set(os.listdir(folder / inside))
        except OSError:
            there = set()
        gone += [p for p in wanted if os.path.basename(p) not in there]
    return gone


def read_text(file: Path) -> list[str]:
    """The lines of a small text file of a data set that are not empty.

    Raises:
        DataError: It is missing or is no text.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {file} (looked at {file.absolute()})",
            expected="a file that the data set ships with",
            fix=AGAIN,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error})", fix=AGAIN) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def inspect_splits(
    known: KnownDataset, folder: Path, full: bool, *, optional: Sequence[str] = ()
) -> list[Problem]:
    """Every problem of a local copy, split by split.

    Args:
        known: Whose copy.
        folder: Where it lies.
        full: Decode every image instead of looking for empty files only.
        optional: Splits that a copy need not have; they are checked where they are there.
    """
    if not folder.is_dir():
        return [Problem(f"there is no folder {folder}", f"{known.title}: {known.homepage}")]
    found: list[Problem] = []
    for name, expected in expected_here(known, folder).items():
        try:
            split = known.read(folder, name)
        except MissingDependency:
            raise
        except BadImages as error:
            found.append(missing_files(name, error, expected))
        except DataError as error:
            if name not in optional:
                found.append(Problem(f"{name}: {error.wrong}", error.fix or AGAIN))
        else:
            found += _counted(name, split, expected)
            found += bad_image_problems(_distinct(split), name) if full else _empty(name, split)
    return [*found, *leftover_archives(folder)] if found else found


def missing_files(name: str, error: BadImages, expected: Expected) -> Problem:
    """That files which a list names are not there; the first are named."""
    share = f" of {expected.images:,}" if expected.images else ""
    first = few((path for path, _ in error.bad), 3)
    return Problem(
        f"{name}: {len(error.bad):,}{share} images are missing ({first})",
        f"the archive was extracted only in part: {AGAIN}",
    )


def _counted(name: str, split: Split, expected: Expected) -> list[Problem]:
    classes = 0 if split.labels is None else len(np.unique(split.labels))
    wanted = replace(expected, classes=None) if split.labels is None else expected
    return count_problems(name, wanted, len(split), classes)


def _distinct(split: Split) -> Split:
    """Every image once: one with five captions occurs five times."""
    first: dict[str, int] = {}
    for i in range(len(split)):
        first.setdefault(split.images.id(i), i)
    return split if len(first) == len(split) else split.take(list(first.values()))


def _empty(name: str, split: Split) -> list[Problem]:
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
    if not empty:
        return []
    return [
        Problem(
            f"{name}: {len(empty):,} images are empty files of zero bytes ({few(empty, 3)}): a "
            "disk was full or an extraction was interrupted",
            AGAIN,
        )
    ]


def leftover_archives(folder: Path) -> list[Problem]:
    """Archives and unfinished downloads inside a copy that has problems."""
    left = sorted(
        e.name for e in os.scandir(folder) if e.name.lower().endswith(_LEFTOVERS) and e.is_file()
    )
    return [
        Problem(
            f"{len(left)} archives or unfinished downloads lie in {folder} ({few(left, 3)}): it "
            "was perhaps not extracted to the end",
            "extract them again and look for messages of the program that extracts",
        )
    ] * bool(left)
