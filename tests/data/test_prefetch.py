"""Threads that decode: the same tensors, in order, few at once, errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from surefoot.data.check import check_images
from surefoot.data.dataset import Split
from surefoot.data.folder import from_folder
from surefoot.data.image_cache import CachedImages
from surefoot.data.images import FileImages, many_may_read
from surefoot.data.loading import make_loader
from surefoot.data.prefetch import prefetch, threads_for
from surefoot.errors import DataError
from surefoot.transforms import TransformSpec

from .pictures import encoded, split_of

SPEC = TransformSpec(size=(8, 8), resize=8, train_scale=(0.3, 1.0), train_flip=True)


@pytest.fixture
def four_threads() -> Iterator[None]:
    own = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(own)


def photographs(root: Path, count: int = 11) -> Split:
    """Files large enough for threads, of different sizes."""
    for i in range(count):
        (root / "ab"[i % 2]).mkdir(exist_ok=True)
        data = encoded(i, "JPEG", (130 + i, 140 - i))
        (root / "ab"[i % 2] / f"{i}.jpg").write_bytes(data)
    return from_folder(root, name="train", domain="ID", use="train")


def images_of(split: Split, mode: str) -> torch.Tensor:
    transform = getattr(SPEC, mode)()
    return torch.cat([b["image"] for b in make_loader(split, transform, batch_size=5, seed=4)])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 30), threads=st.integers(1, 5))
def test_it_is_map_in_order(count: int, threads: int) -> None:
    def slow(item: int) -> int:
        time.sleep(0.0003 * (item % 3))
        return item * item

    assert list(prefetch(slow, range(count), threads)) == [i * i for i in range(count)]


def test_few_are_decoded_before_they_are_wanted() -> None:
    begun: list[int] = []
    results = prefetch(lambda i: begun.append(i) or i, range(100), 3)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(begun) <= 3 + 2 + 1
    results.close()
    assert len(begun) <= 3 + 2 + 1  # and what was not begun never is


def test_an_error_comes_in_its_turn_and_ends_it() -> None:
    begun: list[int] = []

    def fails(item: int) -> int:
        begun.append(item)
        if item == 4:
            raise ValueError("the fifth")
        return item

    results = prefetch(fails, range(100), 2)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the fifth"):
        next(results)
    assert max(begun) < 10
    assert not [t for t in threading.enumerate() if t.name.startswith("decode")]


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_threads_change_nothing(tmp_path: Path, mode: str, four_threads: None) -> None:
    split = photographs(tmp_path)
    by_four = images_of(split, mode)
    torch.set_num_threads(1)
    assert torch.equal(by_four, images_of(split, mode))


def test_they_do_decode(
    tmp_path: Path, four_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, names = photographs(tmp_path), set()
    whole = FileImages.read

    def noted(self: FileImages, index: int) -> bytes:
        names.add(threading.current_thread().name.split("_")[0])
        return whole(self, index)

    monkeypatch.setattr(FileImages, "read", noted)
    images_of(split, "eval")
    assert names == {"MainThread", "decode"}
    names.clear()
    torch.set_num_threads(1)
    images_of(split, "eval")
    assert names == {"MainThread"}


def test_a_broken_file_is_named_all_the_same(tmp_path: Path, four_threads: None) -> None:
    split = photographs(tmp_path)
    (tmp_path / "b" / "7.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"b/7\.jpg of the split 'train' cannot be decoded"):
        images_of(split, "eval")


def test_the_check_before_a_run_finds_all_by_threads(tmp_path: Path, four_threads: None) -> None:
    split = photographs(tmp_path)
    for name in ("b/3", "a/8"):
        whole = (tmp_path / f"{name}.jpg").read_bytes()
        (tmp_path / f"{name}.jpg").write_bytes(whole[: len(whole) // 2])
    found = [name for name, _ in check_images(split)]
    assert found == [split.images.id(i) for i in range(len(split))
                     if split.images.id(i) in ("a/8.jpg", "b/3.jpg")]  # fmt: skip
    assert len(found) == 2


def test_small_images_are_decoded_where_they_are(four_threads: None) -> None:
    assert threads_for(Image.new("RGB", (32, 32))) == 1
    assert threads_for(Image.new("RGB", (500, 400))) == 4


def test_only_our_own_images_are_shared_by_threads(tmp_path: Path) -> None:
    split = photographs(tmp_path)
    part = split.take(np.array([3, 1]))
    assert many_may_read(split.images)
    assert many_may_read(part.images)
    assert not many_may_read(split_of([0, 1]).images)  # somebody's list
    assert not many_may_read(CachedImages(split.images))  # counts what it keeps
