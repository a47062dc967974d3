"""Who an image is: features are cached and neighbours left out by content, not by a row number."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from surefoot.data import embedded, sequence
from surefoot.data.corruptions import corruptions
from surefoot.data.dataset import Split, Task
from surefoot.data.huggingface import from_hf
from surefoot.data.known.arrays import ArrayImages
from surefoot.data.overlap import overlap
from surefoot.data.sequence import content, identities
from surefoot.data.table import from_table
from surefoot.evals.knn import knn_predict
from surefoot.features import cache_key, extract
from surefoot.models.model import Model

from .pictures import encoded

pa = pytest.importorskip("pyarrow")


def saved_dict(place: Path, shift: int = 0) -> Path:
    datasets = pytest.importorskip("datasets")

    def part(first: int) -> object:
        made = datasets.Dataset.from_dict({
            "image": [{"bytes": encoded(first + i + shift), "path": None} for i in range(3)],
            "label": [0, 1, 2],
        })  # fmt: skip
        names = datasets.ClassLabel(names=["a", "b", "c"])
        return made.cast_column("image", datasets.Image()).cast_column("label", names)

    parts = {"train": part(0), "validation": part(10), "test": part(0)}
    datasets.DatasetDict(parts).save_to_disk(place)
    return place


def hf(place: Path, use: str) -> Split:
    return from_hf(place, name=use, domain="ID", use=use)  # type: ignore[arg-type]


def test_the_splits_of_one_folder_are_told_apart(tmp_path: Path, model: Model) -> None:
    place = saved_dict(tmp_path / "d")
    train, val, test = (hf(place, use) for use in ("train", "val", "test"))
    assert len({s.source for s in (train, val, test)}) == 3
    assert len({s.images.id(0) for s in (train, val, test)}) == 3
    assert overlap(train, val).tolist() == [[-1]] * 3
    assert overlap(train, test).tolist() == [[0], [1], [2]]  # the same pictures
    spec = model.spec.transform
    keys = [cache_key(model, s, spec) for s in (train, val, test)]
    assert keys[0] == keys[2] != keys[1]
    assert content(train.images, 1) == content(test.images, 1)
    assert content(train.images, 1) != content(val.images, 1)
    task = Task("t", train, val, test, (), train.class_names)
    assert not knn_predict(model, task, test, k=1, protocol="model").correct().any()


def test_the_same_row_of_other_rows_is_another_image(tmp_path: Path) -> None:
    one, two = (from_table(parquet(tmp_path / "a.parquet", first), name="x", domain="ID",
                           use="test") for first in (0, 1))  # fmt: skip
    assert one.source == two.source
    assert overlap(one, two).tolist() == [[1], [2], [-1]]  # the rows moved up by one


def parquet(file: Path, first: int = 0) -> Path:
    import pyarrow.parquet

    table = pa.table({"image": [encoded(first + i) for i in range(3)], "label": ["a", "b", "c"]})
    pyarrow.parquet.write_table(table, file)
    os.utime(file, (1, 1))
    return file


@pytest.mark.parametrize("memory", [1 << 20, 1], ids=["memory", "scratch"])
def test_a_table_written_anew_under_its_name_gives_fresh_features(
    tmp_path: Path, model: Model, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_IN_MEMORY", memory)

    def read() -> Split:
        return from_table(tmp_path / "t.parquet", name="t", domain="ID", use="test")

    parquet(tmp_path / "t.parquet")
    before, again = read(), read()
    kept = extract(model, before, cache_dir=tmp_path / "cache")
    assert cache_key(model, again, model.spec.transform) == cache_key(
        model, before, model.spec.transform
    )
    parquet(tmp_path / "t.parquet", first=5)
    fresh = extract(model, read(), cache_dir=tmp_path / "cache")
    assert not np.array_equal(fresh, kept)
    assert np.array_equal(fresh, extract(model, read()))


def test_a_saved_folder_written_anew_gives_fresh_features(tmp_path: Path, model: Model) -> None:
    train = hf(saved_dict(tmp_path / "d"), "train")
    kept = extract(model, train, cache_dir=tmp_path / "cache")
    other = replace(hf(saved_dict(tmp_path / "e", shift=3), "train"), source=train.source)
    fresh = extract(model, other, cache_dir=tmp_path / "cache")
    assert not np.array_equal(fresh, kept)


def test_what_images_derive_from_counts(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet")
    plain = from_table(tmp_path / "t.parquet", name="t", domain="ID", use="test")
    kinds = [*corruptions(plain, seed=0)[:2], corruptions(plain, seed=1)[0]]
    states = {s.identities.tobytes() for s in (plain, *kinds)}
    assert len(states) == 4
    first = corruptions(plain.take([1]), seed=0)[0]  # its noise is another than that of row 1
    assert first.identities.tolist() != kinds[0].take([1]).identities.tolist()
    pixels = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    arrays = [ArrayImages(p, "test") for p in (pixels, pixels.copy(), pixels[::-1])]
    found = [identities(a).tolist() for a in arrays]
    assert found[0] == found[1] == found[2][::-1]
    assert (
        identities(ArrayImages(pixels.transpose(0, 3, 1, 2), "x", (1, 2, 0))).tolist() == found[0]
    )


class Plain(list[Image.Image]):
    """A user's sequence: a list, which has no hash, with names."""

    decoded = 0

    def __getitem__(self, index: Any) -> Any:
        self.decoded += 1
        return super().__getitem__(index)

    def id(self, index: int) -> str:
        return f"{index}"


def test_a_users_sequence_is_looked_at_once_and_forgotten_with_it() -> None:
    images = Plain(Image.new("RGB", (4, 4), (grey,) * 3) for grey in (1, 2, 1))
    split = Split("x", images, None, (), "ID", "test")
    first = split.identities
    assert split.take([2, 0]).identities.tolist() == first[[2, 0]].tolist()
    assert images.decoded == 3
    assert first[0].tolist() == first[2].tolist() != first[1].tolist()
    equal = Plain(list(images))
    assert equal == images
    equal[0] = Image.new("RGB", (4, 4), (9, 9, 9))
    assert identities(equal)[0].tolist() != first[0].tolist()
    address = id(images)
    assert address in sequence._LEDGERS
    del split, images
    gc.collect()
    assert address not in sequence._LEDGERS


def test_a_manifest_tells_other_pixels_other_order_and_other_labels_apart(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet")
    split = from_table(tmp_path / "t.parquet", name="t", domain="ID", use="test")
    one, turned = split.manifest(), split.take([2, 0, 1]).manifest()
    assert (one.content, one.n) == (turned.content, turned.n)
    assert one.rows != turned.rows
    swapped = replace(split, images=split.take([1, 0, 2]).images).manifest()
    assert swapped.content != one.content  # the labels are those of other images now
    assert replace(split, labels=None).manifest().content != one.content
