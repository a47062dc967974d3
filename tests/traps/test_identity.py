"""Who an image is, and leaks: its content, whatever holds it and whatever it is called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.dataset import Shift, Task
from surefoot.data.overlap import shared_images
from surefoot.data.specs import make_task
from surefoot.errors import DataError
from surefoot.evals.evaluate import evaluate
from surefoot.features import extract
from surefoot.recipes.inventory import refused, seen_in_training, take_inventory
from surefoot.recipes.tasks import task_facts

from ..conftest import drawn_split, toy_model
from .builders import folders, parquet, read, refusal, samples, saved, shard, table
from .test_containers import CONTAINERS

TWO = {"cat": 4, "dog": 4}
EACH = {"cat": 1, "dog": 1, "bus": 1}


def test_one_saved_set_as_train_val_and_test(tmp_path: Path) -> None:
    place = f"hf:{saved(tmp_path / 'd', dict.fromkeys(('train', 'validation', 'test'), EACH))}"
    task = make_task(train=place, val=place, test=place, check=False)
    ids = {split.images.id(0) for split in (task.train, task.val, task.test)}
    assert ids == {"train/row0", "validation/row0", "test/row0"}
    assert not len(shared_images(task.train, task.test))
    [(_, score)] = evaluate(toy_model(), task, evaluator="knn", splits=["test"], k=1)
    assert score.value == 1.0  # the bank row of the same number is another image


def test_a_cache_keeps_the_splits_of_one_set_apart(tmp_path: Path) -> None:
    place = f"hf:{saved(tmp_path / 'd', {'train': EACH, 'test': EACH})}"
    model, cache = toy_model(), tmp_path / "cache"
    cached = [extract(model, read(place, use), cache_dir=cache) for use in ("train", "test")]
    assert not np.array_equal(*cached)
    plain = extract(model, read(place, "test"))
    np.testing.assert_array_equal(cached[1], plain)


def test_the_same_images_elsewhere_find_their_features_again(tmp_path: Path) -> None:
    model, cache = toy_model(), tmp_path / "cache"
    first = extract(model, read(folders(tmp_path / "f", TWO)), cache_dir=cache)
    found = extract(model, read(parquet(tmp_path / "t.parquet", TWO)), cache_dir=cache)
    np.testing.assert_array_equal(first, found)
    assert len(list(cache.glob("*.npy"))) == 1


@pytest.mark.parametrize("one", CONTAINERS)
@pytest.mark.parametrize("other", ["parquet", "wds"])
def test_a_leak_between_any_two_containers(tmp_path: Path, one: str, other: str) -> None:
    train = CONTAINERS[one](tmp_path / "a", TWO, 0) if (tmp_path / "a").mkdir() is None else ""
    (tmp_path / "b").mkdir()
    test = CONTAINERS[other](tmp_path / "b", TWO, 0)
    task = make_task(train=train, test=test, val_fraction=0.25)
    assert any("images of test are in train too" in note for note in task.notes)


def test_one_parquet_as_all_three(tmp_path: Path) -> None:
    file = str(parquet(tmp_path / "t.parquet", TWO))
    notes = [n for n in make_task(train=file, val=file, test=file).notes if " are in " in n]
    assert [n.startswith("WARNING: 8 of 8 images") for n in notes] == [True] * 3


def test_validation_that_is_the_test_is_refused_without_a_flag(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", TWO))
    other = str(shard(tmp_path / "a.tar", samples(TWO, 50)))
    task = make_task(train=train, val=f"wds:{other}", test=f"wds:{other}")
    [error] = refused(take_inventory(task))
    assert isinstance(error, DataError)
    assert "--chosen-on-test" in (error.fix or "")
    assert not refused(take_inventory(task), chosen_on_test=True)


def test_validation_that_is_a_shift_is_refused_too(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", TWO))
    other = str(table(tmp_path / "t.csv", TWO, start=50))
    task = make_task(train=train, val=other, shifts={"night": other})
    assert refused(take_inventory(task))


def test_a_copy_inside_a_split_is_left_out_of_its_own_neighbours(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 2, "dog": 2})
    (root / "cat" / "copy.png").write_bytes((root / "cat" / "0.png").read_bytes())
    split = read(root)
    assert len(np.unique(split.identities, axis=0)) == len(split) - 1


def test_an_encoded_anew_picture_is_another_image(tmp_path: Path) -> None:
    root = folders(tmp_path / "a", TWO)
    train = read(root)
    other = folders(tmp_path / "b", {"cat": 1, "dog": 1})
    train.images[0].save(other / "cat" / "0.png", compress_level=1)
    assert (
        len(shared_images(train, read(other))) == 1
    )  # dog's file is the same, cat's bytes are not


def begun(root: Path, task: Task) -> str:
    """A run's folder as far as its records of the data go."""
    root.mkdir()
    (root / "run.json").write_text(json.dumps({"status": "finished", "task": task_facts(task)}))
    return str(root)


def test_a_run_that_is_scored_on_what_it_was_trained_on(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", TWO))
    test = str(folders(tmp_path / "test", TWO, start=50))
    more = {"val": str(folders(tmp_path / "val", TWO, start=90)), "test": test}
    run = begun(tmp_path / "run", make_task(train=train, **more))
    [note] = seen_in_training(run, make_task(train=test, val=more["val"], test=train))
    assert note == f"WARNING: test is what {run} was trained on: its score is too high"
    assert note.kind == "warning"
    said = seen_in_training(f"{run}/end.safetensors", make_task(train=train))
    assert [n.split(" is a part of ")[0] for n in said] == ["WARNING: val", "WARNING: test"]
    assert seen_in_training(run, make_task(train=train, **more)) == []
    assert seen_in_training("tiny-clip", make_task(train=train)) == []


def test_what_a_run_cut_off_for_itself_is_no_leak(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", TWO))
    run = begun(tmp_path / "run", make_task(train=train))
    assert seen_in_training(run, make_task(train=train)) == []


@pytest.mark.parametrize(("one", "other"), [("a b", "a_b"), ("Night", "night"), ("a/b", "a:b")])
def test_two_shifts_that_would_share_a_file_are_refused(one: str, other: str) -> None:
    def task() -> Task:
        split = drawn_split("train", 6, 0, use="train")
        shifts = tuple(Shift(n, drawn_split(n, 6, 1, domain="OOD")) for n in (one, other))
        return Task("t", split, split, split, shifts, split.class_names)

    refusal("would share one file of predictions", task)


def test_one_image_under_two_classes_is_said(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 4, "dog": 4})
    (root / "dog" / "same.png").write_bytes((root / "cat" / "0.png").read_bytes())
    test = folders(tmp_path.parent / f"{tmp_path.name}-t", TWO, 70)
    found = take_inventory(
        make_task(
            train=str(root),
            test=str(test),
            val=str(folders(tmp_path.parent / f"{tmp_path.name}-v", TWO, 90)),
        )
    )
    [said] = [n for s in found.splits for n in s.notes if "of two classes" in n]
    assert said.kind == "warning"
    assert (
        "train: 1 image is of two classes or more (cat/0.png as cat, dog/same.png as dog)" in said
    )


def test_one_row_twice_is_no_contradiction(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 4, "dog": 4})
    (root / "cat" / "same.png").write_bytes((root / "cat" / "0.png").read_bytes())
    found = take_inventory(make_task(train=str(root), val_fraction=0.25))
    assert not [n for s in found.splits for n in s.notes if "of two classes" in n]


def test_classes_that_differ_in_case_alone_are_said(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat": 4, "Cat": 4, "dog": 4})
    [said] = [n for n in read(file).notes if "differ in case" in n]
    assert "Cat, cat" in said
    assert said.startswith("WARNING")


def test_a_class_that_is_a_missing_label_as_text_is_said(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat": 4, "nan": 2, "dog": 4})
    assert any("'nan'" in n and n.startswith("WARNING") for n in read(file).notes)
    assert not [n for n in read(table(tmp_path / "u.csv", TWO)).notes if "WARNING" in n]
