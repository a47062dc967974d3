"""Folders of class folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.data.folder import from_folder
from surefoot.errors import ClassMismatch, DataError

from .pictures import encoded, folder


def read(path: Path, **options: object):
    return from_folder(path, name="train", domain="ID", use="train", **options)


def test_classes_and_labels(tmp_path: Path) -> None:
    split = read(folder(tmp_path, {"dog": 2, "cat": 3}))
    assert split.class_names == ("cat", "dog")
    assert split.labels.tolist() == [0, 0, 0, 1, 1]
    assert [split.images.id(i) for i in range(5)] == [
        "cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png",
    ]  # fmt: skip
    assert split.images[4].size == (8, 8)


def test_numbered_folders_sort_as_numbers(tmp_path: Path) -> None:
    assert read(folder(tmp_path, {"10": 1, "2": 1, "0": 1})).class_names == ("0", "2", "10")


def test_nested_images_hidden_files_and_other_files(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 1, ".cache": 1})
    (tmp_path / "cat" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "cat" / "deep" / "er" / "x.JPG").write_bytes(encoded(9, "JPEG"))
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"")
    (tmp_path / "cat" / "notes.txt").write_text("hello")
    (tmp_path / "stray.png").write_bytes(encoded())
    split = read(tmp_path)
    assert split.class_names == ("cat",)
    assert [split.images.id(i) for i in range(2)] == ["cat/0.png", "cat/deep/er/x.JPG"]
    assert len(split) == 2
    said = " ".join(split.notes)
    assert "1 image beside the class folders is ignored" in said
    assert "1 file that is no image is ignored (cat/notes.txt)" in said


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 2})
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")
    assert len(read(tmp_path)) == 2


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 1, "dog": 0})
    with pytest.raises(DataError, match=r"class folder 'dog' .* holds no images"):
        read(tmp_path)


def test_a_missing_folder_says_where_it_looked_and_what_it_wants(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        read(tmp_path / "nope")
    assert str(tmp_path / "nope") in str(caught.value)
    assert "one folder of images per class" in str(caught.value)


def test_images_without_class_folders(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    with pytest.raises(DataError, match="holds 1 images but no class folders") as caught:
        read(tmp_path)
    assert "table" in caught.value.fix


def test_an_empty_folder_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file, not a folder"):
        read(tmp_path / "file")


def test_one_level_too_high(tmp_path: Path) -> None:
    folder(tmp_path / "train", {"cat": 1})
    folder(tmp_path / "test", {"cat": 1})
    with pytest.raises(DataError, match="are splits") as caught:
        read(tmp_path)
    assert str(tmp_path / "train") in caught.value.fix


def test_one_level_too_high_with_shifted_sets_beside(tmp_path: Path) -> None:
    for name in ("train", "test", "night", "fog"):
        folder(tmp_path / name, {"cat": 1, "dog": 1})
    with pytest.raises(DataError, match="are splits") as caught:
        read(tmp_path)
    assert str(tmp_path / "train") in caught.value.fix


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder(tmp_path, {"train": 1, "bus": 1})
    folder(tmp_path / "train", {"steam": 1})  # images may lie deeper
    assert read(tmp_path).class_names == ("bus", "train")


def test_the_order_of_the_training_set_rules(tmp_path: Path) -> None:
    split = read(folder(tmp_path, {"a": 1, "c": 1}), class_names=("c", "b", "a"))
    assert split.class_names == ("c", "b", "a")
    assert split.labels.tolist() == [2, 0]
    with pytest.raises(ClassMismatch, match="does not have: c"):
        read(tmp_path, class_names=("a", "b"))
