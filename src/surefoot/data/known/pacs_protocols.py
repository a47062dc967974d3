"""How PACS is cut: its authors' lists, DomainBed's 80/20 draw, and unions that leave a domain out.

Li et al. 2017 train and validate on lists of their own, ``<domain>_train_kfold.txt`` and
``<domain>_crossval_kfold.txt``, and test on the whole domain that is left out (their
``<domain>_test_kfold.txt`` names all of it). A line is ``photo/dog/056_0001.jpg 1``; labels count
from 1 in alphabetical order.

DomainBed (Gulrajani and Lopez-Paz 2021, arXiv 2007.01434) cuts a fifth off every domain:
``domainbed/scripts/train.py`` takes the first int(0.2 n) of a shuffle of the images in
torchvision's order, seeded by the trial and the domain's number. It sweeps several trials; trial
0 is drawn here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from .checks import AGAIN, few
from .files import one_of, read_text

__all__ = [
    "CLASSES",
    "DOMAINS",
    "domainbed_part",
    "fingerprint",
    "images_folder",
    "list_file",
    "listed_files",
]

CLASSES = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
DOMAINS = ("art_painting", "cartoon", "photo", "sketch")
"""In alphabetical order, which is how DomainBed numbers them."""

_LISTS = ("splits", ".", "correct_txt_lists", "pacs_label")
"""Where public code keeps the lists: Dassl.pytorch, beside the domains, RSC, several others."""
_SOURCE = ("https://github.com/DeLightCMU/RSC (the lists are in "
           "Domain_Generalization/data/correct_txt_lists)")  # fmt: skip


def fingerprint(lines: Iterable[str]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of sorted lines, whatever ends them."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


_INSIDE = (".", "kfold", "images")
"""Where the domains lie: DomainBed and most copies, the authors' archive, Dassl.pytorch."""


def images_folder(folder: Path) -> Path:
    """The folder in which the domains of a copy lie."""
    inside = (folder / place for place in _INSIDE)
    return next((p for p in inside if any((p / d).is_dir() for d in DOMAINS)), folder)


def list_file(folder: Path, name: str) -> Path | None:
    """The file of one of the authors' lists ("photo_train"), or None where there is none."""
    return one_of([folder / place / f"{name}_kfold.txt" for place in _LISTS])


def listed_files(folder: Path, name: str) -> list[str]:
    """Paths such as "photo/dog/056_0001.jpg", in the order of one of the authors' lists.

    Args:
        folder: Of the data set.
        name: "photo_train" or "photo_crossval".

    Raises:
        DataError: The list is missing, or contradicts the folders that it names.
    """
    file = list_file(folder, name)
    if file is None:
        raise DataError(
            f"there is no {folder / 'splits' / name}_kfold.txt (nor in {folder}, "
            f"{folder / _LISTS[2]} or {folder / _LISTS[3]})",
            expected="the lists of Li et al. 2017, lines such as photo/dog/056_0001.jpg 1",
            fix=f"copy the twelve *_kfold.txt of {_SOURCE} to {folder / 'splits'}",
        )
    domain = name.rpartition("_")[0]
    paths = [_path_of(line, domain, f"line {n} of {file}")
             for n, line in enumerate(read_text(file), 1)]  # fmt: skip
    twice = sorted(path for path, n in Counter(paths).items() if n > 1)
    if twice:
        raise DataError(
            f"{file} names {few(twice, 3)} twice", fix=f"get {file.name} again from {_SOURCE}"
        )
    return paths


def _path_of(line: str, domain: str, where: str) -> str:
    path, _, label = line.rpartition(" ")
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != domain or parts[1] not in CLASSES or not label.isdecimal():
        raise DataError(
            f"{where} is {line!r}", expected=f"such as {domain}/dog/pic_001.jpg 1", fix=AGAIN
        )
    number = CLASSES.index(parts[1]) + 1
    if int(label) != number:
        raise DataError(
            f"{where} gives {path} the label {label}",
            expected=f"{number}, for {parts[1]}: labels count from 1 in alphabetical order",
            fix="correct the line; a copy of art_painting_crossval_kfold.txt with changed first "
            f"lines is in circulation, a sound one is at {_SOURCE}",
        )
    return path


def domainbed_part(files: Sequence[str], domain: str, *, larger: bool) -> list[str]:
    """One side of DomainBed's cut of a domain (holdout_fraction 0.2, trial_seed 0), sorted.

    Args:
        files: All images of the domain in torchvision's order: by class, then by name.
        domain: One of :data:`DOMAINS`.
        larger: The four fifths, on which it trains and (in the domain left out) reports.
    """
    digest = hashlib.md5(str((0, DOMAINS.index(domain))).encode(), usedforsecurity=False)
    order = list(range(len(files)))
    np.random.RandomState(int(digest.hexdigest(), 16) % 2**31).shuffle(order)
    cut = int(len(files) * 0.2)
    return [files[i] for i in sorted(order[cut:] if larger else order[:cut])]
