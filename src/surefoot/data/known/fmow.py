"""WILDS-FMoW 1.1: satellite images of 62 land uses, split by year, grouped by region.

Files, splits and regions as the package ``wilds`` 2.0.0 (``fmow_dataset.py``) computes them; a
test compares with it. By continent: the split of LP-FT (Kumar et al. 2022, arXiv 2202.10054),
whose code trains on WILDS's region "Americas" (region code 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ..dataset import Split
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem, few
from .facts import facts, packaged
from .files import read_columns
from .pictures import write_lines, write_picture

__all__ = ["FMOW", "FMOW_CONTINENTS", "categories"]

_COLUMNS = ("split", "category", "country_code", "timestamp")


class _Rows(NamedTuple):
    """The whole of rgb_metadata.csv: one entry per image, in the order of the images' numbers."""

    split: NDArray[Any]
    labels: NDArray[np.int64]
    year: NDArray[np.int64]
    region: NDArray[Any]
    place: NDArray[Any] | None


@lru_cache(maxsize=1)
def categories() -> tuple[str, ...]:
    """The 62 categories in WILDS's label order (``categories`` of its fmow_dataset.py)."""
    return tuple(packaged("tables/fmow_categories.txt").split())


class _FMoW(KnownDataset):
    """One table of all images, and one of the regions of countries."""

    def prompt_names(self) -> Mapping[str, str]:
        """As WiSE-FT and FLYP put them into prompts: with their underscores."""
        return {name: name for name in categories()}

    def part_of(self, split: str) -> tuple[str, str]:
        """(region, official split) of one of its splits; "" for all regions."""
        return "", split

    def _read(self, folder: Path, split: str) -> Split:
        rows = _rows(folder)
        region, official = self.part_of(split)
        at = _chosen(rows, official)
        if region:
            at = at[rows.region[at] == region]
        if not len(at):
            raise DataError(f"{folder / 'rgb_metadata.csv'} has no image of the split {split!r}")
        metadata = {"region": rows.region[at], "year": rows.year[at]}
        if rows.place is not None:
            metadata["place"] = rows.place[at]
        return self.listed(
            folder, split, [f"images/rgb_img_{i}.png" for i in at.tolist()], rows.labels[at],
            categories(), metadata=metadata, unit="place" if "place" in metadata else None,
            notes=self.notes,
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: is there an image of every category?"""
        found = super()._problems(folder, full)
        seen = 0 if found else len(np.unique(_rows(folder).labels))
        if seen and seen != len(categories()):
            found.append(
                Problem(f"rgb_metadata.csv has {seen} categories, 62 are published", AGAIN)
            )
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """All 62 categories in train; few images of each other split, region and period."""
        rng = np.random.default_rng(seed)
        plan = [
            ("train", year, y, region)
            for y in range(62)
            for region, year in (("Americas", 2010), ("Asia", 2002))
        ]
        for part, year in (("val", 2011), ("test", 2012), ("val", 2014), ("test", 2017)):
            plan += [
                (part, year, int(y), region)
                for region in (*_COUNTRIES, "Other")
                for y in rng.permutation(62)[: 2 if region == "Other" else 4]
            ]
        plan += [("seq", 2015, 0, "Asia"), ("train", 2014, 1, "Asia")]  # in no official split
        lines = ["split,img_path,category,country_code,timestamp"]
        for number, at in enumerate(rng.permutation(len(plan))):
            part, year, y, region = plan[at]
            code, name = _COUNTRIES.get(region, "XXX"), categories()[y]
            path = f"{part}/{name}/{name}_{number // 2}/{name}_{number // 2}_{number}_rgb.jpg"
            lines.append(f"{part},{path},{name},{code},{year}-08-05T10:03:01Z")
            if part != "seq":
                write_picture(folder / f"images/rgb_img_{number}.png", y, number, seed=seed)
        write_lines(folder / "rgb_metadata.csv", lines)
        mapping = [f"{code},{code},{region}" for region, code in _COUNTRIES.items()]
        write_lines(folder / "country_code_mapping.csv", ["name,alpha-3,region", *mapping])
        read = {split: self._read(folder, split).require_labels() for split in self.splits}
        return {split: (len(labels), len(np.unique(labels))) for split, labels in read.items()}


class _ByContinent(_FMoW):
    """Splits are called by region and part: "africa_val"."""

    def part_of(self, split: str) -> tuple[str, str]:
        """Val and test are the ID validation and test of a region."""
        region, part = split.split("_")
        return region.capitalize(), part if part == "train" else f"id_{part}"


_COUNTRIES = {"Americas": "USA", "Africa": "KEN", "Europe": "FRA", "Asia": "IND", "Oceania": "AUS"}
"""Of the miniature."""


def _rows(folder: Path) -> _Rows:
    file = folder / "rgb_metadata.csv"
    columns = read_columns(file, _COLUMNS, optional=("img_path",))
    position = {name: i for i, name in enumerate(categories())}
    labels = np.array([position.get(c, -1) for c in columns["category"]], dtype=np.int64)
    if (labels < 0).any():
        foreign = sorted(set(columns["category"][labels < 0].tolist()))
        raise ClassMismatch(
            f"{file} has {len(foreign)} categories that FMoW does not have ({few(foreign)})",
            expected=f"the 62 categories of WILDS-FMoW ({few(categories())})",
            fix=AGAIN,
        )
    return _Rows(
        columns["split"], labels, _years(columns["timestamp"], file),
        _regions(columns["country_code"], folder), _places(columns.get("img_path")),
    )  # fmt: skip


def _years(timestamps: NDArray[Any], file: Path) -> NDArray[np.int64]:
    """The year in UTC of "2015-08-05T10:03:01Z"."""
    texts = timestamps.astype(np.str_)
    utc = np.char.endswith(texts, "Z") | np.char.endswith(texts, "+00:00")
    if not utc.all():
        raise DataError(
            f"{file} has times that are not in UTC ({texts[~utc][0]!r})",
            expected="such as 2015-08-05T10:03:01Z",
            fix=AGAIN,
        )
    return np.array([t[:4] for t in texts]).astype(np.int64)


def _regions(countries: NDArray[Any], folder: Path) -> NDArray[Any]:
    """The region of every country code; "Other" where the mapping has none."""
    columns = read_columns(folder / "country_code_mapping.csv", ("alpha-3", "region"))
    region = dict(zip(columns["alpha-3"].tolist(), columns["region"].tolist(), strict=True))
    return np.array([region.get(c) or "Other" for c in countries.tolist()], dtype=np.str_)


def _places(paths: NDArray[Any] | None) -> NDArray[Any] | None:
    """Where each image was taken: FMoW's folder, train/airport/airport_0, of its several views.

    None where the copy does not say.
    """
    if paths is None or not all(paths):
        return None
    return np.array([p.rpartition("/")[0] for p in paths.tolist()], dtype=np.str_)


def _chosen(rows: _Rows, split: str) -> NDArray[np.int64]:
    """Numbers of the images of an official split: until 2012, 2013 to 2015, from 2016 on."""
    period = {"val": (rows.year >= 2013) & (rows.year < 2016), "test": rows.year >= 2016}
    when = period.get(split, rows.year < 2013)
    return np.flatnonzero((rows.split == split.removeprefix("id_")) & when)


FMOW = _FMoW(**facts("fmow"))
FMOW_CONTINENTS = _ByContinent(**facts("fmow-continents"))
