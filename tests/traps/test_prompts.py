"""Names in prompts: from lists beside the data, metadata, WordNet; those that say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.data.prompts import read_names, says_nothing
from surefoot.data.specs import make_task

from .builders import folders, parquet, refusal, samples, shard, table

NUMBERS = {"0": 4, "1": 4, "2": 4}


@pytest.mark.parametrize("place", ["train/classnames.txt", "classnames.txt", "train/classes.txt"])
def test_a_list_beside_numbered_folders(tmp_path: Path, place: str) -> None:
    train = folders(tmp_path / "train", NUMBERS)
    (tmp_path / place).write_text("tabby cat\nfire truck\nbeagle\n")
    task = make_task(train=str(train))
    assert task.class_names == ("0", "1", "2")
    assert task.names_in_prompts == ("tabby cat", "fire truck", "beagle")


def test_a_list_beside_a_table_and_shards(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("tabby\ntruck\nbeagle\n")
    file = table(tmp_path / "t.csv", NUMBERS)
    assert make_task(train=str(file)).names_in_prompts == ("tabby", "truck", "beagle")
    tar = shard(tmp_path / "a.tar", samples(NUMBERS))
    assert make_task(train=f"wds:{tar}").names_in_prompts == ("tabby", "truck", "beagle")


def test_names_that_the_user_gives_go_first(tmp_path: Path) -> None:
    train = folders(tmp_path / "train", NUMBERS)
    (tmp_path / "classnames.txt").write_text("a\nb\nc\n")
    task = make_task(train=str(train), prompt_names={"1": "lorry"})
    assert task.names_in_prompts == ("0", "lorry", "2")


def test_wordnet_ids(tmp_path: Path) -> None:
    train = folders(tmp_path, {"n01440764": 4, "n02102040": 4})
    assert make_task(train=str(train)).names_in_prompts == ("tench", "English Springer Spaniel")


def test_class_labels_of_parquet(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", {"guinea_pig": 4, "cat": 4}, names=("guinea_pig", "cat"))
    assert make_task(train=str(file)).names_in_prompts == ("guinea pig", "cat")


@pytest.mark.parametrize("name", ["0", "12", "class_3", "label 4", "c7", "x", "Class-12"])
def test_names_that_say_nothing(name: str) -> None:
    assert says_nothing(name)


@pytest.mark.parametrize("name", ["cat", "7-eleven sign", "boeing 747", "x-ray"])
def test_names_that_say_something(name: str) -> None:
    assert not says_nothing(name)


def test_a_file_of_names(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("0: cat\n1: dog\n")
    assert read_names(tmp_path / "n.txt") == {"0": "cat", "1": "dog"}
    (tmp_path / "n.txt").write_text("0: cat\n0: dog\n")
    refusal("names a class twice", lambda: read_names(tmp_path / "n.txt"))


def test_a_file_of_other_classes(tmp_path: Path) -> None:
    train = str(folders(tmp_path, NUMBERS))
    refusal("7", lambda: make_task(train=train, prompt_names={"7": "cat"}))
    refusal("2 prompt names for 3", lambda: make_task(train=train, prompt_names=["a", "b"]))


def test_a_list_for_numbers_that_begin_with_one(tmp_path: Path) -> None:
    train = folders(tmp_path / "train", {"1": 4, "2": 4, "3": 4})
    (tmp_path / "classnames.txt").write_text("tabby cat\nfire truck\nbeagle\n")
    task = make_task(train=str(train))
    assert task.names_in_prompts == ("tabby cat", "fire truck", "beagle")


def test_a_list_that_is_too_short_names_nothing(tmp_path: Path) -> None:
    train = folders(tmp_path / "train", {"0": 4, "1": 4, "7": 4})
    (tmp_path / "classnames.txt").write_text("tabby cat\nfire truck\nbeagle\n")
    refusal("lists 3 classes, and there is a class 7", lambda: make_task(train=str(train)))
