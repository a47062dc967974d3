"""Small images and data sets for the tests of this room."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from surefoot.data.dataset import Split


def picture(seed: int = 0, size: tuple[int, int] = (8, 8)) -> Image.Image:
    """A smooth random RGB image, (width, height)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)


def encoded(seed: int = 0, kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """The same, encoded."""
    buffer = io.BytesIO()
    picture(seed, size).save(buffer, kind)
    return buffer.getvalue()


def folder(root: Path, counts: dict[str, int], kind: str = "png", start: int = 0) -> Path:
    """Class folders with so many images each, all different."""
    seed = start
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / name / f"{i}.{kind}").write_bytes(encoded(seed))
            seed += 1
    return root


class Listed:
    """Images in a list: the plainest thing that is a sequence of images."""

    def __init__(self, images: Sequence[Image.Image]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image.Image:
        return self.images[index]

    def id(self, index: int) -> str:
        return f"image{index}"


def split_of(labels: Sequence[int] | None, n: int = 0, size: tuple[int, int] = (8, 8)) -> Split:
    """A split in memory."""
    count = n if labels is None else len(labels)
    names = () if labels is None else tuple(f"class{i}" for i in range(max(labels) + 1))
    return Split(
        name="train",
        images=Listed([picture(i, size) for i in range(count)]),
        labels=None if labels is None else np.array(labels, dtype=np.int64),
        class_names=names,
        domain="ID",
        use="train",
        source="memory",
    )
