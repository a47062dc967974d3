"""WILDS-FMoW 1.1: satellite images of 62 land uses, split by year, grouped by region.

Files, splits and regions as the package ``wilds`` 2.0.0 (``fmow_dataset.py``) computes them; a
test compares with it. By continent: the split of LP-FT (Kumar et al. 2022, arXiv 2202.10054),
whose code trains on WILDS's region "Americas" (region code 3).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ...records import write_atomic
from ..dataset import Domain, Split
from .base import Expected, KnownDataset, Problem, mark_miniature
from .csv_rows import read_columns
from .layout import few
from .parts import AGAIN, Listing, inspect_splits, split_of, unknown_split
from .pictures import write_picture

__all__ = ["FMOW", "FMOW_CONTINENTS"]

_COLUMNS = ("split", "category", "country_code", "timestamp")
_OFFICIAL = {"train": "train", "id_val": "val", "id_test": "test", "val": "val", "test": "test"}
_CONTINENTS = {
    f"{region}_{name}": (region.capitalize(), official)
    for region in ("americas", "africa", "europe")
    for name, official in (("train", "train"), ("val", "id_val"), ("test", "id_test"))
    if region == "americas" or name != "train"
}


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
    table = files("surefoot.data.known").joinpath("tables/fmow_categories.txt")
    return tuple(table.read_text(encoding="utf-8").split())


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
    return _Rows(columns["split"], labels, _years(columns["timestamp"], file),
                 _regions(columns["country_code"], folder),
                 _places(columns.get("img_path")))  # fmt: skip


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
    return np.flatnonzero((rows.split == _OFFICIAL[split]) & when)


def _made(known: KnownDataset, folder: Path, split: str, region: str, official: str) -> Split:
    rows = _rows(folder)
    at = _chosen(rows, official)
    if region:
        at = at[rows.region[at] == region]
    if not len(at):
        raise DataError(f"{folder / 'rgb_metadata.csv'} has no image of the split {split!r}")
    domain: Domain = (
        "OOD" if official in ("val", "test") or region not in ("", "Americas") else "ID"
    )
    columns = {"region": rows.region[at], "year": rows.year[at]}
    if rows.place is not None:
        columns["place"] = rows.place[at]
    listing = Listing(
        [f"images/rgb_img_{i}.png" for i in at.tolist()],
        rows.labels[at],
        categories(),
        columns,
    )
    unit = "place" if "place" in columns else None
    return split_of(known, folder, split, listing, domain=domain, unit=unit, version="fmow_v1.1",
                    notes=known.notes)  # fmt: skip


def _read(folder: Path, split: str) -> Split:
    if split not in FMOW.splits:
        raise unknown_split("fmow", split, FMOW.splits)
    return _made(FMOW, folder, split, "", split)


def _read_continent(folder: Path, split: str) -> Split:
    if split not in _CONTINENTS:
        raise unknown_split("fmow-continents", split, _CONTINENTS)
    return _made(FMOW_CONTINENTS, folder, split, *_CONTINENTS[split])


def _inspect(known: KnownDataset, folder: Path, full: bool) -> list[Problem]:
    found = inspect_splits(known, folder, full)
    if found:
        return found
    seen = len(np.unique(_rows(folder).labels))
    if seen != len(categories()):
        found.append(Problem(f"rgb_metadata.csv has {seen} categories, 62 are published", AGAIN))
    return found


_COUNTRIES = {"Americas": "USA", "Africa": "KEN", "Europe": "FRA", "Asia": "IND", "Oceania": "AUS"}


def _miniature(known: KnownDataset, folder: Path, seed: int) -> None:
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
    order = rng.permutation(len(plan))
    lines = ["split,img_path,category,country_code,timestamp"]
    for number, (part, year, y, region) in enumerate(plan[i] for i in order):
        code, name = _COUNTRIES.get(region, "XXX"), categories()[y]
        path = f"{part}/{name}/{name}_{number // 2}/{name}_{number // 2}_{number}_rgb.jpg"
        lines.append(f"{part},{path},{name},{code},{year}-08-05T10:03:01Z")
        if part != "seq":
            write_picture(folder / f"images/rgb_img_{number}.png", y, number, seed=seed)
    write_atomic(folder / "rgb_metadata.csv", "\n".join(lines) + "\n")
    mapping = ["name,alpha-3,region", *(f"{c},{c},{r}" for r, c in _COUNTRIES.items())]
    write_atomic(folder / "country_code_mapping.csv", "\n".join(mapping) + "\n")
    counts = {}
    for split in known.splits:
        made = known.read(folder, split)
        classes = len(np.unique(made.require_labels()))
        counts[split] = Expected(len(made), classes, source="miniature")
    mark_miniature(folder, known.name, counts, seed)


_LAYOUT = (
    "fmow_v1.1/",
    "  rgb_metadata.csv           split, img_path, category, country_code, timestamp, ...",
    "  country_code_mapping.csv   alpha-3, region, ...",
    "  images/rgb_img_<row>.png   row of rgb_metadata.csv, from 0",
)
_FOLDERS = ("fmow_v1.1", "wilds/fmow_v1.1", "data/fmow_v1.1")
_LICENCE = "FMoW Challenge Public License"
_CITATION = (
    'G. Christie, N. Fendley, J. Wilson, R. Mukherjee, "Functional Map of the World", CVPR 2018, '
    'arXiv 1711.07846; P. W. Koh et al., "WILDS: A Benchmark of in-the-Wild Distribution '
    'Shifts", ICML 2021, arXiv 2012.07421'
)
_HOME = "https://wilds.stanford.edu/datasets/#fmow"
_UNKNOWN = Expected(None, None, source="not confirmed: no source for the split sizes was at hand")
_SOURCE = "WILDS's list of 62 categories (fmow_dataset.py), which the copy's must be among"


def _prompt_names() -> dict[str, str]:
    """As WiSE-FT and FLYP put them into prompts: with their underscores."""
    return {name: name for name in categories()}


def _present(folder: Path) -> bool:
    return (folder / "rgb_metadata.csv").is_file() and (folder / "images").is_dir()


FMOW: KnownDataset = KnownDataset(
    name="fmow",
    title="WILDS-FMoW 1.1",
    summary="Satellite images of 224 x 224 pixels with 62 uses of land and buildings; training "
    "images are from before 2013, val from 2013 to 2015, test from 2016 on.",
    homepage=_HOME,
    citation=_CITATION,
    licence=_LICENCE,
    layout=_LAYOUT,
    folders=_FOLDERS,
    splits=dict.fromkeys(("train", "id_val", "id_test", "val", "test"), _UNKNOWN),
    default="test",
    metric="worst_group:region!Other",
    domain="ID",
    read=_read,
    inspect=lambda folder, full: _inspect(FMOW, folder, full),
    miniature=lambda folder, seed: _miniature(FMOW, folder, seed),
    control="fmow:id_test",
    class_source=_SOURCE,
    aliases=("wilds-fmow", "fmow-v1.1"),
    present=_present,
    roles={"train": "train", "val": "id_val", "test": "id_test"},
    shifts=("test",),
    prompt_names=_prompt_names,
    metrics=dict.fromkeys(("train", "id_val", "id_test"), "top1"),
    notes=(
        "Images whose country code has no region are in the region Other, which WILDS leaves out "
        "of the worst region.",
        "ID splits are scored by accuracy, val and test by the worst region, as papers do.",
    ),
)

FMOW_CONTINENTS: KnownDataset = KnownDataset(
    name="fmow-continents",
    title="FMoW by continent",
    summary="WILDS-FMoW until 2012, cut by region as LP-FT does: train on the Americas, ask in "
    "Africa and Europe.",
    homepage=_HOME,
    citation=_CITATION + "; split: A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang, "
    '"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR '
    "2022, arXiv 2202.10054",
    licence=_LICENCE,
    layout=_LAYOUT,
    folders=_FOLDERS,
    splits=dict.fromkeys(_CONTINENTS, _UNKNOWN),
    default="africa_val",
    metric="top1",
    domain="ID",
    read=_read_continent,
    inspect=lambda folder, full: _inspect(FMOW_CONTINENTS, folder, full),
    miniature=lambda folder, seed: _miniature(FMOW_CONTINENTS, folder, seed),
    control="fmow-continents:americas_val",
    class_source=_SOURCE,
    aliases=("fmow-by-continent",),
    present=_present,
    roles={"train": "americas_train", "val": "americas_val", "test": "americas_test"},
    shifts=("africa_val", "europe_val"),
    prompt_names=_prompt_names,
    notes=(
        "LP-FT's text says North America; its code takes WILDS's region Americas.",
        "not confirmed: which images LP-FT asks. Its code takes 'val' of a wilds whose version it "
        "does not say: ID validation up to 1.1, images of 2013 to 2015 from 1.2 on. Here val is ID "
        "validation.",
    ),
)
