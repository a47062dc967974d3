"""DomainNet in the 40 classes of SENTRY: sketches, photographs, cliparts, paintings.

The lists ``<domain>_<split>_mini.txt`` are those of SENTRY's repository (data/DomainNet/txt),
which LP-FT's code expects in ``SENTRY_splits/``; each line is ``clipart/airplane/...jpg 0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Split
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem
from .facts import facts
from .files import in_order, one_of, read_text
from .pictures import write_lines, write_picture

__all__ = ["DOMAINNET"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _DomainNet(KnownDataset):
    """Lists of paths and labels.

    Attributes:
        classes: In the order of SENTRY's labels; for miniatures only: real copies are read from
            their lists.
    """

    classes: tuple[str, ...]

    def present(self, folder: Path) -> bool:
        """Is one of its domains here?"""
        return any((folder / domain).is_dir() for domain in ("sketch", "real", "clipart"))

    def _list(self, folder: Path, split: str) -> Path:
        places = [folder / place / f"{split}_mini.txt" for place in ("SENTRY_splits", ".", "txt")]
        file = one_of(places)
        if file is None:
            raise DataError(
                f"there is no {places[0]} (nor in {folder} or {folder / 'txt'})",
                expected="SENTRY's lists of its 40 classes",
                fix="copy data/DomainNet/txt of https://github.com/virajprabhu/SENTRY to "
                f"{folder / 'SENTRY_splits'}",
            )
        return file

    def _read(self, folder: Path, split: str) -> Split:
        file = self._list(folder, split)
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
        classes = in_order(names, file)
        return self.listed(folder, split, paths, np.array(labels, dtype=np.int64), classes)

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: do the lists agree on the classes?"""
        found = super()._problems(folder, full)
        if not found:
            orders = {split: self.read(folder, split).class_names for split in self.splits}
            odd = [split for split, names in orders.items() if names != orders["sketch_train"]]
            if odd:
                found.append(Problem(f"the lists of {', '.join(odd)} name other classes", AGAIN))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """All 40 labels, two training images and one test image in each domain."""
        counts = {}
        for split in self.splits:
            domain, use = split.split("_")
            numbers = (0, 1) if use == "train" else (100,)
            lines = []
            for label, name in enumerate(self.classes):
                for number in numbers:
                    path = f"{domain}/{name}/{domain}_{label:03d}_{number:06d}.jpg"
                    write_picture(folder / path, label, number, seed=seed)
                    lines.append(f"{path} {label}")
            write_lines(folder / f"SENTRY_splits/{split}_mini.txt", lines)
            counts[split] = (len(lines), len(self.classes))
        return counts


DOMAINNET = _DomainNet(**facts("domainnet"))
