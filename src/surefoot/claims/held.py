"""A task whose images are decoded once, for studies that look at them again and again."""

from __future__ import annotations

import dataclasses

from PIL import Image

from ..data.dataset import Images, Split, Task

__all__ = ["held"]


class Held:
    """Another sequence of images, each kept as it was when first asked for.

    A small image takes a few kilobytes; do not hold large ones.
    """

    def __init__(self, images: Images) -> None:
        self._images = images
        self._kept: dict[int, Image.Image] = {}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Image.Image:
        if index not in self._kept:
            self._kept[index] = self._images[index]
        return self._kept[index]

    def id(self, index: int) -> str:
        """As the other sequence has it."""
        return self._images.id(index)


def held(task: Task) -> Task:
    """The task with every split's images held in memory."""

    def of(split: Split) -> Split:
        return dataclasses.replace(split, images=Held(split.images))

    return dataclasses.replace(
        task,
        train=of(task.train),
        val=of(task.val),
        test=of(task.test),
        shifts=tuple(dataclasses.replace(s, split=of(s.split)) for s in task.shifts),
    )
