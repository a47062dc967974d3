"""Small images that are looked at again and again: decoded once, then held in memory."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .dataset import Split, Task
from .sequence import Images, View

__all__ = ["CachedImages", "cached_in_memory"]

_OBJECT = 250
"""Bytes of the objects around an image's pixels, about."""


class CachedImages(View):
    """Another sequence of images, the pixels of each kept when it is first asked for.

    Pixels, not Pillow's images: of 32 pixels one takes 14 kB, with what it was decoded by, and
    its pixels 3. Every look gives an image of its own.

    What came first stays: passes over a set that does not fit would displace every image just
    before it is needed again.

    Args:
        images: Decodes, to RGB.
        limit: Bytes; once they are full, further images are decoded each time. None: no limit.
    """

    def __init__(self, images: Images, limit: int | None = None) -> None:
        self.images = images
        self._limit = limit
        self._kept: dict[int, tuple[tuple[int, int], bytes]] = {}
        self._used = 0

    def __getstate__(self) -> dict[str, object]:
        """Another process decodes for itself: pixels would travel slower than they decode."""
        return {**self.__dict__, "_kept": {}, "_used": 0}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image.Image:
        kept = self._kept.get(index)
        if kept is not None:
            return Image.frombytes("RGB", *kept)
        image = self.images[index]
        room = 3 * image.width * image.height + _OBJECT
        if self._limit is None or self._used + room <= self._limit:
            self._used += room
            self._kept[index] = (image.size, image.tobytes())
        return image

    def id(self, index: int) -> str:
        """As the other sequence has it."""
        return self.images.id(index)

    def source(self, indices: NDArray[np.int64]) -> tuple[Images, NDArray[np.int64]]:
        """The other sequence, at the same indices."""
        return self.images, indices


def cached_in_memory(task: Task) -> Task:
    """The task with every split's images held in memory, however many; for small ones only."""

    def of(split: Split) -> Split:
        return dataclasses.replace(split, images=CachedImages(split.images))

    return dataclasses.replace(
        task,
        train=of(task.train),
        val=of(task.val),
        test=of(task.test),
        shifts=tuple(dataclasses.replace(s, split=of(s.split)) for s in task.shifts),
    )
