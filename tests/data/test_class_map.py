"""Class maps: reading, and what they do to a shift."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from surefoot.data.class_map import read_class_map
from surefoot.data.dataset import ClassMap, Shift
from surefoot.errors import ClassMismatch, DataError

from .pictures import split_of

NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc"]),
    min_size=1,
    max_size=8,
)


def written(root: Path, text: str) -> Path:
    file = root / "map.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_class_map(tmp_path: Path) -> None:
    file = written(tmp_path, "# joined by hand\ntabby_cat: cat\nlion: cat\n'007': agent\n")
    assert read_class_map(file).pairs == {"tabby_cat": "cat", "lion": "cat", "007": "agent"}


@given(st.dictionaries(NAMES, NAMES, min_size=1, max_size=6))
def test_whatever_yaml_writes_is_read_back(pairs: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = written(Path(place), yaml.safe_dump(pairs, allow_unicode=True))
        assert read_class_map(file).pairs == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("{}", "is empty"),
        ("- a\n- b\n", "is not a mapping"),
        ("a: b\nc: d\na: e\n", r"line 3 of .* names the shift class 'a' a second time"),
        ("a: b\n7: c\n", r"line 2 of .* holds '7', which YAML reads as a int"),
        ("a: no\n", r"line 1 of .* holds 'no', which YAML reads as a bool"),
        ("a: b\nc:\n", r"line 2 of .* holds an empty class name"),
        ("a: ''\n", "an empty class name"),
        ("a: b\nc: {d: e}\n", r"line 2 of .* holds a nested value"),
        ("a: b\nc: [d, [e]]\n", r"line 2 of .* holds a nested value"),
        ("a: b\nc: []\n", r"line 2 of .* holds a list that is empty"),
        ("a: b\nc: [d, d]\n", r"line 2 of .* names a class twice"),
        ("a: b: c\n", "cannot be read"),
    ],
)
def test_what_is_no_class_map(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_class_map(written(tmp_path, text))
    assert "task class" in caught.value.expected


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no class map"):
        read_class_map(tmp_path / "no.yaml")


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=20),
    targets=st.dictionaries(st.integers(0, 3), st.sampled_from(["x", "y", "z"]), min_size=1),
)
def test_a_shift_is_translated_image_by_image(labels: list[int], targets: dict[int, str]) -> None:
    split = split_of([*labels, 3])  # four classes, whatever was drawn
    pairs = {f"class{k}": v for k, v in targets.items()}
    kept = [i for i, label in enumerate(split.labels.tolist()) if label in targets]
    task = ("x", "y", "z")
    if not kept:
        with pytest.raises(ClassMismatch, match="no image of"):
            Shift.of(split, task, class_map=ClassMap(pairs))
        return
    shift = Shift.of(split, task, class_map=ClassMap(pairs))
    names = [task[i] for i in shift.split.labels]
    assert names == [targets[int(split.labels[i])] for i in kept]
    assert [shift.split.images.id(i) for i in range(len(kept))] == [f"image{i}" for i in kept]
    reachable = sorted({task.index(v) for v in targets.values()})
    assert shift.classes == (None if len(reachable) == 3 else tuple(reachable))
    assert np.isin(shift.split.labels, reachable).all()


def test_a_map_onto_nothing() -> None:
    split = split_of([0, 1])
    with pytest.raises(ClassMismatch, match="leads to 'ghost', which is no class of the task"):
        Shift.of(split, ("a",), class_map=ClassMap({"class0": "ghost"}))
    with pytest.raises(ClassMismatch, match="names 'klass0', which is no class of the shifted"):
        Shift.of(split, ("a",), class_map=ClassMap({"klass0": "a"}))
