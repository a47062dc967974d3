"""Label values to class indices: what every reader of a table does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ClassMismatch, DataError
from .dataset import Domain, Split, Use
from .strings import natural

__all__ = [
    "by_number",
    "class_order",
    "label_names",
    "listed_classes",
    "metadata_column",
    "not_classes",
    "parts_for",
    "relabelled",
    "role_of",
]

_ROLE = re.compile(
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?|dev)|(?P<test>test(?:ing)?))"
    r"(?:[\s_-]?(?:set|split|data|images?|imgs?))?",
    re.IGNORECASE,
)
"""What parts of a data set are called that are splits."""

_WIDEST = 64 * 2**20
"""Bytes that a column of fixed-width strings may take before it becomes one of shared objects."""


def role_of(name: str) -> Use | None:
    """The use that a part of a data set is called after ("train", "Training", "test_set")."""
    found = _ROLE.fullmatch(name.strip())
    return found and found.lastgroup  # type: ignore[return-value]  # the groups are the uses


def listed_classes(folder: Path) -> Path | None:
    """The file that lists the classes of what lies in a folder, one a line, where there is one."""
    places = (folder / "classes.txt", folder / "classnames.txt", folder.parent / "classnames.txt")
    return next((place for place in places if place.is_file()), None)


def class_order(
    found: Sequence[str], class_names: Sequence[str] | None, *, where: str
) -> tuple[str, ...]:
    """The classes in label order: as given, or those found, sorted (as numbers where all are).

    Raises:
        ClassMismatch: A class was found that is not among those given.
    """
    if class_names is None:
        return tuple(natural(found))
    foreign = [c for c in natural(found) if c not in set(class_names)]
    if foreign:
        more = f" and {len(foreign) - 8} more" if len(foreign) > 8 else ""
        raise ClassMismatch(
            f"{where} has {len(foreign)} class{'es' * (len(foreign) != 1)} that the training set "
            "does not have: "
            f"{', '.join(foreign[:8])}{more}",
            expected=f"only {', '.join(list(class_names)[:12])}"
            + (", ..." if len(class_names) > 12 else ""),
            fix="rename the classes; for a shifted set, join them by a class map "
            "(YAML, lines `shift class: task class`)",
        )
    return tuple(class_names)


def parts_for(use: Use, parts: Sequence[str], *, where: str, name: str) -> list[str]:
    """The parts that serve a use where none was named: every spelling of it; else all are refused.

    A test is also served by validation parts where there is none of its own (many published sets
    keep the labels of theirs): the reader says so.

    Args:
        use: "train", "val" or "test".
        parts: Names of the parts that there are.
        where: The data set, for the message.
        name: How to name a part of it.

    Returns:
        [] where no part is called after any use: then all is one part.

    Raises:
        DataError: Some are, but none of them serves this use.
    """
    roles = {part: role_of(part) for part in parts}
    for role in (use, "val") if use == "test" else (use,):
        mine = [part for part in parts if roles[part] == role]
        if mine or not any(roles.values()):
            return mine
    raise DataError(
        f"{where} has no split that serves as {use}",
        expected=f"one of {', '.join(parts)}",
        fix=f"name it: {name}{parts[0]}",
    )


def label_names(
    codes: NDArray[np.int64],
    values: Sequence[Any],
    class_names: Sequence[str] | None,
    *,
    where: str,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Dictionary-encoded label values -> labels (n,) and class names.

    Args:
        codes: (n,) index into ``values``; negative where the label is missing.
        values: Distinct values of any plain type; 3 and 3.0 are the class "3".
        class_names: The order wanted, or None.
        where: Named in messages.

    Raises:
        DataError: A label is missing, or labels are quantities.
        ClassMismatch: A class is not among ``class_names``.
    """
    fraction = next((v for v in values if isinstance(v, float) and v % 1 > 0), None)
    if fraction is not None:
        raise not_classes(where, "label", f"numbers with fractions ({fraction:g})")
    texts = [_text(v) for v in values]
    blank = {i for i, t in enumerate(texts) if not t}
    missing = np.flatnonzero((codes < 0) | np.isin(codes, list(blank)))
    if len(missing):
        rows = ", ".join(str(int(i) + 1) for i in missing[:8])
        several = len(missing) != 1
        raise DataError(
            f"{len(missing)} row{'s' * several} of {where} {'have' if several else 'has'} no label "
            f"(row{'s' * several} {rows}{', ...' if len(missing) > 8 else ''}, counted from 1)",
            expected="a label in every row",
            fix="fill them in, or leave those rows out with a filter",
        )
    used = [texts[i] for i in np.unique(codes).tolist()]
    names = class_order(used, class_names, where=where)
    position = {name: i for i, name in enumerate(names)}
    table = np.array([position.get(t, -1) for t in texts] or [-1], dtype=np.int64)
    return table[codes], names


def by_number(values: Sequence[Any], names: Sequence[str], *, where: str) -> list[Any]:
    """What the numbers of a list of classes stand for; None for those that say "no label".

    Args:
        values: Distinct labels; negative ones are of hidden test sets, NaN of tables in which a
            label was missing, so that whole numbers became floats.
        names: Of the classes, the first for class 0.
        where: Named in messages.

    Returns:
        The values themselves where they are no whole numbers.

    Raises:
        DataError: A number beyond the list.
    """
    known = [v for v in values if v is not None and v == v]
    if not all(isinstance(v, (int, float)) and v % 1 == 0 for v in known):
        return list(values)
    beyond = [int(v) for v in known if v >= len(names)]
    if beyond:
        raise DataError(
            f"{where} names {len(names)} classes, and a row has class {beyond[0]}",
            expected=f"numbers from 0 to {len(names) - 1}",
        )
    return [None if v is None or v != v or v < 0 else names[int(v)] for v in values]


def _text(value: Any) -> str:
    if value is None or value != value:  # NaN is no number, and no class
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip()


def not_classes(where: str, column: str, holds: str) -> DataError:
    """That a column holds something else than a class for each row."""
    return DataError(
        f"the label column {column!r} of {where} holds {holds}, not one class for each image",
        expected="a ClassLabel, whole numbers or text",
        fix="write a column with one class a row; images of several classes at once, boxes and "
        "quantities are no labels here",
    )


def metadata_column(codes: NDArray[np.int64], values: Sequence[Any]) -> NDArray[Any]:
    """Dictionary-encoded values -> a column (n,): numbers stay numbers, the rest are strings.

    Args:
        codes: (n,) index into ``values``; negative where the value is missing, which becomes NaN
            or "".
        values: Distinct values.
    """
    known = [v for v in values if v is not None]
    if known and all(isinstance(v, (int, float, bool)) for v in known):
        if len(known) == len(values) and (codes >= 0).all():
            return np.array(values)[codes]
        numbers = np.array([np.nan if v is None else float(v) for v in values] + [np.nan])
        return numbers[codes]
    texts = [("" if v is None else str(v)) for v in values] + [""]
    width = max(map(len, texts)) * 4
    return np.array(texts, dtype=np.str_ if width * len(codes) <= _WIDEST else object)[codes]


def relabelled(
    split: Split, class_names: Sequence[str] | None, *, name: str, domain: Domain, use: Use
) -> Split:
    """The same images under another name and, if given, in another label order.

    Raises:
        ClassMismatch: A class of the split is not among ``class_names``.
    """
    changed = replace(split, name=name, domain=domain, use=use)
    if class_names is None or split.labels is None or split.class_names == tuple(class_names):
        return changed  # also where two classes share a name
    names = class_order(split.class_names, class_names, where=split.source or split.name)
    position = {c: i for i, c in reversed(list(enumerate(names)))}
    table = np.array([position[c] for c in split.class_names], dtype=np.int64)
    return replace(changed, labels=table[split.labels], class_names=names)
