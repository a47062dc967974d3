"""Methods of one's own, in a file that the user named: loaded, registered, remembered."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ..errors import ModelError
from ..registry import METHODS
from .base import Method

__all__ = ["OWN", "OwnMethod", "methods_in", "own_problems", "register_class", "register_file"]


@dataclass(frozen=True)
class OwnMethod:
    """Where a method of one's own was written.

    Attributes:
        name: As recipes call it.
        source: The file's bytes.
    """

    name: str
    source: bytes

    @property
    def sha256(self) -> str:
        """Of the source, hexadecimal."""
        return hashlib.sha256(self.source).hexdigest()


OWN: dict[str, OwnMethod] = {}
"""Name -> source, of the methods of one's own that this process registered."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def methods_in(file: str | Path) -> tuple[list[type[Method]], bytes]:
    """Run a file of Python; gives the methods that it defines, and its bytes.

    Only for a file that the user named, on the command line or in Python: its code is run.

    Raises:
        ModelError: There is no such file, or it cannot be run.
    """
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"there is no file {file}", expected="a file of Python")
    source = path.read_bytes()
    module = ModuleType(f"surefoot_own_{hashlib.sha256(source).hexdigest()[:16]}")
    module.__file__ = str(path.resolve())
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(source, module.__file__, "exec"), vars(module))
    except Exception as error:  # whatever a user's file raises
        raise ModelError(
            f"{file} cannot be imported: {type(error).__name__}: {error}", fix="mend the file"
        ) from error
    kinds = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Method)
        and kind.__module__ == module.__name__ and not inspect.isabstract(kind)
    ]  # fmt: skip
    return kinds, source


def register_file(file: str) -> str:
    """Register the method of a file, ``my_ft.py`` or ``my_ft.py:MyClass`` where it has several.

    Returns:
        Its name, as recipes call it.

    Raises:
        ModelError: No file, no method in it, several and none chosen, or a name that is taken.
    """
    path, _, wanted = file.partition(".py:")
    path = f"{path}.py" if wanted else file
    kinds, source = methods_in(path)
    chosen = [k for k in kinds if not wanted or k.__name__ == wanted]
    if len(chosen) != 1:
        known = ", ".join(k.__name__ for k in kinds) or "none"
        raise ModelError(
            f"{path} defines {len(chosen)} methods{f' named {wanted}' * bool(wanted)}",
            expected=f"one surefoot.Method; it defines {known}",
            fix=f"choose one: {path}:{kinds[0].__name__}" if kinds else "see surefoot cp lp-ft",
        )
    return _register(chosen[0], source)


def register_class(kind: type[Method]) -> str:
    """Register a class that was written in Python, unless it is a registered one.

    Returns:
        Its name.

    Raises:
        ModelError: The name is that of another method.
    """
    name = kind.name
    if name in METHODS and METHODS.get(name) is kind:
        return name
    return _register(kind, _source(kind))


def _source(kind: type) -> bytes | None:
    """The file in which a class is written, or its own lines in a notebook; None: unknown."""
    try:
        return Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        pass
    try:
        return inspect.getsource(kind).encode()
    except (OSError, TypeError):
        return None


def _register(kind: type[Method], source: bytes | None) -> str:
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ModelError(
            f"{kind.__name__} has the name {name!r}",
            expected='name: ClassVar[str], such as "my-ft": small letters, digits, ".", "-", "_"',
        )
    taken = name in METHODS and name not in OWN
    if taken:
        raise ModelError(
            f"{kind.__name__} has the name {name!r}, which is another method's",
            expected="a name of its own",
            fix="change `name` in the class",
        )
    METHODS.add(name, kind, replace=True)
    OWN.pop(name, None)
    if source is not None:
        OWN[name] = OwnMethod(name, source)
    return name


def own_problems(recorded: Sequence[tuple[str, str]]) -> list[str]:
    """What keeps methods of one's own from being used as they were recorded.

    Args:
        recorded: (name, sha256 of its file).
    """
    problems = []
    for name, sha256 in recorded:
        own = OWN.get(name)
        if own is None:
            problems.append(
                f"own_methods.{name}: is in a file of your own, which a recipe cannot name: give "
                "it by --method FILE.py (a run folder has a copy in code/)"
            )
        elif own.sha256 != sha256:
            problems.append(
                f"own_methods.{name}: its file has changed: sha256 {own.sha256[:12]}..., recorded "
                f"{sha256[:12]}... (the recorded one is in code/ of the run folder)"
            )
    return problems
