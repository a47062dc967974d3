"""Every container gives the same split; written anew under its name it gives fresh features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from surefoot.features import extract
from surefoot.testing import check_source

from ..conftest import toy_model
from .builders import folders, parquet, read, samples, saved, shard, table

COUNTS = {"cat": 3, "dog": 2}


def as_folders(root: Path, counts: Mapping[str, int], start: int) -> str:
    return str(folders(root / "f", counts, start))


def as_csv(root: Path, counts: Mapping[str, int], start: int) -> str:
    return str(table(root / "t.csv", counts, start=start))


def as_parquet(root: Path, counts: Mapping[str, int], start: int) -> str:
    return str(parquet(root / "t.parquet", counts, start=start, names=sorted(counts)))


def as_hf(root: Path, counts: Mapping[str, int], start: int) -> str:
    return f"hf:{saved(root / f'hf{start}', {'train': counts}, start=start)}"


def as_wds(root: Path, counts: Mapping[str, int], start: int) -> str:
    return f"wds:{shard(root / 'a.tar', samples(counts, start))}"


CONTAINERS: dict[str, Callable[[Path, Mapping[str, int], int], str]] = {
    "folders": as_folders, "csv": as_csv, "parquet": as_parquet, "hf": as_hf, "wds": as_wds,
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTAINERS)
def test_the_same_images_are_the_same_split_in_every_container(tmp_path: Path, kind: str) -> None:
    split = read(CONTAINERS[kind](tmp_path, COUNTS, 0))
    plain = read(as_folders(tmp_path / "plain", COUNTS, 0))
    assert split.class_names == ("cat", "dog")
    assert split.manifest().content == plain.manifest().content


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_keeps_the_contract(tmp_path: Path, kind: str) -> None:
    check_source(CONTAINERS[kind](tmp_path, COUNTS, 0))


@pytest.mark.parametrize("kind", ["folders", "csv", "parquet", "wds", "hf"])
def test_written_anew_under_its_name_it_gives_fresh_features(tmp_path: Path, kind: str) -> None:
    model, cache = toy_model(), tmp_path / "cache"

    def features(start: int) -> np.ndarray:
        spec = CONTAINERS[kind](tmp_path, COUNTS, start)
        if kind == "hf":  # its Arrow files are mapped, so a folder takes the place of the other
            place = tmp_path / "hf"
            if place.exists():
                place.rename(tmp_path / "before")
            spec = f"hf:{Path(spec.removeprefix('hf:')).rename(place)}"
        return extract(model, read(spec), cache_dir=cache)

    first, second = features(0), features(50)
    plain = extract(model, read(as_folders(tmp_path / "plain", COUNTS, 50)))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(second, plain)
