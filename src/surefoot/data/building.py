"""From what a container holds to a split: labels, classes, notes, what was left out; one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    if found.codes is not None:
        order = found.order if class_names is None else class_names
        where = where or found.source
        labels, classes = label_names(found.codes, found.values, order, where=where)
        _refuse_splits(classes, where)
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
        notes=(*found.notes, *(Note(said, "left out", rows=rows) for said, rows in left)),
        version=found.version,
        licence=found.licence,
    )


def _refuse_splits(classes: Sequence[str], where: str) -> None:
    """Classes called train and test: what was taken for the label is the split."""
    roles = {role_of(name) for name in classes}
    if len(classes) > 1 and None not in roles and len(roles) > 1:
        raise DataError(
            f"the classes of {where} are splits ({', '.join(classes)}), not classes",
            expected="classes: what is to be told apart in an image",
            fix="give one of the splits, or name the column of the classes",
        )
