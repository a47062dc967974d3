"""Specs as typed, joined into a task."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from surefoot.data.source import read_split
from surefoot.data.specs import make_task
from surefoot.errors import BadImages, ClassMismatch, DataError, UnknownName

from .pictures import encoded, folder

CLASSES = {"ant": 12, "bee": 10}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder(tmp_path / "train", CLASSES)
    folder(tmp_path / "test", {"ant": 4, "bee": 4}, start=100)
    folder(tmp_path / "shift", {"ant": 3, "bee": 3}, start=200)
    return tmp_path


def test_train_test_and_shift(place: Path) -> None:
    task = make_task(train=place / "train", test=str(place / "test"),
                     shifts={"drawn": str(place / "shift")}, metric="macro_f1")  # fmt: skip
    assert task.class_names == ("ant", "bee")
    assert (len(task.train), len(task.val), len(task.test)) == (20, 2, 8)
    assert (task.train.use, task.val.use, task.test.use) == ("train", "val", "test")
    assert [(s.name, s.metric, s.split.domain) for s in task.shifts] == [
        ("drawn", "macro_f1", "OOD")
    ]
    assert task.metric == "macro_f1"
    assert task.templates == ("a photo of a {}.",)
    assert any("no val set was given: 2 of 22 images" in note for note in task.notes)
    assert task.name == place.name  # of the folder that train/ lies in


def test_the_seed_decides_the_cut(place: Path) -> None:
    def val(seed: int) -> set[str]:
        task = make_task(train=place / "train", test=place / "test", seed=seed, val_fraction=0.3)
        return {task.val.images.id(i) for i in range(len(task.val))}

    assert val(1) == val(1)
    assert len({frozenset(val(s)) for s in range(6)}) > 1


def test_train_alone_gets_everything_else(place: Path) -> None:
    task = make_task(train=place / "train")
    assert (len(task.train), len(task.val), len(task.test)) == (18, 2, 2)
    names = [{s.images.id(i) for i in range(len(s))} for s in (task.train, task.val, task.test)]
    assert len(set.union(*names)) == 22
    assert all(s.split.synthetic and s.name.endswith("(synthetic)") for s in task.shifts)
    assert len(task.shifts) == 5
    said = " ".join(task.notes)
    for fact in ("no test set was given", "no val set was given", "no shifted set was given"):
        assert fact in said


def test_own_validation(place: Path) -> None:
    folder(place / "val", {"bee": 2}, start=300)
    task = make_task(train=place / "train", test=place / "test", val=place / "val",
                     shifts={"s": place / "shift"})  # fmt: skip
    assert len(task.train) == 22
    assert task.val.labels.tolist() == [1, 1]
    (note,) = task.notes
    assert "taken as independent" in note


def test_class_folders_that_differ(place: Path) -> None:
    folder(place / "other", {"ant": 2, "wasp": 2}, start=400)
    with pytest.raises(ClassMismatch, match=r"'s' has 1 class that the task .*wasp") as caught:
        make_task(train=place / "train", test=place / "test", shifts={"s": place / "other"})
    assert "class map" in caught.value.fix
    for role in ("test", "val"):
        with pytest.raises(ClassMismatch, match="does not have: wasp"):
            make_task(**{"train": place / "train", "test": place / "test", role: place / "other"})


def test_a_class_map_joins_them(place: Path) -> None:
    folder(place / "other", {"black_ant": 2, "red_ant": 1, "spider": 2}, start=400)
    (place / "map.yaml").write_text("black_ant: ant\nred_ant: ant\n")
    task = make_task(train=place / "train", test=place / "test", shifts={"s": place / "other"},
                     class_maps={"s": place / "map.yaml"})  # fmt: skip
    shift = task.shifts[0]
    assert shift.split.labels.tolist() == [0, 0, 0]
    assert shift.classes == (0,)
    assert "2 images of classes outside the class map" in shift.split.notes[-1]
    (place / "map.yaml").write_text("black_ant: wasp\n")
    with pytest.raises(ClassMismatch, match="leads to 'wasp'"):
        make_task(train=place / "train", test=place / "test", shifts={"s": place / "other"},
                  class_maps={"s": place / "map.yaml"})  # fmt: skip
    with pytest.raises(UnknownName, match="no shift named 'z'"):
        make_task(train=place / "train", shifts={"s": place / "other"},
                  class_maps={"z": place / "map.yaml"})  # fmt: skip


def test_an_empty_class_stops_the_run(place: Path) -> None:
    (place / "train" / "cat").mkdir()
    with pytest.raises(DataError, match="class folder 'cat'"):
        make_task(train=place / "train")


def test_bad_images_stop_the_run_unless_skipped(place: Path) -> None:
    (place / "shift" / "ant" / "x.png").write_bytes(b"broken")
    specs = {"train": place / "train", "test": place / "test", "shifts": {"s": place / "shift"}}
    with pytest.raises(BadImages, match=r"ant/x.png: not an image"):
        make_task(**specs)
    task = make_task(**specs, skip_bad=True)
    assert len(task.shifts[0].split) == 6
    assert "1 of 7 images cannot be decoded" in task.shifts[0].split.notes[-1]
    assert len(make_task(**specs, check=False).shifts[0].split) == 7
    with pytest.raises(BadImages):
        make_task(**specs, check="quick")


def test_bad_images_of_all_splits_come_in_one_error(place: Path) -> None:
    folder(place / "val", {"ant": 2, "bee": 2}, start=300)
    torn = encoded(7, "JPEG", (64, 64))[:-60]
    for i in range(9):
        (place / "train" / "ant" / f"t{i}.png").write_bytes(b"")
    (place / "val" / "bee" / "v.png").write_bytes(b"<html>404</html>")
    (place / "test" / "bee" / "u.jpg").write_bytes(torn)
    for i in range(2):
        (place / "shift" / "ant" / f"s{i}.jpg").write_bytes(torn)
    seen: list[tuple[int, int]] = []
    specs = {"train": place / "train", "val": place / "val", "test": place / "test",
             "shifts": {"night": place / "shift", "fog": place / "shift"}}  # fmt: skip
    with pytest.raises(BadImages) as caught:
        make_task(**specs, progress=lambda i, n: seen.append((i, n)))
    lines = caught.value.wrong.splitlines()
    assert lines[0] == "13 files of 4 splits cannot be used as images:"
    assert lines[1:] == [
        f"  9 files of train, {place / 'train'}:",
        *(f"    ant/t{i}.png: the file is empty" for i in range(7)),
        "    ... and 2 more",
        f"  1 file of test, {place / 'test'}:",
        "    bee/u.jpg: truncated",
        f"  1 file of val, {place / 'val'}:",
        "    bee/v.png: not an image",
        f"  2 files of night and fog, {place / 'shift'}:",  # one folder, counted once
        "    ant/s0.jpg: truncated",
        "    ant/s1.jpg: truncated",
    ]
    assert len(caught.value.bad) == 13
    assert "--skip-bad" in caught.value.fix
    assert "`surefoot check`" in caught.value.fix
    assert [n for _, n in seen] == [31, 9, 5, 8, 8]  # every split was looked at
    task = make_task(**specs, skip_bad=True)
    assert [len(s) for s in (task.train, task.val, task.test)] == [22, 4, 8]
    assert [len(s.split) for s in task.shifts] == [6, 6]


def test_missing_files_are_told_with_broken_ones(place: Path) -> None:
    rows = [f"train/{c}/{i}.png,{c}" for c in CLASSES for i in range(4)]
    (place / "t.csv").write_text("\n".join(["path,label", *rows, "gone.png,ant"]))
    (place / "train" / "ant" / "2.png").write_bytes(b"")
    (place / "shift" / "bee" / "s.png").write_bytes(b"")
    specs = {"train": place / "t.csv", "test": place / "test", "shifts": {"s": place / "shift"}}
    with pytest.raises(BadImages, match="3 files of 2 splits") as caught:
        make_task(**specs)
    assert caught.value.bad == (
        ("gone.png", "the file is missing"),
        ("train/ant/2.png", "the file is empty"),
        ("bee/s.png", "the file is empty"),
    )
    assert f"2 files of train, {place / 't.csv'} (paths start from" in caught.value.wrong
    # A class of which nothing is there is missing files, not another class.
    (place / "t.csv").write_text("\n".join(["path,label", *rows[:4], *rows[5:], "gone.png,wasp"]))
    (place / "test" / "wasp").mkdir()
    (place / "test" / "wasp" / "w.png").write_bytes(encoded(1))
    with pytest.raises(BadImages, match=r"gone\.png: the file is missing"):
        make_task(**specs)


def test_wrong_classes_are_told_before_images_are_decoded(place: Path) -> None:
    (place / "train" / "ant" / "x.png").write_bytes(b"")
    folder(place / "other", {"wasp": 2}, start=400)
    seen: list[tuple[int, int]] = []
    with pytest.raises(ClassMismatch, match="wasp"):
        make_task(train=place / "train", test=place / "test", shifts={"s": place / "other"},
                  progress=lambda i, n: seen.append((i, n)))  # fmt: skip
    assert not seen


def test_images_in_train_and_test_are_reported(place: Path) -> None:
    shutil.copy(place / "train" / "ant" / "0.png", place / "test" / "bee" / "copy.png")
    (place / "test" / "bee" / "other.png").write_bytes(encoded(999))
    task = make_task(train=place / "train", test=place / "test", shifts={"s": place / "train"})
    warnings = [n for n in task.notes if n.startswith("WARNING")]
    # The validation part was cut out of train first: what it took is no training image.
    shared = [n for n in warnings if "of test" in n]
    kept = {task.train.images.id(i) for i in range(len(task.train))}
    assert len(shared) == (1 if "ant/0.png" in kept else 0)
    assert any(f"{len(task.train)} of 22 images of s are in train too" in n for n in warnings)


def test_equal_sizes_are_no_equal_files(tmp_path: Path) -> None:
    folder(tmp_path / "a", {"x": 2, "y": 2})
    for i, name in enumerate(("train", "test")):
        for c in "xy":
            (tmp_path / name / c).mkdir(parents=True)
            for k in range(3):  # same size, same beginning, another end
                tail = bytes([i, k, ord(c)])
                data = encoded(0) + b"\0" * 5000 + tail
                (tmp_path / name / c / f"{k}.png").write_bytes(data)
    task = make_task(train=tmp_path / "train", test=tmp_path / "test")
    assert not [n for n in task.notes if n.startswith("WARNING")]


def test_a_table_with_a_split_column_is_a_whole_task(place: Path) -> None:
    lines = ["path,label,split"]
    for part in ("train", "test"):
        for c in CLASSES:
            lines += [f"{part}/{c}/{i}.png,{c},{part}" for i in range(4)]
    (place / "t.csv").write_text("\n".join(lines))
    for test in (f"{place / 't.csv'}", f"{place / 't.csv'}:split=test"):
        task = make_task(train=f"{place / 't.csv'}:split=train", test=test)
        assert (len(task.train), len(task.test)) == (6, 8)
        assert task.test.images.id(0).startswith("test/")
    assert task.name == "t"


def test_captions_alone_are_no_classes(place: Path) -> None:
    (place / "c.csv").write_text("path,caption\ntrain/ant/0.png,an ant\n")
    with pytest.raises(DataError, match="captions but no labels"):
        make_task(train=place / "c.csv")


def test_prompt_names_and_templates(place: Path) -> None:
    facts = {"train": place / "train", "test": place / "test"}
    assert make_task(**facts, prompt_names={"ant": "red ant"}).names_in_prompts == (
        "red ant",
        "bee",
    )
    assert make_task(**facts, prompt_names=["a", "b"]).names_in_prompts == ("a", "b")
    assert make_task(**facts, templates=["{}!"]).templates == ("{}!",)
    with pytest.raises(UnknownName, match="Did you mean 'ant'"):
        make_task(**facts, prompt_names={"amt": "x"})
    with pytest.raises(DataError, match="1 prompt names for 2 classes"):
        make_task(**facts, prompt_names=["a"])
    with pytest.raises(DataError, match="2 places"):
        make_task(**facts, templates=["{} {}"])


def test_what_is_not_there_lists_what_is_accepted(place: Path) -> None:
    with pytest.raises(DataError, match="given as train, does not exist") as caught:
        make_task(train=place / "trian")
    assert "train'" in caught.value.wrong
    for fact in ("class: DIR/cat", "FILE.csv", "hf:", "wds:", "pictograms:DOMAIN"):
        assert fact in caught.value.expected
    with pytest.raises(DataError, match="did you mean 'pictograms'"):
        make_task(train="pictogrm")
    (place / "x.txt").write_text("")
    with pytest.raises(DataError, match="is no folder and no table"):
        make_task(train=place / "x.txt")


def test_other_kinds_by_their_spec(place: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({
        "image": [{"bytes": encoded(i), "path": None} for i in range(4)], "label": list("abab"),
    }).cast_column("image", datasets.Image())  # fmt: skip
    datasets.DatasetDict({"extra": made, "train": made}).save_to_disk(place / "d")
    facts = {"name": "x", "domain": "ID", "use": "train"}
    for spec in (f"hf:{place / 'd'}", f"hf:{place / 'd'}:extra", place / "d"):
        assert read_split(spec, **facts).class_names == ("a", "b")
    with pytest.raises(DataError, match="no split 'etra'"):
        read_split(f"hf:{place / 'd'}:etra", **facts)
    with pytest.raises(DataError, match="no shard matches"):
        read_split(f"wds:{place}/s-*.tar", **facts)
