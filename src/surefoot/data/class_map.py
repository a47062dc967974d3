"""Reads class maps: YAML, ``shift class: task class``."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from ..errors import DataError
from .dataset import ClassMap

__all__ = ["read_class_map"]

_EXPECTED = "lines `shift class: task class`, such as `tabby_cat: cat`"
_SEVERAL = "one task class, or a list of those that count as one: [tabby_cat, tiger_cat]"


def read_class_map(path: str | os.PathLike[str]) -> ClassMap:
    """A class map from a YAML file of lines ``shift class: task class``.

    A list, ``shift class: [task class, task class]``, makes task classes count as one.
    Numbers and words such as ``no`` must be quoted: YAML would read ``007`` as 7 and ``no`` as
    false, and the class folder of that name would not be found.

    Raises:
        DataError: The file is missing, is no YAML mapping, is empty, names a shift class twice,
            or holds something other than strings; the line is given.
    """
    file = Path(path)
    try:
        root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        raise DataError(
            f"there is no class map {file}", expected=f"a YAML file of {_EXPECTED}"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(
            f"the class map {file} cannot be read: {_one_line(error)}", expected=_EXPECTED
        ) from error
    if root is None or not isinstance(root, yaml.MappingNode) or not root.value:
        empty = root is None or isinstance(root, yaml.MappingNode)
        raise DataError(
            f"the class map {file} is {'empty' if empty else 'not a mapping'}", expected=_EXPECTED
        )
    pairs: dict[str, str | tuple[str, ...]] = {}
    for key, value in root.value:
        name, target = _string(key, file), _target(value, file)
        if name in pairs:
            raise DataError(
                f"line {_line(key)} of {file} names the shift class {name!r} a second time",
                expected="each shift class once; several may lead to one task class",
                fix="remove one of the two lines",
            )
        pairs[name] = target
    return ClassMap(pairs)


def _target(node: yaml.Node, file: Path) -> str | tuple[str, ...]:
    """One task class, or several from a list."""
    if not isinstance(node, yaml.SequenceNode):
        return _string(node, file)
    names = tuple(_string(item, file) for item in node.value)
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"line {_line(node)} of {file} holds a list that is empty or names a class twice",
            expected=_SEVERAL,
        )
    return names[0] if len(names) == 1 else names


def _string(node: yaml.Node, file: Path) -> str:
    """The text of a node that is a string for YAML."""
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str" and node.value:
        return str(node.value)
    scalar = isinstance(node, yaml.ScalarNode)
    kind = node.tag.rsplit(":", 1)[-1] if scalar else "list or mapping"
    shown = repr(node.value) if scalar else "a nested value"
    empty = scalar and not node.value
    raise DataError(
        f"line {_line(node)} of {file} holds "
        + ("an empty class name" if empty else f"{shown}, which YAML reads as a {kind}"),
        expected=_EXPECTED,
        fix="write a class name there"
        if empty or not scalar
        else f'write "{node.value}" in quotes',
    )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
