"""Images that a data set keeps as one array: CIFAR's batches, STL's binaries, HDF5 files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DataError
from ...registry import import_optional
from ..images import to_rgb
from ..sequence import pixel_content
from .files import reading

__all__ = ["ArrayImages", "H5Images", "require_images"]


class _Rows(Protocol):
    """An array, in memory or mapped from a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ArrayImages:
    """Uncompressed images in one array.

    Args:
        pixels: (n, ...) uint8.
        prefix: Ids are "prefix/0", "prefix/1", ...
        axes: Order of one image's axes that makes it (height, width, 3).
    """

    def __init__(self, pixels: _Rows, prefix: str, axes: tuple[int, int, int] = (0, 1, 2)) -> None:
        self._pixels, self._prefix, self._axes = pixels, prefix, axes

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self._one(index))

    def _one(self, index: int) -> NDArray[Any]:
        return np.ascontiguousarray(np.asarray(self._pixels[index]).transpose(self._axes))

    def content(self, index: int) -> bytes:
        """Of the image as it is shown, whatever the order of its axes in the file."""
        return pixel_content(self._one(index))

    def id(self, index: int) -> str:
        """The split and the position in it."""
        return f"{self._prefix}/{index}"


class H5Images:
    """Images (n, height, width, 3) in one array of an HDF5 file, read one by one.

    Every process opens the file for itself: HDF5 handles do not survive a fork.

    Args:
        file: The ``.h5`` file.
        key: Name of the array.
        prefix: Ids are "prefix/0", "prefix/1", ...
    """

    def __init__(self, file: Path, key: str, prefix: str) -> None:
        self._file, self._key, self._prefix = file, key, prefix
        self._opened: Any = None
        self._process = 0
        self._n = len(self._rows())

    def _rows(self) -> Any:
        if self._opened is None or self._process != os.getpid():
            h5py = import_optional("h5py", needed_for=f"reading {self._file.name}")
            with reading(self._file, f"HDF5 file with an array {self._key!r}"):
                self._opened = h5py.File(self._file, "r")
                rows = self._opened[self._key]
            self._process = os.getpid()
            return rows
        return self._opened[self._key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_process": 0}

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Image.Image:
        return to_rgb(Image.fromarray(np.asarray(self._rows()[index])))

    def content(self, index: int) -> bytes:
        """Of the image as it is stored."""
        return pixel_content(np.asarray(self._rows()[index]))

    def id(self, index: int) -> str:
        """The split and the position in it."""
        return f"{self._prefix}/{index}"

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._opened is not None and self._process == os.getpid():
            self._opened.close()
        self._opened = None

    def __del__(self) -> None:
        if self.__dict__.get("_opened") is not None:
            self.close()


def require_images(
    pixels: NDArray[Any], labels: NDArray[Any], size: tuple[int, ...], where: Path
) -> None:
    """Raise unless these are (n, *size) uint8 images and n labels.

    Raises:
        DataError: Another shape or type, or another number of labels.
    """
    if pixels.dtype != np.uint8 or pixels.shape[1:] != size:
        raise DataError(
            f"{where} holds an array {pixels.shape} of {pixels.dtype}",
            expected=f"(images, {', '.join(map(str, size))}) of uint8",
        )
    if labels.shape != (len(pixels),):
        raise DataError(
            f"{where} holds {len(pixels)} images and labels of the shape {labels.shape}",
            expected="one label per image",
            fix="both files must be of the same version",
        )
