"""Labels of another shape than one class an image: refused in words, whatever holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data.specs import make_task

from .builders import parquet, read, refusal, rows, samples, saved, shard, table

FEW = {"cat": 2, "dog": 1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("list", [1]), ("fixed", [1, 0]), ("mapping", {"id": 1}), ("image", None)],
)
def test_a_label_that_is_no_class_in_a_saved_data_set(
    tmp_path: Path, kind: str, value: Any
) -> None:
    datasets = pytest.importorskip("datasets")
    whole = datasets.Value("int64")
    features = {"list": datasets.Sequence(whole), "fixed": datasets.Sequence(whole, length=2),
                "mapping": {"id": whole}, "image": datasets.Image()}  # fmt: skip
    value = {"bytes": rows({"cat": 1})[0][1], "path": None} if value is None else value
    place = saved(tmp_path / "d", {"train": FEW}, feature=features[kind], labels=lambda _: value)
    error = refusal("not one class for each image", lambda: read(f"hf:{place}"))
    assert "'label'" in error.wrong


@pytest.mark.parametrize("labels", [[[0], [1], [0]], [{"a": 1}, {"a": 2}, {"a": 1}]])
def test_a_label_that_is_no_class_in_parquet(tmp_path: Path, labels: Any) -> None:
    file = parquet(tmp_path / "t.parquet", FEW, labels=labels)
    refusal("not one class for each image", lambda: read(file))


def test_quantities_are_no_classes(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", FEW, labels=[0.25, 1.5, 0.25])
    refusal("numbers with fractions (0.25)", lambda: read(file))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1.0, 0.0, 1.0], ("0", "1")),
        ([True, False, True], ("false", "true")),
        ([b"dog", b"cat", b"dog"], ("cat", "dog")),
        ([10, 9, 10], ("9", "10")),
    ],
)
def test_plain_labels_of_any_type(tmp_path: Path, labels: Any, names: tuple[str, ...]) -> None:
    split = read(parquet(tmp_path / "t.parquet", FEW, labels=labels))
    assert split.labels is not None
    assert (split.class_names, split.labels.tolist()) == (names, [1, 0, 1])


def test_coded_labels_of_pandas(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", FEW)
    made = pq.read_table(file)
    coded = made["label"].combine_chunks().dictionary_encode()
    pq.write_table(made.set_column(1, "label", pa.chunked_array([coded])), file)
    assert read(file).class_names == ("cat", "dog")


def test_a_missing_label_is_counted_from_one(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", FEW, labels=["cat", None, "dog"])
    refusal("has no label (row 2,", lambda: read(file))


def test_leading_zeros_of_a_csv_stay(tmp_path: Path) -> None:
    assert read(table(tmp_path / "t.csv", {"007": 1, "7": 1})).class_names == ("007", "7")


def test_an_unlabelled_test_of_the_hub(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    feature = datasets.ClassLabel(names=["cat", "dog"])
    place = saved(tmp_path / "d", {"test": FEW}, feature=feature, labels=lambda _: -1)
    refusal("3 rows of", lambda: read(f"hf:{place}", "test"))


def test_no_number_is_no_label(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", FEW, labels=[1.0, float("nan"), 0.0])
    refusal("has no label (row 2,", lambda: read(file))


def test_no_number_in_a_saved_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    place = saved(tmp_path / "d", {"train": FEW}, feature=datasets.Value("float32"),
                  labels=lambda k: float("nan") if k == "cat" else 1.0)  # fmt: skip
    refusal("2 rows of", lambda: read(f"hf:{place}"))


def test_floats_of_named_classes_keep_their_names(tmp_path: Path) -> None:
    """As pandas writes whole numbers once one was missing."""
    names = ("dog", "cat")
    file = parquet(tmp_path / "t.parquet", FEW, names=names, labels=[1.0, 1.0, 0.0])
    assert read(file).class_names == names


@pytest.mark.parametrize("labels", [[0, 1, 5], [0.0, 1.0, 5.0]])
def test_a_number_beyond_the_named_classes_is_refused(tmp_path: Path, labels: Any) -> None:
    file = parquet(tmp_path / "t.parquet", FEW, names=("dog", "cat"), labels=labels)
    refusal("names 2 classes, and a row has class 5", lambda: read(file))


def test_names_of_classes_with_blanks_around_them(tmp_path: Path) -> None:
    names = ("dog ", " cat")
    file = parquet(tmp_path / "t.parquet", FEW, names=names, labels=[1, 1, 0])
    assert read(file).class_names == ("dog", "cat")


def test_a_name_for_two_classes_is_refused(tmp_path: Path) -> None:
    """ImageNet has two cranes: as one class, every image of the one would be of the other."""
    names = ("crane", "cat", "crane")
    file = parquet(tmp_path / "t.parquet", FEW, names=names, labels=[0, 1, 2])
    refusal("two classes are called 'crane'", lambda: read(file))


@pytest.mark.parametrize("listed", [True, False])
def test_a_hidden_label_of_a_shard_is_missing(tmp_path: Path, listed: bool) -> None:
    if listed:
        (tmp_path / "classnames.txt").write_text("cat\ndog\n")
    file = shard(tmp_path / "a.tar", samples({"-1": 1, "0": 1, "1": 1}))
    refusal("1 row of", lambda: read(f"wds:{file}"))


def test_a_list_of_classes_with_blanks_and_an_empty_last_line(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("tabby \nfire truck\r\n\n\n")
    split = read(f"wds:{shard(tmp_path / 'a.tar', samples({'0': 1, '1': 1}))}")
    assert split.class_names == ("tabby", "fire truck")


def test_shards_whose_labels_are_in_their_json(tmp_path: Path) -> None:
    members = [("0.png", rows({"cat": 1})[0][1]), ("0.json", b'{"label": 1}')]
    file = shard(tmp_path / "a.tar", members)
    error = refusal("has no labels", lambda: make_task(train=f"wds:{file}"))
    assert "captions" not in error.wrong


def test_minus_one_beside_whole_numbers_is_said(tmp_path: Path) -> None:
    split = read(parquet(tmp_path / "t.parquet", FEW, labels=[-1, 0, 1]))
    assert any("'-1' is a class" in n and n.startswith("WARNING") for n in split.notes)
