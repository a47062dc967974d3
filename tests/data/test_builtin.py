"""The built-in set, on a generated miniature in the packaged file's layout."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surefoot.data import builtin
from surefoot.data.prompts import PICTOGRAM_TEMPLATES
from surefoot.data.source import read_split
from surefoot.data.specs import make_task
from surefoot.errors import DataError, UnknownName

from .pictures import encoded

CONCEPTS = ["camera", "bell", "key"]
PARTS = [("outline", s) for s in ("train", "val", "test")] + [
    (d, s) for d in ("solid", "emoji") for s in ("test", "dev")
]


def write(root: Path) -> Path:
    rows = []
    for domain, part in PARTS:
        for i, concept in enumerate(CONCEPTS * 2):
            if (domain, concept) != ("emoji", "key"):
                rows.append({
                    "id": f"{domain}/{part}/{i}", "image": encoded(len(rows)), "concept": concept,
                    "caption": f"a {concept}", "domain": domain, "set": f"{part}-{i % 2}",
                    "author": "someone", "licence": "MIT", "split": part,
                })  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), root / "pictograms.parquet", row_group_size=5)
    card = {"version": "9", "concepts": CONCEPTS, "counts": {"test": {"solid": 6, "emoji": 4}},
            "attribution": [{"set": "train-0"}]}  # fmt: skip
    (root / "pictograms.json").write_text(json.dumps(card))
    return root / "pictograms.parquet"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = write(tmp_path)
    monkeypatch.setattr(builtin, "FILE", file)
    return file


@pytest.mark.usefixtures("packaged")
def test_the_task() -> None:
    task = builtin.pictograms()
    assert task.name == "pictograms"
    assert task.class_names == tuple(CONCEPTS)  # the card's order
    assert task.templates == PICTOGRAM_TEMPLATES
    assert [s.name for s in task.shifts] == ["solid", "emoji"]
    assert [s.classes for s in task.shifts] == [None, (0, 1)]  # emoji lacks keys
    for split, part in ((task.train, "train"), (task.val, "val"), (task.test, "test")):
        assert (split.name, split.use, split.domain, len(split)) == (part, part, "ID", 6)
        assert {split.images.id(i).split("/")[1] for i in range(6)} == {part}
    emoji = task.shifts[1].split
    assert (emoji.domain, emoji.use, emoji.version, emoji.unit) == ("OOD", "test", "9", "designer")
    for split in (task.train, emoji):
        for i in range(len(split)):
            name = split.class_names[split.labels[i]]
            assert split.captions[i] == f"a {name}"
            assert split.metadata["set"][i].startswith(split.use)
            assert split.images[i].size == (8, 8)
    assert set(emoji.metadata) == {"designer", "set", "author", "licence"}


@pytest.mark.usefixtures("packaged")
def test_the_development_split_is_apart() -> None:
    dev = builtin.pictograms_dev()
    assert set(dev) == {"solid", "emoji"}
    assert {dev["solid"].images.id(i).split("/")[1] for i in range(6)} == {"dev"}
    assert dev["emoji"].class_names == tuple(CONCEPTS)


@pytest.mark.usefixtures("packaged")
def test_specs() -> None:
    facts = {"name": "x", "domain": "ID", "use": "val"}
    assert read_split("pictograms", **facts).images.id(0) == "outline/val/0"
    assert read_split("pictograms:emoji", **facts).images.id(0) == "emoji/test/0"
    assert read_split("pictograms:emoji", **facts).class_names == ("camera", "bell")
    split = read_split("pictograms:solid:dev", **facts, class_names=("bell", "key", "camera"))
    assert split.images.id(0) == "solid/dev/0"
    assert split.labels[:3].tolist() == [2, 0, 1]
    assert split.name == "x"
    with pytest.raises(UnknownName, match=r"'emojy'. Did you mean 'emoji'"):
        read_split("pictograms:emojy", **facts)
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        read_split("pictograms:emoji:tset", **facts)
    with pytest.raises(DataError, match="no images of the domain 'emoji' in the split 'train'"):
        read_split("pictograms:emoji:train", **facts)
    with pytest.raises(DataError, match="too many parts"):
        read_split("pictograms:emoji:test:0", **facts)


@pytest.mark.usefixtures("packaged")
def test_it_is_a_whole_task() -> None:
    task = make_task(train="pictograms")
    assert [s.name for s in task.shifts] == ["solid", "emoji"]
    one = make_task(train="pictograms", shifts={"mine": "pictograms:solid"}, templates="single")
    assert [s.name for s in one.shifts] == ["mine"]
    assert one.templates == ("a photo of a {}.",)
    assert len(one.val) == 6


def test_a_package_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "FILE", tmp_path / "pictograms.parquet")
    with pytest.raises(
        DataError, match=r"pictograms.json is missing|pictograms.parquet is missing"
    ):
        builtin.pictograms()
    write(tmp_path).write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot be read"):
        builtin.pictograms()
