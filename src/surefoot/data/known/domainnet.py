"""DomainNet in the 40 classes of SENTRY: sketches, photographs, cliparts, paintings.

The lists ``<domain>_<split>_mini.txt`` are those of SENTRY's repository (data/DomainNet/txt),
which LP-FT's code expects in ``SENTRY_splits/``; each line is ``clipart/airplane/...jpg 0``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import DataError
from ...records import write_atomic
from ..dataset import Domain, Split
from .base import Expected, KnownDataset, Problem, mark_miniature
from .parts import AGAIN, Listing, inspect_splits, read_text, split_of, unknown_split
from .pictures import write_picture

__all__ = ["DOMAINNET"]

_SENTRY = "https://github.com/virajprabhu/SENTRY (lines of data/DomainNet/txt)"
_COUNTS = {
    "sketch_train": 5_537, "sketch_test": 2_399, "real_train": 16_141, "real_test": 6_943,
    "clipart_train": 3_707, "clipart_test": 1_616, "painting_train": 6_727, "painting_test": 2_909,
}  # fmt: skip
_LISTS = ("SENTRY_splits", ".", "txt")


def _list(folder: Path, split: str) -> Path:
    places = [folder / place / f"{split}_mini.txt" for place in _LISTS]
    for file in places:
        if file.is_file():
            return file
    raise DataError(
        f"there is no {places[0]} (nor in {folder} or {folder / 'txt'})",
        expected="SENTRY's lists of its 40 classes",
        fix="copy data/DomainNet/txt of https://github.com/virajprabhu/SENTRY to "
        f"{folder / 'SENTRY_splits'}",
    )


def _read(folder: Path, split: str) -> Split:
    if split not in _COUNTS:
        raise unknown_split("domainnet", split, _COUNTS)
    file = _list(folder, split)
    paths, labels, names = [], [], dict[int, str]()
    for number, line in enumerate(read_text(file), 1):
        path, _, label = line.rpartition(" ")
        parts = path.split("/")
        if len(parts) < 3 or not label.isdecimal():
            raise DataError(
                f"line {number} of {file} is {line!r}",
                expected="such as clipart/airplane/clipart_002_000049.jpg 0",
            )
        paths.append(path)
        labels.append(int(label))
        if names.setdefault(labels[-1], parts[1]) != parts[1]:
            raise DataError(
                f"{file} gives the label {label} to {names[labels[-1]]} and to {parts[1]}",
                fix=AGAIN,
            )
    if sorted(names) != list(range(len(names))):
        raise DataError(f"{file} does not number its classes 0, 1, 2, ... without gaps", fix=AGAIN)
    classes = tuple(names[i] for i in range(len(names)))
    listing = Listing(paths, np.array(labels, dtype=np.int64), classes)
    domain: Domain = "ID" if split.startswith("sketch") else "OOD"
    return split_of(
        DOMAINNET, folder, split, listing, domain=domain, version="DomainNet, SENTRY's 40 classes"
    )


def _inspect(folder: Path, full: bool) -> list[Problem]:
    """Also: do the lists agree on the classes?"""
    found = inspect_splits(DOMAINNET, folder, full)
    if not found:
        orders = {split: DOMAINNET.read(folder, split).class_names for split in _COUNTS}
        odd = [split for split, names in orders.items() if names != orders["sketch_train"]]
        if odd:
            found.append(Problem(f"the lists of {', '.join(odd)} name other classes", AGAIN))
    return found


def _miniature(folder: Path, seed: int) -> None:
    """All 40 labels (SENTRY's order), two training images and one test image in each domain."""
    counts = {}
    for split in _COUNTS:
        domain, use = split.split("_")
        lines = []
        for label, name in enumerate(_CLASSES):
            for number in range(2 if use == "train" else 1):
                code = number + (0 if use == "train" else 100)
                path = f"{domain}/{name}/{domain}_{label:03d}_{code:06d}.jpg"
                write_picture(folder / path, label, code, seed=seed)
                lines.append(f"{path} {label}")
        (folder / "SENTRY_splits").mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "SENTRY_splits" / f"{split}_mini.txt", "\n".join(lines) + "\n")
        counts[split] = Expected(len(lines), 40, source="miniature")
    mark_miniature(folder, "domainnet", counts, seed)


_CLASSES = (
    "airplane", "ambulance", "apple", "backpack", "banana", "bathtub", "bear", "bed", "bee",
    "bicycle", "bird", "book", "bridge", "bus", "cake", "calculator", "camera", "car", "cat",
    "chair", "clock", "cow", "dog", "dolphin", "duck", "elephant", "fence", "fork", "horse",
    "house", "rabbit", "scissors", "strawberry", "table", "telephone", "truck", "butterfly",
    "sheep", "drums", "donut",
)  # fmt: skip
"""In the order of SENTRY's labels; for miniatures only: real copies are read from their lists."""

DOMAINNET: KnownDataset = KnownDataset(
    name="domainnet",
    title="DomainNet (SENTRY's 40 classes)",
    summary="Everyday things as sketches, photographs, cliparts and paintings; LP-FT trains on "
    "sketches and asks in the other three.",
    homepage="http://ai.bu.edu/M3SDA/",
    citation='X. Peng, Q. Bai, X. Xia, Z. Huang, K. Saenko, B. Wang, "Moment Matching for '
    'Multi-Source Domain Adaptation", ICCV 2019; classes and splits: V. Prabhu, S. Khare, D. '
    'Kartik, J. Hoffman, "SENTRY", ICCV 2021, arXiv 2012.11460',
    licence="fair use notice of the publisher: non-commercial research and education",
    layout=(
        "domainnet/",
        "  sketch/<class>/*.jpg, real/..., clipart/..., painting/...",
        "  SENTRY_splits/<domain>_{train,test}_mini.txt   lines: path label",
    ),
    folders=("domainnet", "DomainNet", "domainnet_v1.0"),
    splits={name: Expected(n, 40, source=_SENTRY) for name, n in _COUNTS.items()},
    default="real_test",
    metric="top1",
    domain="ID",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    control="domainnet:sketch_test",
    needs=("SENTRY's lists, from data/DomainNet/txt of its repository, in SENTRY_splits/",),
    class_source="folder names and labels in SENTRY's lists",
    aliases=("domainnet-40",),
    present=lambda folder: any((folder / d).is_dir() for d in ("sketch", "real", "clipart")),
    roles={"train": "sketch_train", "test": "sketch_test"},
    shifts=("real_test", "clipart_test", "painting_test"),
    notes=("LP-FT selects on the test lists; surefoot cuts its validation part from training.",),
)
