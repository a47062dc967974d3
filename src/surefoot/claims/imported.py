"""Imports what measuring a method needs, so that processes can begin as copies of one that has.

Nothing is computed here: a process with running threads could not be copied.
"""

from __future__ import annotations

import contextlib
import importlib

from ..data import builtin
from ..methods import parse
from ..models import load, tiny
from ..recipes import auto_lr
from ..registry import METHODS

__all__ = ["auto_lr", "builtin", "load", "parse", "tiny"]  # fmt: skip

for _name in METHODS.names():
    with contextlib.suppress(Exception):  # a plug-in that cannot be imported says so when used
        METHODS.get(_name)
with contextlib.suppress(ImportError):
    importlib.import_module("peft")
