"""Where encoded images lie (files, ranges of files, memory) and how they become RGB pixels."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .sequence import Images, Taken
from .strings import Strings

__all__ = [
    "NOT_DECODED",
    "EncodedImages",
    "FileImages",
    "MemoryImages",
    "RangeImages",
    "White",
    "decode",
    "many_may_read",
    "opened",
    "pictures_in",
    "reason",
    "to_rgb",
]

_ORIENTED = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
_OPEN_FILES = 32
_MARKS = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"WEBP", 8, "WEBP"),
)


White = Mapping[str, float]
"""Which value is white, "I" of integers of more than eight bits and "F" of floats."""


def decode(
    data: bytes,
    seen: Callable[[Image.Image], None] | None = None,
    white: White = MappingProxyType({}),
) -> Image.Image:
    """Encoded bytes -> RGB image, upright.

    Args:
        data: A whole file.
        seen: Shown the image as it is stored, before it is brought to eight bits of RGB.
        white: As :func:`to_rgb`.

    Raises:
        OSError: Empty, truncated, or no image (see :func:`reason`).
    """
    if not data:
        raise OSError("the file is empty")
    image = opened(data)
    image.load()
    if seen is not None:
        seen(image)
    return to_rgb(image, white)


NOT_DECODED = frozenset({"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"})
"""Formats of Pillow that hold no pixels; or a program (EPS), which it has Ghostscript run."""


def opened(data: bytes) -> Image.Image:
    """An image not yet decoded; the format that the first bytes name is tried first.

    To try all in turn, as Pillow does, takes longer than decoding a small image.

    Raises:
        OSError: No image, or of a format in :data:`NOT_DECODED`, whatever its file is called.
    """
    for mark, at, name in _MARKS:
        if data.startswith(mark, at):
            try:
                return Image.open(io.BytesIO(data), formats=(name,))
            except UnidentifiedImageError:
                break
    return Image.open(io.BytesIO(data), formats=_formats())


_SEVERAL = (b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of formats in which one file may hold several pictures: GIF, TIFF, WebP."""


def pictures_in(data: bytes) -> int:
    """Frames or pages of an encoded image; all but the first are left out.

    The small picture that a phone keeps beside a JPEG (MPO) is a copy, and does not count.
    """
    if not data.startswith(_SEVERAL):
        return 1
    with opened(data) as image:
        return int(getattr(image, "n_frames", 1))


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name not in NOT_DECODED)


def to_rgb(image: Image.Image, white: White = MappingProxyType({})) -> Image.Image:
    """Any mode -> RGB: EXIF orientation applied, transparency laid on white, 16 bits scaled.

    Plain ``convert("RGB")`` would turn a black icon on a transparent ground into a black square
    and clip 16-bit greys to white.

    Args:
        image: Loaded.
        white: What the images of its split say (:func:`surefoot.data.brightness.settle`); else
            65,535 of integers, and of floats 1, or 255 where one is above 1.
    """
    info = image.info
    if not _ORIENTED.isdisjoint(info) or image.format in ("TIFF", "MPO"):
        image = _upright(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image, white).convert("RGB")
    if "transparency" in info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        return _on_white(image)
    if image.mode == "RGB":
        return image
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return image  # A broken EXIF block is no reason to lose a good picture.


def _on_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(coloured, mask=coloured.getchannel("A"))
    return ground


def _eight_bits(image: Image.Image, white: White) -> Image.Image:
    pixels = np.nan_to_num(np.asarray(image).astype(np.float64))
    usual = 65535.0
    if image.mode == "F":
        usual = 1.0 if pixels.max(initial=0.0) <= 1.0 else 255.0
    brightest = white.get(image.mode[0], usual)
    pixels = np.clip(pixels, 0, brightest) * (255 / brightest)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def reason(error: BaseException) -> str:
    """Why an image could not be had, in plain words."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, PermissionError):
        return "the file may not be read (permissions)"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if "truncated" in text.lower() or isinstance(error, (EOFError, IndexError)):
        return "truncated"
    if "decode" in text:
        return f"truncated or damaged ({text})"
    return text or type(error).__name__


class EncodedImages(ABC):
    """A sequence of encoded images: decodes when indexed, and gives the bytes when asked.

    Attributes:
        white: Which values are white, where the images of the split say so.
    """

    white: White = MappingProxyType({})

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def read(self, index: int) -> bytes:
        """The encoded bytes at ``index``."""

    @abstractmethod
    def id(self, index: int) -> str:
        """A stable name."""

    def __getitem__(self, index: int) -> Image.Image:
        return decode(self.read(index), white=self.white)

    def content(self, index: int) -> bytes:
        """SHA-256 of the encoded bytes: the same for the same file, wherever it lies."""
        return hashlib.sha256(self.read(index)).digest()


class FileImages(EncodedImages):
    """One file per image.

    Args:
        root: Folder that the paths start from.
        paths: Relative to it (or absolute); they are the ids.
    """

    def __init__(self, root: str | os.PathLike[str], paths: Sequence[str]) -> None:
        self.root = os.fspath(root)
        self.paths = paths if isinstance(paths, Strings) else Strings(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> str:
        """Where the file lies."""
        return os.path.join(self.root, self.paths[index])

    def read(self, index: int) -> bytes:
        """The whole file."""
        with open(self.path(index), "rb") as file:
            return file.read()

    def id(self, index: int) -> str:
        """The path as given, with forward slashes."""
        return self.paths[index].replace(os.sep, "/")


class RangeImages(EncodedImages):
    """Each image is a range of bytes of one of a few large files (tar shards).

    Files are opened by each process for itself when first needed, and at most 32 stay open.

    Args:
        files: The large files.
        which: (n,) index into ``files``.
        offsets: (n,) first byte.
        sizes: (n,) bytes.
        ids: n names.
    """

    def __init__(
        self,
        files: Sequence[str],
        which: NDArray[np.int32],
        offsets: NDArray[np.int64],
        sizes: NDArray[np.int64],
        ids: Strings,
    ) -> None:
        self.files = tuple(files)
        self._which, self._offsets, self._sizes, self._ids = which, offsets, sizes, ids
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[int, io.BufferedReader] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_open", "_lock", "_process")
        return {k: v for k, v in self.__dict__.items() if k not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, index: int) -> bytes:
        """The bytes of one image, straight from the large file."""
        if self._process != os.getpid():
            self._forget()  # A forked worker shares file positions with its parent: open anew.
        size = int(self._sizes[index])
        with self._lock:
            file = self._file(int(self._which[index]))
            file.seek(int(self._offsets[index]))
            data = file.read(size)
        if len(data) < size:
            raise OSError(f"truncated: {len(data)} of {size} bytes")
        return data

    def _file(self, which: int) -> io.BufferedReader:
        file = self._open.get(which)
        if file is None:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            file = open(self.files[which], "rb")  # noqa: SIM115 - closed when displaced
            self._open[which] = file
        self._open.move_to_end(which)
        return file

    def id(self, index: int) -> str:
        """The key in its shard."""
        return self._ids[index]

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def __del__(self) -> None:
        if self.__dict__.get("_process") == os.getpid():
            self.close()


class MemoryImages(EncodedImages):
    """Encoded images in an Arrow array of binaries (a packaged file, a small Parquet table).

    Args:
        column: ``pyarrow`` binary or large_binary array (n,).
        ids: n names.
    """

    def __init__(self, column: Any, ids: Sequence[str]) -> None:
        self._column = column
        self._ids = ids if isinstance(ids, Strings) else Strings(ids)

    def __len__(self) -> int:
        return len(self._column)

    def read(self, index: int) -> bytes:
        """One value of the array."""
        data = self._column[index].as_py()
        if data is None:
            raise FileNotFoundError("the table holds no bytes here")
        return bytes(data)

    def id(self, index: int) -> str:
        """The name given."""
        return self._ids[index]


def many_may_read(images: Images) -> bool:
    """Whether several threads may index these images at once.

    Ours may, where they decode. Others, another library's or a user's, may keep a position.
    """
    source = images.images if isinstance(images, Taken) else images
    return type(source) in (FileImages, MemoryImages, RangeImages)
