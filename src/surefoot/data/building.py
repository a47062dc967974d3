"""From what a container holds to a split: labels, classes, notes, what was left out; one rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..inventory import Note
from .dataset import Domain, Split, Use
from .grouping import label_names, role_of
from .images import EncodedImages

__all__ = ["Found", "built"]


@dataclass
class Found:
    """What a container holds, before it plays a part in a task.

    Attributes:
        images: Of them.
        source: A place to find them again by.
        codes: (n,) index into ``values``, negative where a label is missing; None without labels.
        values: Distinct labels.
        order: The classes in label order, where the container lists them; None: sorted.
        captions: n texts, or None.
        metadata: Column name -> (n,).
        version: Of the data set, where the container tells it.
        licence: Likewise.
        notes: Sentences for the report.
        left_out: Sentence -> rows, files or samples that were read and are no part of it.
    """

    images: EncodedImages
    source: str
    codes: NDArray[np.int64] | None = None
    values: Sequence[Any] = ()
    order: Sequence[str] | None = None
    captions: Sequence[str] | None = None
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    version: str = "unversioned"
    licence: str = "unknown"
    notes: Sequence[str] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def built(
    found: Found,
    *,
    name: str,
    domain: Domain,
    use: Use,
    class_names: Sequence[str] | None,
    where: str = "",
) -> Split:
    """The split.

    Args:
        found: What the container holds.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test".
        class_names: The label order wanted; None: the container's, else sorted.
        where: How messages call the container; its source when left out.

    Raises:
        DataError: A row has no label, or the classes are the names of splits.
        ClassMismatch: A class that ``class_names`` does not have.
    """
    labels, classes = None, tuple(class_names or ())
    left = ((said, rows) for said, rows in found.left_out.items() if rows)
    odd: tuple[str, ...] = ()
    if found.codes is not None:
        where = where or found.source
        own = None if found.order is None else _distinct(found.order, where)
        order = own if class_names is None else class_names
        labels, classes = label_names(found.codes, found.values, order, where=where)
        _refuse_splits(classes, where)
        odd = () if class_names is not None else tuple(_odd(classes, where))
    return Split(
        name=name,
        images=found.images,
        labels=labels,
        class_names=classes,
        domain=domain,
        use=use,
        captions=found.captions,
        metadata=found.metadata,
        source=found.source,
        notes=(*found.notes, *odd, *(Note(said, "left out", rows=rows) for said, rows in left)),
        version=found.version,
        licence=found.licence,
    )


_NO_LABEL = frozenset({"nan", "NaN", "<NA>", "NaT", "None", "null", "NULL"})
"""What programs write for a missing label where it must be text."""


def _distinct(order: Sequence[str], where: str) -> tuple[str, ...]:
    """The names of a container's list; two classes of one name would become one."""
    names = tuple(str(name).strip() for name in order)
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise DataError(
            f"two classes are called {twice!r} in the list of {where}",
            expected="one distinct name for each class",
            fix="give one of the two another name",
        )
    return names


def _odd(classes: Sequence[str], where: str) -> Iterator[Note]:
    """Classes that may be one class in two spellings, or none."""
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    several = [", ".join(names) for names in alike.values() if len(names) > 1]
    if several:
        first = "; ".join(several[:4]) + "; ..." * (len(several) > 4)
        yield Note(f"WARNING: classes of {where} differ in case or blanks alone: {first}",
                   "warning")  # fmt: skip
    numbers = all(name.lstrip("-").isdecimal() for name in classes)
    none = [repr(c) for c in classes if c in _NO_LABEL or (numbers and c == "-1")]
    if none:
        yield Note(f"WARNING: {', '.join(none)} is a class of {where}: are these rows without a "
                   "label?", "warning")  # fmt: skip


def _refuse_splits(classes: Sequence[str], where: str) -> None:
    """Classes called train and test: what was taken for the label is the split."""
    roles = {role_of(name) for name in classes}
    if len(classes) > 1 and None not in roles and len(roles) > 1:
        raise DataError(
            f"the classes of {where} are splits ({', '.join(classes)}), not classes",
            expected="classes: what is to be told apart in an image",
            fix="give one of the splits, or name the column of the classes",
        )
