"""A checkpoint file as name -> tensor: opened lazily, read block by block."""

from __future__ import annotations

import json
import math
import os
import struct
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError
from .dtypes import COMPUTED_KINDS, KINDS, Bytes, Stored, TensorLayout, kind_of
from .layout import kind_name
from .mapped import CAN_MAP, MappedFile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["CLASS_LISTS", "TensorFile", "open_tensors", "shards_of"]

CLASS_LISTS = ("class_names", "classes", "label_names", "labels", "id2label", "idx_to_class",
               "class_to_idx", "label2id")  # fmt: skip
"""Keys under which programs keep the classes: in the order of the rows, or with their numbers."""


@dataclass(frozen=True)
class _Place:
    """Where a tensor lies: a file and a byte range, or a tensor that is mapped already."""

    kind: str
    shape: tuple[int, ...]
    file: Path | None = None
    offset: int = 0
    tensor: Tensor | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


class TensorFile(Mapping[str, "Tensor"]):
    """A checkpoint, opened lazily: names, shapes and dtypes at once, numbers when asked for.

    Made by :func:`open_tensors`. Indexing reads one tensor; :meth:`block` and :meth:`read` read a
    part of one, so that files larger than memory can be worked on. Torch is imported only where a
    tensor or a torch dtype is asked for.

    Attributes:
        path: What was opened.
        files: The files that hold numbers, in order.
        metadata: The ``__metadata__`` of the (first) safetensors file; of a ``.pt`` its lists of
            classes.
        notes: Which of several networks in it this is, and what was changed in the look at it.

    Example:
        >>> opened = sf.weights.open_tensors("start.safetensors")
        >>> list(opened), opened["w"]
        (['w'], tensor([0., 2.]))
    """

    def __init__(
        self,
        path: Path,
        files: tuple[Path, ...],
        places: Mapping[str, _Place],
        metadata: Mapping[str, str],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.path, self.files, self.metadata, self.notes = path, files, dict(metadata), notes
        self._places = dict(places)
        self._maps: dict[Path, MappedFile] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        return self.block(name, 0, place.numel).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def kind(self, name: str) -> str:
        """The number format of one tensor: a name of :data:`~.dtypes.KINDS`; nothing is read."""
        return self._places[name].kind

    def dtype(self, name: str) -> torch.dtype:
        """The dtype of one tensor; nothing is read."""
        import torch

        found: torch.dtype = getattr(torch, kind_name(self._places[name].kind))
        return found

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one tensor; nothing is read."""
        return self._places[name].shape

    def numel(self, name: str) -> int:
        """How many numbers one tensor holds; nothing is read."""
        return self._places[name].numel

    def identity(self, name: str) -> tuple[object, ...]:
        """A key that two names share exactly when they are one tensor in the file."""
        place = self._places[name]
        if place.tensor is not None:
            from .ops import tied

            return tied(place.tensor)
        return (place.file, place.offset, place.kind, place.shape, name if not place.numel else "")

    def offset(self, name: str, start: int) -> int:
        """Where in its file number ``start`` of a tensor lies, in bytes; 0 where it is mapped."""
        place = self._places[name]
        return place.offset + start * KINDS[place.kind].size if place.file is not None else 0

    def renamed(self, names: Mapping[str, str], *notes: str) -> TensorFile:
        """The same tensors under other names: own name -> other."""
        places = {names[name]: place for name, place in self._places.items()}
        return TensorFile(self.path, self.files, places, self.metadata, (*self.notes, *notes))

    def with_rows(self, name: str, order: Sequence[int], *notes: str) -> TensorFile:
        """The same, the rows of one tensor in another order; it is held in memory."""
        places = {**self._places, name: _mapped(self[name][list(order)])}
        return TensorFile(self.path, self.files, places, self.metadata, (*self.notes, *notes))

    def outline(self) -> dict[str, TensorLayout]:
        """Every name with shape and format; nothing is read."""
        return {k: TensorLayout(p.kind, p.shape) for k, p in self._places.items()}

    def computed(self) -> list[str]:
        """Names of the floating tensors, in the order of the file."""
        return [name for name, place in self._places.items() if place.kind in COMPUTED_KINDS]

    def block(self, name: str, start: int, stop: int, out: Tensor | None = None) -> Tensor:
        """Numbers ``start`` to ``stop`` of a tensor in row-major order: (stop - start,), a copy.

        Args:
            name: Of the tensor.
            start: The first number.
            stop: Behind the last.
            out: Contiguous, (stop - start,), of the tensor's dtype; written to where given.

        Raises:
            CheckpointError: The file ends too early.
        """
        import torch

        place = self._places[name]
        if out is None:
            out = torch.empty(stop - start, dtype=self.dtype(name))
        if place.tensor is not None:
            return out.copy_(place.tensor.reshape(-1)[start:stop])
        self._fill(name, start, out.view(torch.uint8).numpy())
        return out

    def read(self, name: str, start: int, stop: int, room: Bytes) -> Stored:
        """The same as it is stored, in ``room``, (bytes,) of them.

        Raises:
            CheckpointError: As :meth:`block`.
        """
        place = self._places[name]
        stored = Stored(place.kind, room)
        if place.tensor is not None:
            stored.tensor().copy_(place.tensor.reshape(-1)[start:stop])
        else:
            self._fill(name, start, room)
        return stored

    def view(self, name: str, start: int, stop: int) -> Stored | None:
        """The same where it lies, read-only, until this thread asks for the next piece of the file.

        None where it has to be read: it is no safetensors file, its numbers lie at odd addresses,
        or the system (not Linux) cannot take mapped pages back.

        Raises:
            CheckpointError: As :meth:`block`.
        """
        place = self._places[name]
        if place.file is None or not CAN_MAP or place.offset % KINDS[place.kind].size:
            return None
        with self._lock:
            if place.file not in self._maps:
                self._maps[place.file] = MappedFile(place.file)
        mapped, at = self._maps[place.file], self.offset(name, start)
        end = at + (stop - start) * KINDS[place.kind].size
        if end > mapped.size:
            raise _too_short(place.file, name)
        return Stored(place.kind, mapped.piece(at, end))

    def _fill(self, name: str, start: int, room: Bytes) -> None:
        place = self._places[name]
        if place.file is None or not len(room):
            return
        # No mapping: torch could write to read-only pages, which would kill the process.
        with open(place.file, "rb", buffering=0) as source:
            source.seek(self.offset(name, start))
            free: memoryview = room.data
            got = 0
            while got < len(free):
                step = source.readinto(free[got:])
                if not step:
                    raise _too_short(place.file, name)
                got += step


def open_tensors(path: str | os.PathLike[str]) -> TensorFile:
    """Open a checkpoint without reading its numbers.

    Args:
        path: A ``.safetensors`` file; a sharded one's ``*.index.json``; a folder that holds one
            of these; or a ``.pt``, ``.pth`` or ``.bin`` of a state dict, which is mapped and read
            without running anything (``weights_only``).

    Raises:
        CheckpointError: There is no such file, or it cannot be read as a checkpoint.

    Example:
        >>> sf.weights.open_tensors("start.safetensors")["w"]
        tensor([0., 2.])
    """
    target = _resolve(Path(path))
    if target.name.endswith(".index.json"):
        return _open_sharded(target)
    if target.suffix == ".safetensors":
        places, metadata = _header(target)
        return TensorFile(target, (target,), places, metadata)
    return _open_torch(target)


def _resolve(path: Path) -> Path:
    if path.is_dir():
        for pattern in ("model.safetensors", "*.safetensors.index.json", "*.safetensors"):
            found = sorted(path.glob(pattern))
            if len(found) == 1:
                return found[0]
    if path.is_file():
        return path
    what = "holds no single checkpoint" if path.is_dir() else "does not exist"
    raise CheckpointError(
        f"{path} {what}",
        expected="a .safetensors file, a sharded one's .index.json, or a .pt of a state dict",
        fix="give the path of the file itself",
    )


def _too_short(path: Path, name: str) -> CheckpointError:
    return CheckpointError(f"{path} ends inside of {name!r}", fix="copy or download it again")


def _unreadable(path: Path, why: object) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as a checkpoint ({why})",
        expected="a complete .safetensors file, or a .pt of a state dict",
        fix="copy or download it again; convert other formats by loading them with surefoot first",
    )


def _header(path: Path) -> tuple[dict[str, _Place], dict[str, str]]:
    """Places of all tensors, in the order of their bytes, and the metadata."""
    try:
        with safe_open(path, framework="numpy") as checked:  # checks sizes and offsets
            metadata = checked.metadata() or {}
        with open(path, "rb") as source:
            (length,) = struct.unpack("<Q", source.read(8))
            head: dict[str, Any] = json.loads(source.read(length))
    except (OSError, SafetensorError, ValueError, struct.error) as error:
        raise _unreadable(path, error) from error
    head.pop("__metadata__", None)
    places = {}
    for name, entry in sorted(head.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] not in KINDS:
            raise _unreadable(path, f"{name!r} is of the dtype {entry['dtype']}")
        where = 8 + length + entry["data_offsets"][0]
        places[name] = _Place(entry["dtype"], tuple(entry["shape"]), path, where)
    return places, metadata


def _open_sharded(index: Path) -> TensorFile:
    table = shards_of(index)
    files = tuple(sorted(set(table.values())))
    absent = [f.name for f in files if not f.is_file()]
    if absent:
        raise CheckpointError(f"{index} names the file {absent[0]!r}, which is not there",
                              expected=f"{len(files)} files beside the index",
                              fix="copy or download the missing ones")  # fmt: skip
    headers = {f: _header(f) for f in files}
    lost = [k for k, file in table.items() if k not in headers[file][0]]
    if lost:
        raise _unreadable(index, f"{table[lost[0]].name} does not hold {lost[0]!r}")
    places = {k: p for f in files for k, p in headers[f][0].items() if table.get(k) == f}
    return TensorFile(index, files, places, headers[files[0]][1] if files else {})


def shards_of(index: Path) -> dict[str, Path]:
    """Tensor name -> its file, as ``*.index.json`` of the Hugging Face format lists them.

    A name may lead into a folder beside the index, and not out of it. Links are followed, as the
    hub's cache has them; that they were made is not the index's doing.

    Raises:
        CheckpointError: It is no such list, or names a file outside of its own folder.
    """
    try:
        table: dict[str, str] = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(index, error) from error
    for name in table.values():
        if not isinstance(name, str) or not _inside(name):
            raise CheckpointError(
                f"{index} names the file {str(name)[:200]!r}, which lies outside of its folder",
                expected="files beside the index, or in folders beside it",
                fix="do not use this checkpoint, or correct the names in its index",
            )
    return {k: index.parent / name for k, name in table.items()}


def _inside(name: str) -> bool:
    """Does a relative path stay below where it begins, on every system?"""
    path = PureWindowsPath(name)  # takes both slashes for separators and knows drives
    return bool(path.parts) and not path.anchor and ".." not in path.parts and "\0" not in name


def _open_torch(path: Path) -> TensorFile:
    import torch

    from .roles import innermost

    try:
        # Files of before torch 1.6 are no archives and cannot be mapped.
        mapped = zipfile.is_zipfile(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # what is no checkpoint can break the unpickler in any way
        raise _unreadable(path, str(error).splitlines()[0] if str(error) else error) from error
    loaded, way = innermost(loaded, _tensors)
    if not _tensors(loaded):
        raise _unreadable(path, "it holds no state dict")
    places = {k: _mapped(t) for k, t in _tensors(loaded).items()}
    notes = tuple(f"{path.name}: {step.why}" for step in way if step.why)
    metadata = _class_lists([*(step.held for step in way), loaded])
    return TensorFile(path, (path,), places, metadata, notes)


def _class_lists(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The lists of classes beside the weights, as JSON, as the metadata of a safetensors file."""
    found = {key: held[key] for held in entries for key in CLASS_LISTS if key in held}
    return {key: json.dumps(names) for key, names in found.items()
            if _plain(names) and names}  # fmt: skip


def _plain(names: Any) -> bool:
    """A list of texts, or a mapping between texts and numbers."""
    if isinstance(names, Mapping):
        return all(isinstance(part, (str, int)) for pair in names.items() for part in pair)
    return isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)


def _tensors(value: Any) -> dict[str, Tensor]:
    """The tensors that a dictionary holds, by name."""
    from torch import Tensor

    entries = value.items() if isinstance(value, Mapping) else ()
    return {str(k): t.detach() for k, t in entries if isinstance(t, Tensor)}


def _mapped(tensor: Tensor) -> _Place:
    return _Place(kind_of(tensor.dtype), tuple(tensor.shape), tensor=tensor)
