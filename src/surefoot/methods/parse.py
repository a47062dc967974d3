"""Plain data (a recipe, the command line) -> methods, with every problem found at once."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import RecipeError, SurefootError, UnknownName
from ..registry import METHODS, nearest
from .base import Method

__all__ = ["build_method", "method_from"]


def method_from(data: str | Mapping[str, Any], *, where: str = "the method") -> Method:
    """A method by name, or from a mapping with ``name`` and any of its fields.

    Raises:
        RecipeError: With every problem: unknown name, unknown fields, values that do not fit.
    """
    problems: list[str] = []
    method = build_method({"name": data} if isinstance(data, str) else data, where, problems)
    if problems or method is None:
        raise RecipeError(problems, where=where)
    return method


def build_method(data: Mapping[str, Any], where: str, problems: list[str]) -> Method | None:
    """Like :func:`method_from`, but appends to ``problems`` and returns None where any arose."""
    name = data.get("name")
    if not isinstance(name, str):
        problems.append(f"{where}: `name` is missing; methods are {', '.join(METHODS.names())}")
        return None
    try:
        kind = METHODS.get(name)
    except UnknownName as error:
        problems.append(f"{where}: {error.wrong} Methods are {', '.join(METHODS.names())}")
        return None
    given = {k: v for k, v in data.items() if k != "name"}
    built = _build(kind, given, None, where, problems)
    return typing.cast("Method | None", built)


def _build(kind: type, data: Mapping[str, Any], base: Any, where: str, problems: list[str]) -> Any:
    """A dataclass from plain data; fields not given come from ``base``, where there is one."""
    before = len(problems)
    hints = typing.get_type_hints(kind)
    names = [f.name for f in fields(kind)]
    values = {} if base is None else {n: getattr(base, n) for n in names}
    for key, value in data.items():
        at = f"{where}.{key}"
        if key not in names:
            near = nearest(key, names)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{at}: {kind.__name__} has no field {key!r}{guess}")
            continue
        default = values.get(key, getattr(kind, key, None))
        values[key] = _value(hints[key], value, default, at, problems)
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except (SurefootError, ValueError) as error:
        problems.append(f"{where}: {getattr(error, 'wrong', error)}")
        return None


def _value(hint: Any, value: Any, default: Any, where: str, problems: list[str]) -> Any:
    """One field; a partial mapping for a nested dataclass starts from the field's own default."""
    if hint is Method:
        nested = {"name": value} if isinstance(value, str) else value
        if not isinstance(nested, Mapping):
            problems.append(f"{where}: a method's name or a mapping is expected, not {value!r}")
            return None
        return build_method(nested, where, problems)
    if is_dataclass(hint) and isinstance(value, Mapping):
        given = {k: v for k, v in value.items() if k != "name"}
        return _build(typing.cast(type, hint), given, default, where, problems)
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        for problem in error.errors():
            tail = "".join(f"[{p}]" for p in problem["loc"])
            problems.append(f"{where}{tail}: {problem['msg']}, not {problem['input']!r}")
        return None
