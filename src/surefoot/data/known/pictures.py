"""Small pictures for miniatures: a class can be told by its colours, no two are the same."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...atomic import write_atomic

__all__ = ["class_folders", "encoded", "pixels", "salted", "stack", "write_lines", "write_picture"]

SIDE = 24


def salted(name: str, seed: int) -> int:
    """A seed for one set or split, so that no two share a picture."""
    return zlib.crc32(f"{name} {seed}".encode())


def pixels(
    label: int, number: int, *, seed: int, size: tuple[int, int] = (SIDE, SIDE)
) -> Image.Image:
    """An RGB picture: four patches in the colours of its class, and noise of its own.

    Args:
        label: Decides the colours.
        number: Of the picture within its class and split.
        seed: Of the noise.
        size: (width, height).
    """
    patches = np.random.default_rng([label, 7]).integers(30, 226, (2, 2, 3))
    noise = np.random.default_rng([seed, label, number]).integers(-25, 26, (*size[::-1], 3))
    rows = np.arange(size[1]) * 2 // size[1]
    columns = np.arange(size[0]) * 2 // size[0]
    return Image.fromarray((patches[rows][:, columns] + noise).astype(np.uint8))


def encoded(image: Image.Image, name: str) -> bytes:
    """The bytes of a file of this name: PNG for .png, JPEG for .jpg, .jpeg and .JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG" if name.lower().endswith(".png") else "JPEG", quality=90)
    return buffer.getvalue()


def write_picture(path: Path, label: int, number: int, *, seed: int,
                  size: tuple[int, int] = (SIDE, SIDE)) -> None:  # fmt: skip
    """One picture as a file, with the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels(label, number, seed=seed, size=size), path.name))


def stack(labels: Iterable[int], *, seed: int, side: int) -> NDArray[np.uint8]:
    """One picture per label as an array, (n, side, side, 3); no two are the same."""
    rows = [
        np.asarray(pixels(int(label), number, seed=seed, size=(side, side)))
        for number, label in enumerate(labels)
    ]
    return np.array(rows, dtype=np.uint8)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """A text file, with the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(f"{line}\n" for line in lines))


def class_folders(root: Path, files: Iterable[tuple[str, int, list[str]]], *, seed: int) -> int:
    """Folders of pictures.

    Args:
        root: Where the class folders go.
        files: (folder, label that decides the colours, names of files).
        seed: Of the noise.

    Returns:
        How many pictures were written.
    """
    count = 0
    for folder, label, names in files:
        for number, name in enumerate(names):
            write_picture(root / folder / name, label, number, seed=seed)
            count += 1
    return count
