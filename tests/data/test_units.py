"""Which images hang together: named by a column or by a level of folders, the same everywhere."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data.check_folder import check_folder
from surefoot.data.dataset import Split
from surefoot.data.specs import make_task
from surefoot.data.splitting import cut
from surefoot.data.units import with_unit
from surefoot.errors import DataError
from surefoot.recipes.recipe import DataSpec, parse_recipe

from .pictures import encoded, folder, split_of


def patients(root: Path, counts: dict[str, dict[str, int]], start: int = 0) -> Path:
    """DIR/CLASS/PATIENT/N.png."""
    for name, own in counts.items():
        for patient, count in own.items():
            (root / name / patient).mkdir(parents=True)
            for i in range(count):
                start += 1
                (root / name / patient / f"{i}.png").write_bytes(encoded(start))
    return root


def table(file: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A CSV of path, label, patient beside its images."""
    for i, (path, _, _) in enumerate(rows):
        (file.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (file.parent / path).write_bytes(encoded(i))
    with open(file, "w", newline="") as opened:
        csv.writer(opened).writerows([("path", "label", "patient"), *rows])
    return file


@pytest.fixture
def place(tmp_path: Path) -> Path:
    eight = {f"p{i}": 3 for i in range(8)}
    patients(tmp_path / "train", {"ant": eight, "bee": eight})
    patients(tmp_path / "test", {"ant": {"p8": 2, "p9": 1}, "bee": {"p9": 2}}, start=100)
    patients(tmp_path / "night", {"ant": {"p9": 3}, "bee": {"p11": 2}}, start=200)
    return tmp_path


def test_a_level_of_folders_is_one_unit_wherever_it_lies(place: Path) -> None:
    task = make_task(train=place / "train", test=place / "test", unit="folder:1",
                     shifts={"night": place / "night"})  # fmt: skip
    scored = {name: s.split for name, s in task.scored().items()}
    assert {s.unit for s in scored.values()} == {"folder:1"}
    assert scored["test"].metadata["folder:1"].tolist() == ["p8", "p8", "p9", "p9", "p9"]
    assert scored["night"].metadata["folder:1"].tolist() == ["p9"] * 3 + ["p11"] * 2
    assert not any("taken as independent" in note for note in task.notes)
    with pytest.raises(DataError, match=r"folder:2 .* is the class of each image"):
        with_unit(task.test, "folder:2")


def test_nobody_is_on_both_sides_of_a_cut(place: Path) -> None:
    task = make_task(train=place / "train", unit="folder:1", val_fraction=0.25)
    sides = [set(s.metadata["folder:1"].tolist()) for s in (task.train, task.val, task.test)]
    assert all(sides)
    assert set.union(*sides) == {f"p{i}" for i in range(8)}
    assert sum(map(len, sides)) == 8
    assert "no folder:1 on both sides" in task.val.notes[-1]
    assert {s.split.unit for s in task.shifts} == {"folder:1"}  # corruptions of the test


@given(st.integers(0, 200), st.floats(0.1, 0.5))
@settings(max_examples=30, deadline=None)
def test_whole_units_meet_the_share_of_every_class(seed: int, fraction: float) -> None:
    rng = np.random.default_rng(seed)
    labels, who = rng.integers(0, 3, 600), rng.integers(0, 100, 600)
    split = replace(split_of([0, 1, 2] * 200), labels=labels, metadata={"who": who}, unit="who")
    rest, part = cut(split, fraction, seed)
    assert not set(rest.metadata["who"].tolist()) & set(part.metadata["who"].tolist())
    shares = np.bincount(part.require_labels(), minlength=3) / np.bincount(labels)
    assert np.abs(shares - fraction).max() < 0.1
    again = cut(split, fraction, seed)[1]
    assert part.metadata["who"].tolist() == again.metadata["who"].tolist()


def test_too_few_units_to_cut(place: Path) -> None:
    lone = patients(place / "lone", {c: {"p1": 3, "p2": 3} for c in ("ant", "bee")}, start=300)
    with pytest.raises(DataError, match="without cutting through a folder:1: it has 2"):
        make_task(train=lone, unit="folder:1")


def test_a_column_of_a_table(tmp_path: Path) -> None:
    rows = [(f"{c}/{i}.png", c, f"p{i // 2}") for c in ("ant", "bee") for i in range(8)]
    file = table(tmp_path / "all.csv", rows)
    task = make_task(train=file, test=file, val=file, unit="patient", check=False)
    assert task.test.unit == "patient"
    assert task.test.metadata["patient"].tolist() == [r[2] for r in rows]


WRONG = [
    ("pateint", r"no column 'pateint'.*is it 'patient'\?"),
    ("folder:3", "lie 1 deep: there is no folder:3"),
    ("folder:1", "folder:1 .* is the class of each image"),
]


@pytest.mark.parametrize(("unit", "words"), WRONG)
def test_a_wrong_unit_of_a_table(tmp_path: Path, unit: str, words: str) -> None:
    rows = [(f"{c}/{i}.png", c, "p1") for c in ("ant", "bee") for i in range(4)]
    file = table(tmp_path / "all.csv", rows)
    with pytest.raises(DataError, match=words):
        make_task(train=file, test=file, val=file, unit=unit)
    assert any(words.split()[0] in problem for problem in check_folder(file, unit=unit))


def test_rows_without_a_value_are_named(tmp_path: Path) -> None:
    rows = [(f"{c}/{i}.png", c, "" if i == 2 else "p1") for c in ("ant", "bee") for i in range(4)]
    file = table(tmp_path / "all.csv", rows)
    with pytest.raises(DataError, match=r"2 of 8 images .* no value .*ant/2.png, bee/2.png"):
        make_task(train=file, test=file, val=file, unit="patient")
    empty = table(tmp_path / "none.csv", [(p, c, " ") for p, c, _ in rows])
    with pytest.raises(DataError, match=r"column 'patient' .* is empty"):
        make_task(train=empty, test=empty, val=empty, unit="patient")


@pytest.mark.parametrize("column", [
    np.array([1.0, np.nan]), np.array(["a", ""]), np.array(["a", None], dtype=object),
    np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
])  # fmt: skip
def test_a_value_may_be_missing_in_any_type(column: np.ndarray) -> None:
    split = replace(split_of([0, 1]), metadata={"who": column})
    with pytest.raises(DataError, match="1 of 2 images"):
        with_unit(split, "who")


def test_some_images_lie_higher_than_the_level(tmp_path: Path) -> None:
    root = patients(tmp_path / "data", {"ant": {"p1": 2, "p2": 2}})
    folder(tmp_path / "data", {"bee": 3}, start=50)
    with pytest.raises(DataError, match=r"3 of \d images .* no value .*level 'folder:2'"):
        make_task(train=root, test=root, val=root, unit="folder:2")


def test_a_folder_of_classes_has_no_columns(place: Path) -> None:
    with pytest.raises(DataError, match="has no column 'patient'") as caught:
        make_task(train=place / "train", unit="patient")
    assert "folder:1" in str(caught.value)


def test_without_a_unit_the_assumption_is_said(place: Path) -> None:
    task = make_task(train=place / "train", test=place / "test", shifts={"night": place / "night"})
    (note,) = [n for n in task.notes if "taken as independent" in n]
    assert "val, test, night" in note
    assert "--unit" in note


def test_a_set_that_brings_its_own_keeps_it() -> None:
    split = replace(split_of([0, 0, 1, 1]), metadata={"location": np.array([1, 1, 2, 3])},
                    unit="location")  # fmt: skip
    assert with_unit(split, "patient").unit == "location"
    assert with_unit(split, "location") is not None
    with pytest.raises(DataError, match=r"the unit 'patient' of the split .* is no column"):
        replace(split, unit="patient")


def test_a_recipe_names_its_unit() -> None:
    plain = {"model": "tiny-clip", "methods": ["ft"], "data": {"train": "x"}}
    without = parse_recipe(plain)
    assert "unit" not in without.to_dict()["data"]  # the hash of recipes of before
    named = parse_recipe({**plain, "data": {"train": "x", "unit": "folder:2"}})
    assert parse_recipe(named.to_dict()).spec.data.unit == "folder:2"
    assert named.hash() != without.hash()
    for wrong in ("folder:0", "folder:", "folder:x", " "):
        with pytest.raises(ValueError, match="names no unit"):
            DataSpec(train="x", unit=wrong)


def test_labels_of_numbers_are_units_too() -> None:
    split: Split = replace(split_of([0, 0, 1, 1]), metadata={"who": np.array([7, 7, 8, 9])})
    assert with_unit(split, "who").unit == "who"
