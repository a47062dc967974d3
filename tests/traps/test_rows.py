"""Rows, files and members that are no part of a split: counted and said, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from surefoot.data.check import require_good

from .builders import (
    coded,
    folders,
    left_out,
    parquet,
    read,
    refusal,
    rows,
    samples,
    saved,
    shard,
    table,
)

SPELLINGS = ("train", "Train", "training", "training_set", "TRAIN", "train_set")


def test_every_spelling_of_a_split_is_taken(tmp_path: Path) -> None:
    split = [*SPELLINGS, *SPELLINGS, "test", "Test_Set", "testing", "val", "dev", "valid"]
    file = table(tmp_path / "t.csv", {"cat": 9, "dog": 9}, more={"split": split})
    assert [len(read(file, use)) for use in ("train", "val", "test")] == [12, 3, 3]
    assert [left_out(read(file, use)) for use in ("train", "val", "test")] == [6, 15, 15]
    assert any("12 of 18" in note for note in read(file).notes)


def test_a_split_that_nothing_is_called_after_is_refused(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat": 2}, more={"split": ["test", "val"]})
    refusal("no split that serves as train", lambda: read(file))


def test_a_column_split_of_other_words_leaves_nothing_out(tmp_path: Path) -> None:
    split = read(table(tmp_path / "t.csv", {"cat": 2}, more={"split": ["a", "b"]}))
    assert (len(split), left_out(split)) == (2, 0)
    assert any("names no train, val or test" in note for note in split.notes)


def test_a_filter_counts_what_it_leaves_out(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat": 3, "dog": 1}, more={"site": ["x", "x", "y", "y"]})
    split = read(f"{file}:site=x")
    assert (len(split), left_out(split)) == (2, 2)


def test_rows_without_a_file_are_counted_where_they_are_left_out(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat": 2, "dog": 1})
    (tmp_path / "pictures" / "0_1.png").unlink()
    refusal("0_1.png: the file is missing", lambda: read(file))
    split = read(file, skip_missing=True)
    assert (len(split), left_out(split)) == (2, 1)


def test_files_that_are_no_images_are_counted(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 2, "dog": 1})
    (root / "cat" / "notes.txt").write_text("x")
    (root / "dog" / "raw.NEF").write_text("x")
    (root / "cover.png").write_bytes(rows({"cat": 1})[0][1])
    split = read(root)
    assert (len(split), left_out(split)) == (3, 3)


def test_a_member_with_a_further_dot_is_read_as_webdataset_does(tmp_path: Path) -> None:
    (_, red), (_, blue) = rows({"cat": 1, "dog": 1})
    file = shard(tmp_path / "a.tar", [("2.0.png", red), ("2.0.cls", b"0"), ("3.png", blue),
                                      ("3.cls", b"1")])  # fmt: skip
    split = read(f"wds:{file}")
    assert split.labels is not None
    assert split.labels.tolist() == [0, 1]
    assert split.images.id(0) == "a.tar/2"  # the key ends at the first dot


def test_two_images_of_one_key_are_refused(tmp_path: Path) -> None:
    (_, red), (_, blue) = rows({"cat": 1, "dog": 1})
    file = shard(tmp_path / "a.tar", [("2.0.png", red), ("2.0.cls", b"0"), ("2.5.png", blue),
                                      ("2.5.cls", b"1")])  # fmt: skip
    refusal("has several pictures: 0.png, 5.png", lambda: read(f"wds:{file}"))


def test_labels_after_all_pictures_are_refused_for_that(tmp_path: Path) -> None:
    members = samples({"cat": 2, "dog": 2})
    members.sort(key=lambda member: member[0].endswith(".cls"))
    file = shard(tmp_path / "a.tar", members)
    error = refusal("4 samples of", lambda: read(f"wds:{file}"))
    assert "lie apart from the picture" in error.wrong
    assert "tar --sort=name" in error.fix


def test_samples_without_a_picture_and_odd_members_are_counted(tmp_path: Path) -> None:
    found = rows({"cat": 1})[0][1]
    file = shard(tmp_path / "a.tar", [*samples({"cat": 2}), ("lost.txt", b"x"), ("README", b"x"),
                                      ("9.jpg", found), ("9.seg.png", found), ("9.cls", b"cat"),
                                      ("__meta.json", b"{}")])  # fmt: skip
    split = read(f"wds:{file}")
    assert (len(split), left_out(split)) == (3, 3)
    assert any("1 further picture beside the one of its sample" in note for note in split.notes)


@pytest.mark.parametrize("place", ["test/classnames.txt", "classnames.txt", "test/classes.txt"])
def test_the_list_of_classes_beside_shards(tmp_path: Path, place: str) -> None:
    file = shard(tmp_path / "test" / "0.tar", samples({"0": 1, "2": 1}))
    (tmp_path / place).write_text("\ufefftabby\ncamel\nbeagle\n", encoding="utf-8")
    split = read(f"wds:{file}")
    assert split.labels is not None
    assert split.class_names == ("tabby", "camel", "beagle")
    assert split.labels.tolist() == [0, 2]


def test_class_names_in_the_metadata_of_parquet(tmp_path: Path) -> None:
    split = read(parquet(tmp_path / "t.parquet", {"dog": 2, "cat": 1}, names=("dog", "cat", "cow")))
    assert split.labels is not None
    assert split.class_names == ("dog", "cat", "cow")
    assert split.labels.tolist() == [0, 0, 1]


def test_a_hidden_label_in_parquet_is_missing(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", {"cat": 2}, names=("cat",), labels=[0, -1])
    refusal("1 row of", lambda: read(file))


def test_validation_in_the_place_of_a_test_is_said(tmp_path: Path) -> None:
    place = saved(tmp_path / "d", {"train": {"cat": 1, "dog": 1}, "validation": {"cat": 1}})
    split = read(f"hf:{place}", "test")
    assert any("validation serves as test" in note for note in split.notes)


def two_pictures(folder: Path, names: tuple[str, str]) -> Path:
    """A saved data set of two image columns: black ones first."""
    datasets = pytest.importorskip("datasets")
    black = coded(Image.new("RGB", (16, 16)))
    found = rows({"cat": 2, "dog": 1})
    columns = {names[0]: [{"bytes": black, "path": None}] * 3,
               names[1]: [{"bytes": d, "path": None} for _, d in found],
               "label": [k for k, _ in found]}  # fmt: skip
    kinds = {**dict.fromkeys(names, datasets.Image()), "label": datasets.Value("string")}
    made = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
    datasets.DatasetDict({"train": made}).save_to_disk(folder)
    return folder


def test_a_mask_before_the_image_is_not_the_image(tmp_path: Path) -> None:
    split = read(f"hf:{two_pictures(tmp_path / 'd', ('mask', 'image'))}")
    assert np.asarray(split.images[0]).max() > 0
    assert not [n for n in split.notes if getattr(n, "kind", "") == "guessed"]


def test_which_of_several_columns_of_images_is_said(tmp_path: Path) -> None:
    split = read(f"hf:{two_pictures(tmp_path / 'd', ('left', 'right'))}")
    [said] = [n for n in split.notes if getattr(n, "kind", "") == "guessed"]
    assert "the column 'left'" in said
    assert "not 'right'" in said


def test_which_of_several_columns_of_classes_is_said(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = rows({"cat": 2, "dog": 1})
    kinds = {"image": datasets.Image(), "coarse_label": datasets.ClassLabel(names=["animal"]),
             "fine_label": datasets.ClassLabel(names=["cat", "dog"])}  # fmt: skip
    made = datasets.Dataset.from_dict(
        {"image": [{"bytes": d, "path": None} for _, d in found], "coarse_label": [0, 0, 0],
         "fine_label": [0, 0, 1]}, features=datasets.Features(kinds))  # fmt: skip
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "d")
    [said] = [n for n in read(f"hf:{tmp_path / 'd'}").notes if getattr(n, "kind", "") == "guessed"]
    assert "the column 'coarse_label'" in said
    assert "not 'fine_label'" in said


def test_one_bad_image_does_not_take_those_of_its_name_along(tmp_path: Path) -> None:
    """A column id may hold a patient, a sequence or nothing; shards may be called alike."""
    made = pq.read_table(parquet(tmp_path / "t.parquet", {"cat": 4, "dog": 4}))
    images = made["image"].to_pylist()
    images[0]["bytes"] = b"no image"
    made = made.set_column(0, "image", pa.array(images)).append_column("id", pa.array(["p"] * 8))
    pq.write_table(made, tmp_path / "t.parquet")
    split = require_good(read(tmp_path / "t.parquet"), skip_bad=True)
    assert (len(split), left_out(split)) == (7, 1)


def test_samples_of_a_picture_that_is_no_known_one_are_counted(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", [*samples({"cat": 2}), ("8.heic", b"x"), ("9.svg", b"x")])
    split = read(f"wds:{file}")
    assert (len(split), left_out(split)) == (2, 2)


def test_a_class_folder_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    root = folders(tmp_path / "f", {"cat": 2, "dog": 1})
    (root / "bus").symlink_to(tmp_path / "moved")
    refusal("'bus'", lambda: read(root))


@pytest.mark.parametrize("kept", [2900, 2048 + 512 + 300])
def test_a_shard_that_is_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    """Python's tarfile ends without a word where a header is broken."""
    file = shard(tmp_path / "a.tar", samples({"cat": 4, "dog": 4}))
    file.write_bytes(file.read_bytes()[:kept])
    refusal("is cut off or damaged behind", lambda: read(f"wds:{file}"))


def test_a_shard_that_is_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", samples({"cat": 4, "dog": 4}))
    data = bytearray(file.read_bytes())
    at = data.find(b"4.png\0")
    data[at : at + 512] = b"\xff" * 512
    file.write_bytes(data)
    refusal("is cut off or damaged behind 3.cls", lambda: read(f"wds:{file}"))


def test_shards_that_were_put_together_with_cat_are_refused(tmp_path: Path) -> None:
    one = shard(tmp_path / "a.tar", samples({"cat": 2, "dog": 2}))
    one.write_bytes(one.read_bytes() * 2)
    refusal("is cut off or damaged behind", lambda: read(f"wds:{one}"))


def test_a_shard_without_the_mark_of_its_end_is_said(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", samples({"cat": 2}))
    data = file.read_bytes()
    file.write_bytes(data[: len(data.rstrip(b"\0")) + 512 & ~511])
    split = read(f"wds:{file}")
    assert len(split) == 2
    assert any("WARNING" in n and "may be cut off" in n for n in split.notes)


def test_addresses_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label\nhttps://example.org/a.jpg,cat\n")
    refusal("a.jpg: an address, not a file on this machine", lambda: read(tmp_path / "t.csv"))
