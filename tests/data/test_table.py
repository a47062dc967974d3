"""CSV and Parquet tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data import embedded
from surefoot.data.table import Columns, from_table
from surefoot.errors import BadImages, ClassMismatch, DataError

from .pictures import encoded


def read(path: Path, **options: object):
    return from_table(path, **{"name": "train", "domain": "ID", "use": "train", **options})


def images(root: Path, n: int) -> None:
    for i in range(n):
        (root / f"{i}.png").write_bytes(encoded(i))


def csv(root: Path, *lines: str) -> Path:
    file = root / "data.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_everything_in_a_csv(tmp_path: Path) -> None:
    images(tmp_path, 3)
    file = csv(tmp_path, "path,label,caption,location,hour",
               '0.png,007,"a cat, asleep",north,3', "1.png,10,,south,4",
               "2.png,9,dog,north,")  # fmt: skip
    split = read(file)
    assert split.class_names == ("007", "9", "10")  # text, sorted as numbers
    assert split.labels.tolist() == [0, 2, 1]
    assert list(split.captions) == ["a cat, asleep", "", "dog"]
    assert split.metadata["location"].tolist() == ["north", "south", "north"]
    assert split.metadata["hour"][:2].tolist() == [3, 4]
    assert np.isnan(split.metadata["hour"][2])
    assert split.images.id(1) == "1.png"
    assert split.images[2].size == (8, 8)
    assert set(split.metadata) == {"location", "hour"}


def test_captions_alone(tmp_path: Path) -> None:
    images(tmp_path, 1)
    split = read(csv(tmp_path, "path,caption", "0.png,hello"))
    assert split.labels is None
    assert list(split.captions) == ["hello"]


def test_paths_start_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    images(tmp_path / "pictures", 1)
    file = csv(tmp_path, "path,label", "0.png,a")
    assert read(file, root=tmp_path / "pictures").images[0].size == (8, 8)
    with pytest.raises(BadImages, match=r"0.png: the file is missing"):
        read(file)


def test_missing_files_are_counted_and_listed_or_left_out(tmp_path: Path) -> None:
    images(tmp_path, 2)
    file = csv(tmp_path, "path,label,site", "0.png,a,x", "gone.png,b,y", "1.png,b,z", ",a,w")
    with pytest.raises(BadImages) as caught:
        read(file)
    assert caught.value.bad == (
        ("gone.png", "the file is missing"), ("row 4", "the file is missing"),
    )  # fmt: skip
    split = read(file, skip_missing=True)
    assert split.labels.tolist() == [0, 1]
    assert split.metadata["site"].tolist() == ["x", "z"]
    assert "2 of 4 files named in data.csv are missing" in split.notes[0]


def test_the_split_column_and_filters(tmp_path: Path) -> None:
    images(tmp_path, 4)
    file = csv(tmp_path, "path,label,split,site", "0.png,a,train,x", "1.png,b,valid,x",
               "2.png,b,test,y", "3.png,a,train,y")  # fmt: skip
    assert [read(file).images.id(i) for i in range(2)] == ["0.png", "3.png"]
    assert "split=train: 2" in read(file).notes[0]
    assert read(file, use="val").images.id(0) == "1.png"
    assert read(file, where="split=test").images.id(0) == "2.png"
    assert read(file, where="split=train, site=y").images.id(0) == "3.png"
    with pytest.raises(DataError, match=r"no row .* has split=tset") as caught:
        read(file, where="split=tset")
    assert "test" in caught.value.expected
    with pytest.raises(DataError, match="names no column"):
        read(file, where="role=test")


def test_rows_without_a_label(tmp_path: Path) -> None:
    images(tmp_path, 2)
    with pytest.raises(DataError, match=r"1 row of .* has no label .row 2,"):
        read(csv(tmp_path, "path,label", "0.png,a", "1.png,"))


def test_columns_that_are_missing_or_twice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'label' or 'caption'; is it 'labels'"):
        read(csv(tmp_path, "path,labels", "0.png,a"))
    with pytest.raises(DataError, match="no column 'path' or 'image'"):
        read(csv(tmp_path, "file,label", "0.png,a"))
    with pytest.raises(DataError, match="two columns 'label'"):
        read(csv(tmp_path, "path,label,label", "0.png,a,b"))


def test_columns_may_be_called_otherwise(tmp_path: Path) -> None:
    images(tmp_path, 1)
    file = csv(tmp_path, "file,species,label", "0.png,wolf,x")
    split = read(file, columns=Columns(path="file", label="species"))
    assert split.class_names == ("wolf",)
    assert set(split.metadata) == {"label"}


def test_a_missing_and_a_broken_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "no.csv")
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read(csv(tmp_path, "path,label", "a,b,c,d"))


def parquet(tmp_path: Path, n: int = 40) -> Path:
    table = pa.table({
        "image": [encoded(i) for i in range(n)],
        "label": [i % 3 for i in range(n)],
        "id": [f"pic{i}" for i in range(n)],
        "part": ["even" if i % 2 == 0 else "odd" for i in range(n)],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=7)
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("limit", [0, 2**30])
def test_images_inside_a_parquet_file(
    tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_IN_MEMORY", limit)
    split = read(parquet(tmp_path), where="part=odd")
    assert split.class_names == ("0", "1", "2")
    assert len(split) == 20
    for at in (19, 0, 7):
        row = 2 * at + 1
        assert split.images.id(at) == f"pic{row}"
        assert split.images.read(at) == encoded(row)
        assert split.labels[at] == row % 3


def test_the_scratch_file_goes_with_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_IN_MEMORY", 0)
    split = read(parquet(tmp_path))
    scratch = split.images.files[0]
    assert os.path.exists(scratch)
    split.images[3]
    del split
    assert not os.path.exists(scratch)


def test_hugging_faces_struct_of_bytes(tmp_path: Path) -> None:
    cells = [{"bytes": encoded(i), "path": None} for i in range(2)]
    pq.write_table(pa.table({"image": cells, "label": ["a", "b"]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").images.read(1) == encoded(1)


def test_an_image_column_of_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["a.png"], "label": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="not encoded images") as caught:
        read(tmp_path / "t.parquet")
    assert "path" in caught.value.fix
    with pytest.raises(DataError, match="not encoded images"):
        read(csv(tmp_path, "image,label", "a.png,a"))


def test_classes_of_the_training_set_rule(tmp_path: Path) -> None:
    images(tmp_path, 2)
    file = csv(tmp_path, "path,label", "0.png,a", "1.png,c")
    assert read(file, class_names=("c", "b", "a")).labels.tolist() == [2, 0]
    with pytest.raises(ClassMismatch, match="does not have: c"):
        read(file, class_names=("a", "b"))


def test_every_spelling_of_a_split_is_taken_and_a_missing_one_refused(tmp_path: Path) -> None:
    images(tmp_path, 5)
    spelt = ("train", "Train", "training", "dev", "other")
    file = csv(tmp_path, "path,label,split", *(f"{i}.png,a,{s}" for i, s in enumerate(spelt)))
    split = read(file)
    assert [split.images.id(i) for i in range(len(split))] == ["0.png", "1.png", "2.png"]
    assert split.notes == (
        "rows of data.csv with split=train or Train or training: 3 of 5; the others are left out",
    )
    assert read(file, use="test").images.id(0) == "3.png"  # validation serves, and that is said
    assert "split=dev: 1 of 5" in read(file, use="test").notes[0]
    file = csv(tmp_path, "path,label,split", "0.png,a,train", "1.png,a,test")
    with pytest.raises(DataError, match="no split that serves as val") as caught:
        read(file, use="val")
    assert f"{file}:split=train" in caught.value.fix
    file = csv(tmp_path, "path,label,split", "0.png,a,left", "1.png,a,right")
    assert len(read(file, use="val")) == 2
    assert "names no train, val or test" in read(file).notes[0]
