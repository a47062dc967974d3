"""Small images that are looked at again and again: decoded once, then held in memory."""

from __future__ import annotations

import dataclasses

from PIL import Image

from .dataset import Images, Split, Task

__all__ = ["Held", "held"]

_OBJECT = 600
"""Bytes that a Pillow image takes beside its pixels, about."""


class Held:
    """Another sequence of images, each kept as it was when first asked for.

    What came first stays: passes over a set that does not fit would displace every image just
    before it is needed again.

    Args:
        images: Decodes; the images must be RGB, and nobody may draw on them.
        limit: Bytes; once they are full, further images are decoded each time. None: no limit.
    """

    def __init__(self, images: Images, limit: int | None = None) -> None:
        self.images = images
        self._limit = limit
        self._kept: dict[int, Image.Image] = {}
        self._used = 0

    def __getstate__(self) -> dict[str, object]:
        """Another process decodes for itself: pixels would travel slower than they decode."""
        return {**self.__dict__, "_kept": {}, "_used": 0}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image.Image:
        image = self._kept.get(index)
        if image is None:
            image = self.images[index]
            size = 4 * image.width * image.height + _OBJECT  # Pillow pads RGB to four bytes
            if self._limit is None or self._used + size <= self._limit:
                self._used += size
                self._kept[index] = image
        return image

    def id(self, index: int) -> str:
        """As the other sequence has it."""
        return self.images.id(index)


def held(task: Task) -> Task:
    """The task with every split's images held in memory, however many; for small ones only."""

    def of(split: Split) -> Split:
        return dataclasses.replace(split, images=Held(split.images))

    return dataclasses.replace(
        task,
        train=of(task.train),
        val=of(task.val),
        test=of(task.test),
        shifts=tuple(dataclasses.replace(s, split=of(s.split)) for s in task.shifts),
    )
