"""A published data set as a shift: class map, mask, groups, metric; and its ID control."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import DataError
from ..dataset import ClassMap, Shift, Split
from .find import CONTROL, KnownSpec, folder_of, locate, parse_known, read_known

__all__ = ["known_shift"]


def known_shift(
    spec: KnownSpec,
    name: str,
    task_classes: Sequence[str],
    *,
    class_map: ClassMap | None = None,
    metric: str | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Shift:
    """A shift with the class map, mask, groups, metric and version that the data set defines.

    "NAME:control" gives the matched ID control: the control's images of the classes (and in the
    groups) that the target has in this task.

    Args:
        spec: What was typed.
        name: Of the shift.
        task_classes: Of the task.
        class_map: Instead of the data set's own.
        metric: Instead of the data set's own.
        root: As in :func:`read_known`.

    Raises:
        ClassMismatch: The classes cannot be joined.
        DataError: It is not there or not readable.
    """
    if spec.split == CONTROL:
        return _control(spec, name, task_classes, class_map, metric, root)
    known = spec.known
    split = replace(read_known(spec, root=root), name=name)
    if class_map is None:
        class_map = known.class_map(folder_of(spec, root), split, task_classes)
    chosen = metric or known.metric_of(spec.split_for("test"))
    # A published target is scored over the classes that it can contain.
    shift = Shift.of(split, task_classes, class_map=class_map, metric=chosen, masked=True)
    return _with_accepted(replace(shift, name=name), split, task_classes, class_map)


def _control(
    spec: KnownSpec,
    name: str,
    task_classes: Sequence[str],
    class_map: ClassMap | None,
    metric: str | None,
    root: str | os.PathLike[str] | None,
) -> Shift:
    """The control's images in the target's classes, scored as the target is."""
    target = known_shift(
        replace(spec, split=None), name, task_classes, class_map=class_map, root=root
    )
    control = parse_known(spec.known.control or "")
    assert control is not None, f"{spec.known.control!r} names no data set"
    base = root
    if spec.place is not None and locate(control.known, spec.place.parent) is not None:
        base = spec.place.parent
    split = replace(read_known(control, root=base), name=name)
    full = Shift.of(split, task_classes)
    kept = set(target.classes or range(len(task_classes)))
    labels = full.split.require_labels()
    first = {i: group[0] for group in target.groups or () for i in group}
    at = [i for i, label in enumerate(labels.tolist()) if label in kept]
    if not at:
        raise DataError(
            f"{spec.known.control} has no image in the classes of {spec.known.name}",
            expected="the same classes in both",
        )
    taken = full.split.take(at, note=f"ID control of {spec.known.name}: "
                                     f"{len(at)} images of {len(kept)} classes")  # fmt: skip
    joined = taken.require_labels().copy()
    for member, speaker in first.items():
        joined[joined == member] = speaker
    shown = metric or ("top1" if spec.known.kind == "frames" else target.metric)
    split = replace(taken, labels=joined, domain="ID")
    return Shift(name, split, shown, target.classes, target.groups, target.masked_by)


def _with_accepted(
    shift: Shift,
    split: Split,
    task_classes: Sequence[str],
    class_map: ClassMap | None,
) -> Shift:
    """Frames may show several classes: "accepted" in the task's names, a group by its first."""
    if "accepted" not in split.metadata or class_map is None:
        return shift
    table = class_map.join(split.class_names, list(task_classes)).table
    ours = {c: task_classes[t] for c, t in zip(split.class_names, table.tolist(), strict=True)
            if t >= 0}  # fmt: skip
    texts = [
        "|".join(ours[c] for c in str(listed).split("|") if c in ours)
        for listed in shift.split.metadata["accepted"]
    ]
    metadata = {**shift.split.metadata, "accepted": np.array(texts, dtype=np.str_)}
    return replace(shift, split=replace(shift.split, metadata=metadata))
