"""Labels of another shape than one class an image: refused in words, whatever holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .builders import parquet, read, refusal, rows, saved, table

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
