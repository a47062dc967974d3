"""One class, a folder too high, splits in the place of classes: refused before any training."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.data.specs import make_task

from .builders import folders, parquet, read, refusal, samples, saved, shard, table
from .test_containers import CONTAINERS

TWO = {"cat": 3, "dog": 3}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_one_class_is_nothing_to_tell_apart(tmp_path: Path, kind: str) -> None:
    spec = CONTAINERS[kind](tmp_path, {"cat": 4}, 0)
    error = refusal("are of one class, 'cat'", lambda: make_task(train=spec))
    assert "a folder for each class" in error.fix


@pytest.mark.parametrize("kind", CONTAINERS)
def test_splits_are_no_classes(tmp_path: Path, kind: str) -> None:
    spec = CONTAINERS[kind](tmp_path, {"training_set": 2, "test_set": 2}, 0)
    refusal("are splits", lambda: read(spec))


def test_the_folder_above_the_class_folders(tmp_path: Path) -> None:
    folders(tmp_path / "photos" / "photos", TWO)
    error = refusal("holds one folder, 'photos'", lambda: read(tmp_path / "photos"))
    assert str(tmp_path / "photos" / "photos") in error.fix


@pytest.mark.parametrize("names", [("training_set", "test_set"), ("Train", "Valid"),
                                   ("train-images", "testing")])  # fmt: skip
def test_the_folder_above_the_splits(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        folders(tmp_path / name, TWO)
    error = refusal("are splits", lambda: read(tmp_path))
    assert str(tmp_path / names[0]) in error.fix or str(tmp_path / names[1]) in error.fix


def test_a_class_below_one_folder_of_further_images_is_a_class(tmp_path: Path) -> None:
    folders(tmp_path / "cat", {"indoor": 1, "outdoor": 1})
    folders(tmp_path, {"dog": 2})
    assert read(tmp_path).class_names == ("cat", "dog")


def test_folders_that_may_be_domains_are_said(tmp_path: Path) -> None:
    for domain in ("photo", "sketch"):
        folders(tmp_path / domain, TWO)
    split = read(tmp_path)
    assert split.class_names == ("photo", "sketch")
    assert any(n.startswith("WARNING: every folder") and "cat, dog" in n for n in split.notes)


def test_one_class_that_a_list_of_many_names(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", {"cat": 4}, names=("cat", "dog"))
    refusal("are of one class, 'cat'", lambda: make_task(train=str(file)))


def test_a_shift_of_one_class_is_scored(tmp_path: Path) -> None:
    shift = folders(tmp_path / "shift", {"cat": 2}, start=40)
    train = folders(tmp_path / "train", TWO)
    task = make_task(train=str(train), shifts={"one": str(shift)})
    [only] = task.shifts
    assert only.classes is None  # all classes count as answers
    assert len(only.split) == 2


def test_a_split_column_that_was_read_as_the_label(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"train": 2, "validation": 1})
    refusal("name the column of the classes", lambda: read(file))


def test_one_split_of_shards_and_of_a_saved_set_is_named(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", samples({"train": 1, "bus": 1}))
    assert read(f"wds:{file}").class_names == ("bus", "train")  # a class may be called train
    place = saved(tmp_path / "d", {"validation": TWO})
    refusal("no split that serves as train", lambda: read(f"hf:{place}"))
