"""What a method says about itself: fields, paper, name, and its way through a recipe."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

from ..methods.base import Method, as_dict
from ..methods.parse import build_method
from ..registry import METHODS
from .samples import require

__all__ = ["check_declaration", "check_recipe"]


def check_declaration(method: Method) -> None:
    """It is a frozen dataclass with name, paper, label, and a docstring that tells.

    Raises:
        AssertionError: Says what is missing.
    """
    kind: Any = type(method)
    require(isinstance(method, Method), f"{kind.__name__} is no surefoot.Method")
    require(is_dataclass(method), f"{kind.__name__} is no dataclass: put @dataclass(frozen=True) "
            "above it")  # fmt: skip
    require(_frozen(method), f"{kind.__name__} is not frozen: use @dataclass(frozen=True)")
    for fact in ("name", "paper"):
        value = getattr(kind, fact, None)
        require(isinstance(value, str) and bool(value.strip()),
                f"{kind.__name__} has no {fact}: give it as a ClassVar[str]")  # fmt: skip
    text = (kind.__doc__ or "").strip()
    # A dataclass without a docstring gets its signature for one.
    require(bool(text) and not text.startswith(f"{kind.__name__}("),
            f"{kind.__name__} has no docstring")  # fmt: skip
    for mark in _marks(method.paper):
        require(mark in text, f"the docstring of {kind.__name__} does not name its paper: {mark!r} "
                f"of {method.paper!r} is missing")  # fmt: skip
    told = "\n".join(base.__doc__ or "" for base in kind.__mro__ if issubclass(base, Method))
    silent = [f.name for f in fields(kind) if not re.search(rf"^\s+{f.name}:", told, re.M)]
    require(not silent, f"the docstring of {kind.__name__} does not describe the fields "
            f"{', '.join(silent)}: add them under `Attributes:`")  # fmt: skip
    label = method.label()
    require(isinstance(label, str) and bool(label.strip()), f"{kind.__name__}.label() is empty")


def check_recipe(method: Method) -> None:
    """It is plain data in a recipe, and comes back equal.

    Raises:
        AssertionError: Says which field does not.
    """
    name = method.name
    require(name in METHODS, f"the method {name!r} is not registered: add an entry point of the "
            f"group surefoot.methods, or METHODS.add({name!r}, ...)")  # fmt: skip
    require(METHODS.get(name) is type(method), f"the name {name!r} belongs to another method, "
            f"{METHODS.get(name).__name__}")  # fmt: skip
    plain = as_dict(method)
    try:
        read = json.loads(json.dumps(plain))
    except TypeError as error:
        raise AssertionError(f"{name} does not become plain data for a recipe: {error}") from error
    problems: list[str] = []
    back = build_method(read, name, problems)
    require(not problems, f"{name} does not come back from a recipe: {'; '.join(problems)}")
    require(back == method, f"{name} comes back from a recipe as {back!r}, not {method!r}")


def _frozen(method: Method) -> bool:
    """Does it refuse to be changed?"""
    probe = [f.name for f in fields(method)] or ["label"]  # type: ignore[arg-type]
    try:
        setattr(method, probe[0], getattr(method, probe[0]))
    except FrozenInstanceError:
        return True
    return False


def _marks(paper: str) -> list[str]:
    """What of a paper's record a docstring must hold: arXiv ids, or else the first author."""
    ids = re.findall(r"\d{4}\.\d{4,5}", paper)
    return ids or [re.split(r",| et al| and ", paper)[0].split()[-1]]
