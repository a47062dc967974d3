"""WILDS-iWildCam 2.0: animals in camera traps, split by trap.

Files, columns and splits as the package ``wilds`` 2.0.0 (``iwildcam_dataset.py``) reads them; a
test compares with it. Class names: the scientific names of the copy's categories.csv; the English
names that WiSE-FT and FLYP put into prompts are in ``tables/iwildcam_names.csv``, the rows of
``src/datasets/iwildcam_metadata/labels.csv`` (MIT licence, commit 4639a39) that WILDS uses.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ..dataset import Split
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem
from .facts import facts, packaged
from .files import in_order, integers, read_columns
from .pictures import write_lines, write_picture

__all__ = ["IWILDCAM"]

_COLUMNS = ("split", "filename", "y", "location_remapped", "sequence_remapped", "datetime")
_UNUSED = 99999
_TIME = {"year": (0, 4), "month": (5, 7), "day": (8, 10), "hour": (11, 13), "minute": (14, 16),
         "second": (17, 19)}  # fmt: skip


class _IWildCam(KnownDataset):
    """One table of all images, and one of the classes."""

    def prompt_names(self) -> Mapping[str, str]:
        """Class -> its English name in lower case, as WiSE-FT and FLYP put it into prompts."""
        scientific, english = _published()
        return dict(zip(_unique(scientific), (e.lower() for e in english), strict=True))

    def _read(self, folder: Path, split: str) -> Split:
        file = folder / "metadata.csv"
        columns = read_columns(file, _COLUMNS)
        here = columns["split"] == split
        if not here.any():
            raise DataError(f"{file} has no row of the split {split!r}", fix=AGAIN)
        rows = {name: values[here] for name, values in columns.items()}
        names, labels = _class_names(folder), integers(rows["y"], "y", file)
        if labels.min() < 0 or labels.max() >= len(names):
            raise ClassMismatch(
                f"{file} has labels up to {labels.max()}, categories.csv names {len(names)} "
                "classes",
                fix="both files must be of version 2.0",
            )
        return self.listed(
            folder, split, [f"train/{name}" for name in rows["filename"]], labels, names,
            metadata=_metadata(rows, file), unit="location", notes=self.notes,
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: class names against those published."""
        found = super()._problems(folder, full)
        try:
            names = _class_names(folder)
        except DataError:
            return found  # reported with every split already
        published = _unique(_published()[0])
        pairs = enumerate(zip(names, published, strict=False))
        odd = [f"{i}: {ours!r}, not {theirs!r}" for i, (ours, theirs) in pairs if ours != theirs]
        if odd or len(names) != len(published):
            what = f"categories.csv names {len(names)} classes, {len(published)} are published"
            more = f"; {len(odd)} names differ ({odd[0]})" if odd else ""
            found.append(Problem(what + more, "it belongs to another version; fetch version 2.0"))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """Every class twice in train (WILDS asks for all of them), a few in the other splits."""
        rng = np.random.default_rng(seed)
        lines, counts, sequence = [_HEAD], {}, 0
        places = {"train": (0, 1), "val": (2,), "test": (3, 4), "id_val": (0, 1), "id_test": (0, 1)}
        for split, traps in places.items():
            drawn = np.repeat(rng.permutation(20)[:6], 2)
            labels = np.repeat(np.arange(182), 2) if split == "train" else drawn
            for n, y in enumerate(labels.tolist()):
                name = f"{split.replace('_', '')}{n:04d}-21bc-11ea-a13a-137349068a90"
                write_picture(folder / "train" / f"{name}.jpg", y, n, seed=seed)
                trap = traps[n % len(traps)]
                time = f"2013-{1 + n % 12:02d}-{1 + n % 28:02d} {n % 24:02d}:25:57.000"
                lines.append(f"{split},{trap},{trap},{sequence},s{sequence},{y},{time},{n % 3},"
                             f"{name}.jpg,{name},{y}")  # fmt: skip
                sequence += n % 2
            counts[split] = (len(labels), len(set(labels.tolist())))
        write_lines(folder / "metadata.csv", lines)
        names = [f"{i},{i},{name}" for i, name in enumerate(_published()[0])]
        head, unused = "y,category_id,name", f"{_UNUSED},900,start"
        write_lines(folder / "categories.csv", [head, *names, unused])
        write_lines(folder / "RELEASE_v2.0.txt", ["miniature"])
        return counts


_HEAD = (
    "split,location_remapped,location,sequence_remapped,seq_id,y,datetime,frame_num,filename,"
    "image_id,category_id"
)


def _metadata(rows: Mapping[str, NDArray[Any]], file: Path) -> dict[str, NDArray[Any]]:
    """WILDS's fields: location, sequence, and the parts of the date "2013-06-02 10:25:57.000"."""
    times = rows["datetime"].astype(np.str_)
    numbers = {name: integers(rows[f"{name}_remapped"], f"{name}_remapped", file)
               for name in ("location", "sequence")}  # fmt: skip
    parts = {name: integers(np.array([t[a:b] for t in times]), "datetime", file)
             for name, (a, b) in _TIME.items()}  # fmt: skip
    return numbers | parts


def _class_names(folder: Path) -> tuple[str, ...]:
    """Scientific names in label order; a name that occurs twice gets its number behind it.

    Raises:
        DataError: categories.csv does not name every class once.
        ClassMismatch: A name differs from the one published for that label.
    """
    file = folder / "categories.csv"
    columns = read_columns(file, ("y", "name"))
    labels = integers(columns["y"], "y", file)
    used = labels != _UNUSED
    names = dict(zip(labels[used].tolist(), columns["name"][used].tolist(), strict=True))
    if len(names) != int(used.sum()):
        raise DataError(f"{file} does not number its classes once each", fix=AGAIN)
    return _unique(in_order(names, file))


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Distinct names: the second "mazama temama" (label 181) becomes "mazama temama (181)"."""
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    return tuple(n if first[n] == i else f"{n} ({i})" for i, n in enumerate(names))


@lru_cache(maxsize=1)
def _published() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scientific and English names in label order, as WiSE-FT's repository has them."""
    rows = list(csv.DictReader(packaged("tables/iwildcam_names.csv").splitlines()))
    return tuple(r["name"] for r in rows), tuple(r["english"] for r in rows)


IWILDCAM = _IWildCam(**facts("iwildcam"))
