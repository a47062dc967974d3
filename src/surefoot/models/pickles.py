"""Pickles from strangers, read without running them.

A pickle is a program. :class:`Restricted` runs it with nothing to call but builders of tensors and
plain containers. Every other class becomes an inert stand-in that keeps the state it is given and
does nothing; so a module pickled whole still gives up its parameters although its class does not
exist here. Two things are refused with :class:`UnsafePickle`, which names the global: anything
from the standard library (``os.system``, ``builtins.eval``), and any attempt to *call* a stand-in
(an object of a module is made by ``__new__`` and its state, it is never called).
"""

from __future__ import annotations

import io
import pickle
import sys
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import torch
from torch import Tensor

from ..unpickling import RestrictedUnpickler

__all__ = ["Inert", "Restricted", "load_torch", "load_torchscript"]


class _InertType(type):
    origin: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """What REDUCE does: a call. Only names known to be harmless data may be called."""
        if cls.origin not in _DATA:
            raise Restricted.refusal(cls.origin, "call")
        return cls.__new__(cls, *args)  # type: ignore[arg-type]


class Inert(metaclass=_InertType):
    """Stands where an object of the pickle would be; keeps its state, does nothing.

    Attributes:
        origin: Full name of the class in the pickle.
        state: What the pickle gave it, usually its ``__dict__``.
        args: Arguments of its constructor, if any.
        items: Entries, where the class was a list or a dictionary.
    """

    origin = ""
    state: Any
    args: tuple[Any, ...]
    items: list[Any]

    def __new__(cls, *args: Any) -> Inert:
        """What NEWOBJ does; nothing of the class named in the pickle runs."""
        made = object.__new__(cls)
        made.state, made.args, made.items = {}, args, []
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, value: Any) -> None:
        """As a list of the pickle would."""
        self.items.append(value)

    def extend(self, values: Any) -> None:
        """As a list of the pickle would."""
        self.items.extend(values)

    def attributes(self) -> dict[str, Any]:
        """Its ``__dict__``, slots included."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:
            state = {**(state[0] or {}), **(state[1] or {})}
        return state if isinstance(state, dict) else {}


_DATA = {
    "argparse.Namespace",
    "functools.partial",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "types.SimpleNamespace",
    "enum.Enum",
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "torchvision.transforms.functional.InterpolationMode",
    "torchvision.transforms.functional_pil.InterpolationMode",
    "PIL.Image.Resampling",
    "builtins.getattr",
    "torch.device",
    "torch.Size",
}
"""Names that are called to make plain data. They stay inert all the same."""


class _Call:
    """A builder that the pickle may call; made anew, so that it cannot be altered for others."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise Restricted.refusal(repr(self._function), "alter")


class _Storage:
    def __init__(self, untyped: torch.UntypedStorage, dtype: torch.dtype) -> None:
        self.untyped = untyped
        self.dtype = dtype


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """A tensor over a storage; hooks and gradients that the pickle asks for are left out."""
    untyped = storage.untyped if isinstance(storage, _Storage) else storage._untyped_storage
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if 0 not in tuple(size) and last * storage.dtype.itemsize > untyped.nbytes():
        raise pickle.UnpicklingError("a tensor reaches past the end of its storage")
    return torch.empty(0, dtype=storage.dtype).set_(untyped, offset, tuple(size), tuple(stride))


def _first(value: Any, *_: Any) -> Any:
    return value


def _old_tensor(storage: Any, offset: int, size: Any, stride: Any) -> Tensor:
    return _tensor(storage, offset, size, stride)


_BUILDERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor": _old_tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": lambda func, kind, args, state: func(*args),
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.build_tensorlist": _first,
    "torch.jit._pickle.restore_type_tag": _first,
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": lambda *_: defaultdict(),
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.complex": complex,
    "builtins.slice": lambda *args: list(args),
}

_BUILTIN_TYPES = {"int", "float", "bool", "str", "bytes", "list", "dict", "tuple", "object", "type"}
_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Restricted(RestrictedUnpickler):
    """An unpickler that builds tensors, plain containers and inert stand-ins.

    Attributes:
        classes: Full names of the stand-ins that the pickle asked for.
    """

    classes: set[str]
    holds = "tensors, dictionaries, lists, numbers, strings and modules as inert data"
    fix = "do not load this file; ask its author for safetensors, or for a state dict"

    def __init__(self, file: IO[bytes], **settings: Any) -> None:
        super().__init__(file, encoding=settings.get("encoding", "utf-8"))
        self.classes = set()

    def stands_for(self, module: str, name: str) -> Any:
        """A builder, a storage, a dtype, or an inert stand-in; None for the standard library."""
        full = f"{module}.{name}"
        if full in _BUILDERS:
            return _Call(_BUILDERS[full])
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if full not in _DATA:
            root = module.split(".")[0]
            plain = module == "builtins" and name in _BUILTIN_TYPES
            if root in sys.stdlib_module_names and not plain:
                return None
        self.classes.add(full)
        return _InertType(name.rsplit(".", 1)[-1], (Inert,), {"origin": full})


def load_torch(path: Path) -> tuple[Any, frozenset[str]]:
    """What ``torch.save`` wrote, zip or older format, through :class:`Restricted`.

    Returns:
        The object, with stand-ins where classes would be, and their full names.

    Raises:
        UnsafePickle: The pickle wants to use or call something else.
        pickle.UnpicklingError, RuntimeError, EOFError: The file is damaged.
    """
    classes: set[str] = set()

    class Unpickler(Restricted):
        def __init__(self, file: IO[bytes], **settings: Any) -> None:
            super().__init__(file, **settings)
            self.classes = classes

    module = ModuleType("surefoot_restricted")
    module.Unpickler = Unpickler  # type: ignore[attr-defined]
    module.load = lambda file, **settings: Unpickler(file, **settings).load()  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        # torch compares the pickled source of a class with ours; there is none here.
        warnings.simplefilter("ignore")
        value = torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
    return value, frozenset(classes)


class _Archive(Restricted):
    """The data.pkl of a TorchScript archive, whose storages are records of the same zip."""

    def __init__(self, archive: zipfile.ZipFile, record: str) -> None:
        super().__init__(io.BytesIO(archive.read(record)))
        self.archive = archive
        self.folder = record.rsplit("/", 1)[0]
        self.cache: dict[str, torch.UntypedStorage] = {}

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage: ("storage", dtype, key, device, length)."""
        _, dtype, key, _, _ = pid
        if key not in self.cache:
            raw = self.archive.read(f"{self.folder}/data/{Path(key).name}")
            self.cache[key] = torch.frombuffer(bytearray(raw), dtype=torch.uint8).untyped_storage()
        return _Storage(self.cache[key], dtype)


def load_torchscript(path: Path) -> tuple[Any, frozenset[str]]:
    """The module tree of a TorchScript archive as stand-ins; its code is never compiled or run.

    ``torch.jit.load`` would build the program of the archive. Only its data are wanted: the pickle
    ``data.pkl`` and the raw storages beside it.

    Raises:
        UnsafePickle: As :func:`load_torch`.
        KeyError: The archive lacks a record.
    """
    with zipfile.ZipFile(path) as archive:
        record = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
        reader = _Archive(archive, record)
        return reader.load(), frozenset(reader.classes)
