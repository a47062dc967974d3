"""Joins the classes of a shifted set to those of the task: in YAML, by name, in numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from ..errors import ClassMismatch, DataError

__all__ = ["ClassMap", "Joined", "check_groups", "read_class_map"]

_EXPECTED = "lines `shift class: task class`, such as `tabby_cat: cat`"
_SEVERAL = "one task class, or a list of those that count as one: [tabby_cat, tiger_cat]"


@dataclass(frozen=True, eq=False)
class Joined:
    """A class map in numbers.

    Attributes:
        table: (shift classes,) int64: the task class of each, its group's first, -1 where the
            class is left out.
        present: Every task class that is led to, ascending; all members of groups among them.
        groups: Task classes that count as one, each ascending, ordered by their first; None where
            every class is its own.
    """

    table: NDArray[np.int64]
    present: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...] | None


@dataclass(frozen=True)
class ClassMap:
    """Joins the classes of a shifted set to those of the task.

    Attributes:
        pairs: Shift class name -> task class name, or several task class names that then count as
            one (ObjectNet's classes are several of ImageNet's each). Several shift classes may
            share a task class, or the same several. Classes of the shift that are absent are left
            out of its score.

    Example:
        >>> names = sf.ClassMap({"tabby": "cat", "beagle": "dog"})
        >>> names.join(["tabby", "beagle"], ["cat", "dog"]).table
        array([0, 1])
    """

    pairs: Mapping[str, str | tuple[str, ...]]

    def check(self, shift_classes: Sequence[str], task_classes: Sequence[str]) -> None:
        """Raise unless every pair joins classes that exist, and no class is in two groups.

        Raises:
            ClassMismatch: A name on either side does not exist, nothing is joined, or a task
                class is asked to count both alone and in a group, or in two groups.
        """
        theirs, ours = set(shift_classes), set(task_classes)
        ghosts = [k for k in self.pairs if k not in theirs]
        lost = [c for v in self.pairs.values() for c in _members(v) if c not in ours]
        bare = [k for k, v in self.pairs.items() if not _members(v)]
        wrong = (
            f"the class map names {ghosts[0]!r}, which is no class of the shifted set"
            if ghosts
            else f"the class map leads to {lost[0]!r}, which is no class of the task"
            if lost
            else f"the class map leads {bare[0]!r} to no class at all"
            if bare
            else "the class map is empty"
            if not self.pairs
            else self._overlap()
        )
        if wrong:
            raise ClassMismatch(
                wrong,
                expected="lines `shift class: task class` or `shift class: [task class, ...]`; "
                f"shift classes are {', '.join(list(shift_classes)[:12])}; task classes are "
                f"{', '.join(list(task_classes)[:12])}",
                fix="correct the class map (YAML)",
            )

    def _overlap(self) -> str:
        """What is wrong where two shift classes lead to some, but not all, of the same classes."""
        owner: dict[str, tuple[str, frozenset[str]]] = {}
        for name, value in self.pairs.items():
            members = frozenset(_members(value))
            for member in members:
                other, theirs = owner.setdefault(member, (name, members))
                if theirs != members:
                    return (
                        f"the class map leads both {other!r} and {name!r} to {member!r}, but not "
                        "to the same classes otherwise: an image could be right twice"
                    )
        return ""

    def join(self, shift_classes: Sequence[str], task_classes: Sequence[str]) -> Joined:
        """The map in numbers.

        Raises:
            ClassMismatch: See :meth:`check`.
        """
        self.check(shift_classes, task_classes)
        index = {c: i for i, c in reversed(list(enumerate(task_classes)))}
        table = np.full(len(shift_classes), -1, dtype=np.int64)
        groups: set[tuple[int, ...]] = set()
        present: set[int] = set()
        for i, name in enumerate(shift_classes):
            if name not in self.pairs:
                continue
            ids = tuple(sorted({index[c] for c in _members(self.pairs[name])}))
            table[i] = ids[0]
            present |= set(ids)
            if len(ids) > 1:
                groups.add(ids)
        return Joined(table, tuple(sorted(present)), tuple(sorted(groups)) or None)


def _members(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def check_groups(
    groups: Sequence[Sequence[int]],
    classes: Sequence[int] | None,
    labels: NDArray[np.int64] | None,
    *,
    where: str,
) -> None:
    """Raise unless groups are ascending, share no class, and every label in one is its first.

    Args:
        groups: Task classes that count as one.
        classes: What the split can contain; None: all.
        labels: (n,) of the split, or None.
        where: The split, for the message.

    Raises:
        DataError: A group that could never be scored right.
    """
    flat = [c for group in groups for c in group]
    others = [c for group in groups for c in group[1:]]
    wrong = (
        "is not ascending, or has fewer than two classes"
        if any(len(g) < 2 or list(g) != sorted(set(g)) for g in groups)
        else "shares a class with another"
        if len(set(flat)) < len(flat)
        else "has a class that the split cannot contain"
        if classes is not None and not set(flat) <= set(classes)
        else "has a label that is not its first class"
        if labels is not None and np.isin(labels, others).any()
        else ""
    )
    if wrong:
        raise DataError(
            f"a group of classes of {where!r} {wrong}",
            expected="groups such as (3, 7, 8), labelled 3, no class in two of them",
            fix="let Shift.of make them from a class map",
        )


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
