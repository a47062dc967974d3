"""check_source: every container keeps the contract, and what is planted is caught."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.data.dataset import Split
from surefoot.data.source import Source
from surefoot.testing import check_source, make_miniature

from ..data.pictures import encoded

pa = pytest.importorskip("pyarrow")

LABELS = ("ant", "bee", "ant", "wasp", "bee")


def class_folders(place: Path) -> str:
    for i, label in enumerate(LABELS):
        (place / "f" / label).mkdir(parents=True, exist_ok=True)
        (place / "f" / label / f"{i}.png").write_bytes(encoded(i))
    return str(place / "f")


def table(place: Path) -> str:
    class_folders(place)
    with open(place / "t.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "site"])
        writer.writerows([f"f/{c}/{i}.png", c, "x"] for i, c in enumerate(LABELS))
    return f"{place / 't.csv'}:site=x"


def parquet(place: Path) -> str:
    import pyarrow.parquet as pq

    rows = {"image": [encoded(i) for i in range(5)], "label": LABELS}
    pq.write_table(pa.table(rows), place / "t.parquet")
    return str(place / "t.parquet")


def saved(place: Path) -> str:
    datasets = pytest.importorskip("datasets")
    rows = {"image": [{"bytes": encoded(i), "path": None} for i in range(5)], "label": LABELS}
    part = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    datasets.DatasetDict({"train": part, "extra": part}).save_to_disk(place / "d")
    return f"hf:{place / 'd'}:extra"


def shards(place: Path) -> str:
    with tarfile.open(place / "s-0.tar", "w") as tar:
        for i, label in enumerate(LABELS):
            for kind, data in (("png", encoded(i)), ("cls", label.encode())):
                member = tarfile.TarInfo(f"sample{i}.{kind}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return f"wds:{place}/s-{{0..0}}.tar"


def arrays(place: Path) -> str:
    make_miniature("cifar10", place)
    return f"cifar10:train@{place}"


def published(place: Path) -> str:
    make_miniature("imagenet-r", place)
    return f"imagenet-r@{place}"


def built_in(place: Path) -> str:
    return "pictograms:emoji"


CONTAINERS = [class_folders, table, parquet, saved, shards, arrays, published, built_in]


@pytest.mark.parametrize("make", CONTAINERS, ids=lambda f: f.__name__)
def test_every_container_keeps_the_contract(tmp_path: Path, make: Callable[[Path], str]) -> None:
    check_source(make(tmp_path), use="test")


@pytest.mark.parametrize("make", CONTAINERS[1:5], ids=lambda f: f.__name__)
def test_the_same_files_are_the_same_images_in_every_container(
    tmp_path: Path, make: Callable[[Path], str]
) -> None:
    facts: dict[str, Any] = {"name": "x", "domain": "ID", "use": "test"}
    one = Source.parse(class_folders(tmp_path)).read(**facts)
    other = Source.parse(make(tmp_path)).read(**facts)
    assert other.manifest().content == one.manifest().content
    assert other.class_names == one.class_names
    expected = {hashlib.sha256(encoded(i)).digest() for i in range(5)}
    assert {row.tobytes() for row in other.identities} == expected


class Planted:
    """A source with a fault put into what it reads."""

    def __init__(self, inner: Source, change: Callable[[Split], Split]) -> None:
        self.inner, self.change = inner, change

    def read(self, **asked: Any) -> Split:
        return self.change(self.inner.read(**asked))


class _Same:
    """Images of which every one has the same id, or the same identity."""

    def __init__(self, images: Any, **same: Any) -> None:
        self.images, self.same = images, same

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.images[index]

    def id(self, index: int) -> str:
        return str(self.same.get("id", self.images.id(index)))

    def content(self, index: int) -> bytes:
        return bytes(self.same.get("content", b"1" * 32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: replace(s, name="mine"), "changes the name"),
        (lambda s: replace(s, source=""), "does not say where it lies"),
        (lambda s: replace(s, images=_Same(s.images, id="x")), "have the id of another one"),
        (lambda s: replace(s, class_names=tuple(sorted(s.class_names))), "label order"),
        (lambda s: replace(s, images=_Same(s.images, content=bytes(32))), "without an identity"),
    ],
)
def test_what_is_planted_is_caught(
    tmp_path: Path, change: Callable[[Split], Split], said: str
) -> None:
    source = Planted(Source.parse(class_folders(tmp_path)), change)
    with pytest.raises(AssertionError, match=said):
        check_source(source)


def test_a_source_that_reads_otherwise_the_second_time_is_caught(tmp_path: Path) -> None:
    turns = iter(range(100))

    def change(split: Split) -> Split:
        return split.take(np.roll(np.arange(len(split)), next(turns)))

    with pytest.raises(AssertionError, match="otherwise the second time"):
        check_source(Planted(Source.parse(class_folders(tmp_path)), change))
