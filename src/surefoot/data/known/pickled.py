"""CIFAR's pickles: written as Python 2 wrote them, read without running them.

A pickle is a program. :class:`_Arrays` runs it with nothing to call but what rebuilds numpy
arrays, so a file that is no batch of images cannot do harm.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from ...errors import DataError, UnsafePickle
from ...unpickling import RestrictedUnpickler

__all__ = ["dump_python2", "load_arrays", "load_object_npy"]

_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_REBUILD: Any = np.zeros(1).__reduce__()[0]
_SCALAR: Any = np.float64(0).__reduce__()[0]


def _encode(text: str, codec: str) -> bytes:
    """What ``_codecs.encode`` does in pickles of Python 3 that hold bytes: latin1, else no."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"encoding {codec!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    **{(m, "_reconstruct"): _REBUILD for m in _MODULES},
    **{(m, "scalar"): _SCALAR for m in _MODULES},
}


class _Arrays(RestrictedUnpickler):
    """Containers, numbers, text and numpy arrays; every other global is refused."""

    holds = "dictionaries, lists, numbers, text and numpy arrays"
    fix = "do not use this file; fetch it again from its publisher"

    def stands_for(self, module: str, name: str) -> Any:
        """What rebuilds an array."""
        return _ALLOWED.get((module, name))


def load_arrays(file: Path) -> Any:
    """The contents of a pickle of arrays; byte strings of Python 2 become text (latin1).

    Raises:
        DataError: The file is missing, empty, cut off or no pickle.
        UnsafePickle: It wants to build something other than arrays.
    """
    try:
        with file.open("rb") as opened:
            return _named(_load(opened))
    except FileNotFoundError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})") from error
    except UnsafePickle as error:
        raise UnsafePickle(f"{file}: {error.wrong}", expected=error.expected) from error
    except Exception as error:  # a damaged pickle fails in any way it likes
        empty = file.stat().st_size == 0
        raise DataError(
            f"{file} {'is empty' if empty else f'is cut off or no pickle ({error})'}",
            fix="extract the archive again",
        ) from error


def load_object_npy(file: Path) -> Any:
    """The one object of a ``.npy`` file that holds a pickle, or its plain array.

    Raises:
        DataError: The file is missing, cut off or no ``.npy``.
        UnsafePickle: It wants to build something other than arrays.
    """
    try:
        with file.open("rb") as opened:
            version = npy.read_magic(opened)
            readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
            shape, _, dtype = readers[version](opened)
            if not dtype.hasobject:
                return np.load(file, allow_pickle=False)
            held = _load(opened)
            return _named(held.item() if shape == () else held)
    except FileNotFoundError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})") from error
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged file fails in any way it likes
        raise DataError(f"{file} is cut off or no .npy file ({error})") from error


def _load(opened: IO[bytes]) -> Any:
    return _Arrays(opened, encoding="latin1").load()


def _named(held: Any) -> Any:
    """The same dictionary with text keys: some copies were written with byte keys."""
    if not isinstance(held, dict):
        return held
    return {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in held.items()}


class _Python2(pickle._Pickler):
    """Writes ``bytes`` as the strings of Python 2 and numpy under its name of old.

    So the files are what torchvision (which expects text keys) and every older script (which
    expects byte keys) read, with numpy 1 as with numpy 2.
    """

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, text: bytes) -> None:
        if len(text) < 256:
            head = pickle.SHORT_BINSTRING + bytes([len(text)])
        else:
            head = pickle.BINSTRING + len(text).to_bytes(4, "little")
        self.write(head + text)  # type: ignore[attr-defined]
        self.memoize(text)  # type: ignore[attr-defined]

    def save_rebuild(self, obj: Any) -> None:
        if obj is not _REBUILD:
            self.save_global(obj)  # type: ignore[attr-defined]
            return
        self.write(b"cnumpy.core.multiarray\n_reconstruct\n")  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch.update({bytes: save_string, type(_REBUILD): save_rebuild})


def dump_python2(contents: Mapping[str, Any]) -> bytes:
    """A pickle (protocol 2) of a dictionary as Python 2 wrote it: all text as byte strings."""
    buffer = io.BytesIO()
    _Python2(buffer, protocol=2).dump(_bytes(contents))
    return buffer.getvalue()


def _bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("latin1")
    if isinstance(value, Mapping):
        return {_bytes(k): _bytes(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_bytes(v) for v in value]
    return value
