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
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ...records import write_atomic
from ..dataset import Split
from .base import Expected, KnownDataset, Problem, mark_miniature
from .csv_rows import integers, read_columns
from .parts import AGAIN, Listing, inspect_splits, split_of, unknown_split
from .pictures import write_picture

__all__ = ["IWILDCAM"]

_COLUMNS = ("split", "filename", "y", "location_remapped", "sequence_remapped", "datetime")
_IN_DOMAIN = ("train", "id_val", "id_test")
_UNUSED = 99999
_TIME = {"year": (0, 4), "month": (5, 7), "day": (8, 10), "hour": (11, 13), "minute": (14, 16),
         "second": (17, 19)}  # fmt: skip


def _read(folder: Path, split: str) -> Split:
    if split not in IWILDCAM.splits:
        raise unknown_split("iwildcam", split, IWILDCAM.splits)
    file = folder / "metadata.csv"
    columns = read_columns(file, _COLUMNS)
    here = columns["split"] == split
    if not here.any():
        raise DataError(f"{file} has no row of the split {split!r}", fix=AGAIN)
    rows = {name: values[here] for name, values in columns.items()}
    names = _class_names(folder)
    labels = integers(rows["y"], "y", file)
    if labels.min() < 0 or labels.max() >= len(names):
        raise ClassMismatch(
            f"{file} has labels up to {labels.max()}, categories.csv names {len(names)} classes",
            fix="both files must be of version 2.0",
        )
    listing = Listing(
        [f"train/{name}" for name in rows["filename"]], labels, names, _metadata(rows, file)
    )
    return split_of(
        IWILDCAM,
        folder,
        split,
        listing,
        domain="ID" if split in _IN_DOMAIN else "OOD",
        unit="location",
        version="iwildcam_v2.0",
        notes=IWILDCAM.notes,
    )


def _metadata(rows: Mapping[str, NDArray[Any]], file: Path) -> dict[str, NDArray[Any]]:
    """WILDS's fields: location, sequence, and the parts of the date "2013-06-02 10:25:57.000"."""
    times = rows["datetime"].astype(np.str_)
    return {
        "location": integers(rows["location_remapped"], "location_remapped", file),
        "sequence": integers(rows["sequence_remapped"], "sequence_remapped", file),
        **{
            name: integers(np.array([t[a:b] for t in times]), "datetime", file)
            for name, (a, b) in _TIME.items()
        },
    }


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
    if sorted(names) != list(range(len(names))) or len(names) != int(used.sum()):
        raise DataError(f"{file} does not number its classes 0, 1, 2, ... once each", fix=AGAIN)
    return unique(tuple(names[i] for i in range(len(names))))


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Distinct names: the second "mazama temama" (label 181) becomes "mazama temama (181)"."""
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    return tuple(n if first[n] == i else f"{n} ({i})" for i, n in enumerate(names))


@lru_cache(maxsize=1)
def _published() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scientific and English names in label order, as WiSE-FT's repository has them."""
    file = files("surefoot.data.known").joinpath("tables/iwildcam_names.csv")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    return tuple(r["name"] for r in rows), tuple(r["english"] for r in rows)


def _prompt_names() -> Mapping[str, str]:
    """Class -> its English name in lower case, as WiSE-FT and FLYP put it into prompts."""
    scientific, english = _published()
    return dict(zip(unique(scientific), (e.lower() for e in english), strict=True))


def _inspect(folder: Path, full: bool) -> list[Problem]:
    """Missing images, counts, and class names against those published."""
    found = inspect_splits(IWILDCAM, folder, full)
    try:
        names = _class_names(folder)
    except DataError:
        return found  # reported with every split already
    published = unique(_published()[0])
    odd = [f"{i}: {a!r}, not {b!r}" for i, (a, b) in enumerate(zip(names, published, strict=False))
           if a != b]  # fmt: skip
    if odd or len(names) != len(published):
        found.append(
            Problem(
                f"categories.csv names {len(names)} classes, {len(published)} are published"
                + (f"; {len(odd)} names differ ({odd[0]})" if odd else ""),
                "it belongs to another version; fetch version 2.0",
            )
        )
    return found


def _miniature(folder: Path, seed: int) -> None:
    """Every class twice in train (WILDS asks for all of them), a few in the other splits."""
    rng = np.random.default_rng(seed)
    scientific, _ = _published()
    counts, rows, sequence = {}, [], 0
    for split, places, per_class in (
        ("train", (0, 1), 2), ("val", (2,), 0), ("test", (3, 4), 0), ("id_val", (0, 1), 0),
        ("id_test", (0, 1), 0),
    ):  # fmt: skip
        few_classes = np.repeat(rng.permutation(20)[:6], 2)
        labels = np.repeat(np.arange(182), per_class) if per_class else few_classes
        for number, y in enumerate(labels.tolist()):
            name = f"{split.replace('_', '')}{number:04d}-21bc-11ea-a13a-137349068a90"
            write_picture(folder / "train" / f"{name}.jpg", y, number, seed=seed)
            place = places[number % len(places)]
            time = f"2013-{1 + number % 12:02d}-{1 + number % 28:02d} {number % 24:02d}:25:57.000"
            rows.append((split, place, place, sequence, f"s{sequence}", y, time, number % 3,
                         f"{name}.jpg", name, y))  # fmt: skip
            sequence += number % 2
        counts[split] = Expected(len(labels), len(set(labels.tolist())), source="miniature")
    head = "split,location_remapped,location,sequence_remapped,seq_id,y,datetime,frame_num,filename,image_id,category_id"  # noqa: E501
    body = [head, *(",".join(map(str, row)) for row in rows)]
    write_atomic(folder / "metadata.csv", "\n".join(body) + "\n")
    names = [f"{i},{i},{name}" for i, name in enumerate(scientific)] + [f"{_UNUSED},900,start"]
    write_atomic(folder / "categories.csv", "\n".join(["y,category_id,name", *names]) + "\n")
    write_atomic(folder / "RELEASE_v2.0.txt", "miniature\n")
    mark_miniature(folder, "iwildcam", counts, seed)


_COUNTS = (
    "split sizes of the card of emmilly/iwildcam-wilds-v2 on the Hugging Face hub, a mirror "
    "checked against WILDS; the training split also in FLYP's datacreation_scripts/iwildcam.py"
)

IWILDCAM: KnownDataset = KnownDataset(
    name="iwildcam",
    title="WILDS-iWildCam 2.0",
    summary="Photographs of camera traps with 182 labels (animals, empty); the traps of val and "
    "test are not those of train.",
    homepage="https://wilds.stanford.edu/datasets/#iwildcam",
    citation='S. Beery, E. Cole, A. Gjoka, "The iWildCam 2020 Competition Dataset", arXiv '
    '2004.10340; P. W. Koh et al., "WILDS: A Benchmark of in-the-Wild Distribution Shifts", ICML '
    "2021, arXiv 2012.07421",
    licence="Community Data License Agreement - Permissive - Version 1.0",
    layout=(
        "iwildcam_v2.0/",
        "  metadata.csv     split, filename, y, location_remapped, sequence_remapped, datetime ...",
        "  categories.csv   y, category_id, name",
        "  train/           the images of all splits",
    ),
    folders=("iwildcam_v2.0", "wilds/iwildcam_v2.0", "data/iwildcam_v2.0"),
    splits={
        "train": Expected(129_809, None, source=_COUNTS),
        "val": Expected(14_961, None, source=_COUNTS),
        "test": Expected(42_791, None, source=_COUNTS),
        "id_val": Expected(7_314, None, source=_COUNTS),
        "id_test": Expected(8_154, None, source=_COUNTS),
    },
    default="test",
    metric="macro_f1",
    domain="ID",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    control="iwildcam:id_test",
    class_source="categories.csv of the copy (scientific names), checked against WiSE-FT's table",
    aliases=("wilds-iwildcam", "iwildcam-v2.0"),
    present=lambda folder: (folder / "metadata.csv").is_file() and (folder / "train").is_dir(),
    roles={"train": "train", "val": "id_val", "test": "id_test"},
    shifts=("test",),
    prompt_names=_prompt_names,
    notes=(
        "Two of the 182 classes have the same scientific name (mazama temama, 153 and 181); in the "
        "English lower-case names that papers put into prompts, four pairs are identical (lowland "
        "paca 3, 148; jaguarundi 19, 174; unknown bird 82, 178; central american red brocket 153, "
        "181): a zero-shot head cannot tell these apart.",
    ),
)
