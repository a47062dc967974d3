"""A package as a table of contents: its names are imported when they are used."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

__all__ = ["lazy"]


def lazy(
    package: str,
    where: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    rooms: Collection[str] = (),
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names lie in modules of it.

    A module of the same name as something in it does not hide it: importing
    ``surefoot.weights.audit`` sets the package's attribute to that module, and what users mean by
    ``surefoot.weights.audit`` is the function in it. A module that can itself be called, as
    ``surefoot.select``, stands for both.

    Args:
        package: ``__name__`` of the package, which is being imported.
        where: Name -> module, relative to the package.
        renamed: Old name -> the new one ("Path.between"), which it gives with a warning.
        rooms: Modules and packages of it that need no import of their own.
    """
    module = sys.modules[package]

    class Contents(ModuleType):
        def __setattr__(self, name: str, value: Any) -> None:
            if name not in where or not isinstance(value, ModuleType) or callable(value):
                super().__setattr__(name, value)

    module.__class__ = Contents

    def get(name: str) -> Any:
        if renamed is not None and name in renamed:
            new = renamed[name]
            warnings.warn(
                f"{package}.{name} is now {package}.{new}; the old name goes with the next release",
                DeprecationWarning,
                stacklevel=2,
            )
            holder, _, attribute = new.partition(".")
            found = getattr(module, holder)
            return getattr(found, attribute) if attribute else found
        if name in rooms:
            return importlib.import_module(f".{name}", package)
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = importlib.import_module(f".{where[name]}", package)
        value = home if where[name] == name and callable(home) else getattr(home, name)
        vars(module)[name] = value
        return value

    return get
