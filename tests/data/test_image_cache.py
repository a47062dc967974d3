"""Images that are held are the same images, decoded less often."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from surefoot.data.builtin import pictograms
from surefoot.data.image_cache import CachedImages, cached_in_memory
from surefoot.data.images import FileImages, MemoryImages, decode
from surefoot.data.sequence import content, underlying

from .pictures import Listed, picture, split_of


class Counting(Listed):
    """Says how often each image was decoded."""

    def __init__(self, n: int) -> None:
        super().__init__([picture(i) for i in range(n)])
        self.asked: list[int] = []

    def __getitem__(self, index: int) -> Image.Image:
        self.asked.append(index)
        return self.images[index].copy()


def test_each_image_is_decoded_once() -> None:
    source = Counting(5)
    images = CachedImages(source)
    assert (len(images), images.id(3)) == (5, "image3")
    for _ in range(3):
        for i in range(5):
            np.testing.assert_array_equal(images[i], source.images[i])
    assert source.asked == [0, 1, 2, 3, 4]


def test_what_does_not_fit_is_decoded_each_time_and_what_fits_stays() -> None:
    source = Counting(5)
    images = CachedImages(source, limit=2 * (3 * 8 * 8 + 250))
    for _ in range(3):
        for i in range(5):
            np.testing.assert_array_equal(images[i], source.images[i])
    assert source.asked == [0, 1, 2, 3, 4, 2, 3, 4, 2, 3, 4]


def test_another_process_gets_no_pixels() -> None:
    images = CachedImages(Counting(50))
    assert all(image.size == (8, 8) for image in images)
    fresh = pickle.dumps(CachedImages(Counting(50)))
    images.images.asked.clear()
    assert len(pickle.dumps(images)) == len(fresh)
    assert pickle.loads(pickle.dumps(images))[7].size == (8, 8)


def test_what_lies_below_is_still_seen() -> None:
    files = FileImages("/nowhere", ["a.png", "b.png", "c.png"])
    split = split_of([0, 1, 0])
    task = cached_in_memory(pictograms())
    source, rows = underlying(task.train.images, np.array([2, 5]))
    assert isinstance(source, MemoryImages)
    assert [source.id(int(r)) for r in rows] == [task.train.images.id(i) for i in (2, 5)]
    wrapped = CachedImages(files)
    assert underlying(wrapped, np.array([1]))[0] is files
    assert underlying(CachedImages(split.images), np.arange(3))[0] is split.images
    assert content(CachedImages(split.images), 1) == content(split.images, 1)


def test_the_built_in_images_are_held_once_for_all_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one task has looked at, another one finds; as the packaged bytes say."""
    one, two = pictograms(), pictograms()
    for split in ("train", "val", "test"):
        images = getattr(one, split).images
        source, rows = underlying(images, np.array([3]))
        assert isinstance(source, MemoryImages)
        np.testing.assert_array_equal(images[3], decode(source.read(int(rows[0]))))
        with monkeypatch.context() as patched:
            patched.delattr(MemoryImages, "read")
            np.testing.assert_array_equal(getattr(two, split).images[3], images[3])


def test_every_look_gives_an_image_of_its_own() -> None:
    images = CachedImages(Counting(1))
    before = np.array(images[0])
    images[0].paste((1, 2, 3), (0, 0, 8, 8))
    np.testing.assert_array_equal(images[0], before)


def test_the_limit_is_what_is_taken() -> None:
    """Of all that is allocated meanwhile, by Python's own count."""
    shared = picture(0, (32, 32))
    images = CachedImages(Listed([shared] * 3000), limit=4 << 20)
    tracemalloc.start()
    try:
        for i in range(3000):
            images[i]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.8 * (4 << 20) < taken < 1.1 * (4 << 20)
