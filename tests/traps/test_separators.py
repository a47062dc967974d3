"""Tables as other programs write them: read, or the true reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from .builders import read, refusal, rows, table

COUNTS = {"cat": 2, "dog": 1}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_what_separates_columns_is_read_off_the_header(
    tmp_path: Path, separator: str, name: str
) -> None:
    split = read(table(tmp_path / name, COUNTS, separator=separator))
    assert split.labels is not None
    assert (split.class_names, split.labels.tolist()) == (("cat", "dog"), [0, 0, 1])


def test_commas_inside_a_table_of_semicolons(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", {"cat, tame": 1, "dog": 1}, separator=";")
    assert read(file).class_names == ("cat, tame", "dog")


def test_open_clips_own_layout(tmp_path: Path) -> None:
    file = table(tmp_path / "pairs.csv", {"a cat": 1, "a dog": 1}, separator="\t",
                 names=("filepath", "title"))  # fmt: skip
    split = read(file)
    assert split.labels is None
    assert list(split.captions or ()) == ["a cat", "a dog"]
    assert {"the column 'filepath' of pairs.csv serves as path",
            "the column 'title' of pairs.csv serves as caption"} <= set(split.notes)  # fmt: skip


def test_a_title_beside_a_label_is_no_caption(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", COUNTS, more={"title": ["x", "y", "z"]})
    split = read(file)
    assert split.captions is None
    assert split.metadata["title"].tolist() == ["x", "y", "z"]


def test_hugging_faces_file_name(tmp_path: Path) -> None:
    split = read(table(tmp_path / "metadata.csv", COUNTS, names=("file_name", "label")))
    assert len(split) == 3
    assert split.images.id(0) == "pictures/0_0.png"


def test_windows_separators(tmp_path: Path) -> None:
    split = read(table(tmp_path / "t.csv", COUNTS, slash="\\"))
    assert split.images[0].size == (16, 16)
    assert "backslashes in 3 paths of t.csv are read as slashes" in split.notes


def test_a_byte_order_mark(tmp_path: Path) -> None:
    assert len(read(table(tmp_path / "t.csv", COUNTS, encoding="utf-8-sig"))) == 3


def test_a_table_without_a_header_is_refused_for_that(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", COUNTS, header=False)
    error = refusal("has no header: its first line is 'pictures/0_0.png,cat'", lambda: read(file))
    assert "path,label" in error.fix


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("path,label,label\n0.png,a,b\n")
    refusal("two columns 'label'", lambda: read(file))


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path,label\n0.png,ä\n".encode("latin-1"))
    (tmp_path / "0.png").write_bytes(rows({"cat": 1})[0][1])
    refusal("cannot be read", lambda: read(tmp_path / "t.csv"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_table_of_two_bytes_a_letter(tmp_path: Path, encoding: str) -> None:
    file = table(tmp_path / "t.csv", COUNTS, encoding=encoding)
    refusal("is not UTF-8", lambda: read(file))
