"""A task in a head's classes: labels matched by name, classes without an image included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ClassMismatch
from .dataset import Shift, Split, Task

__all__ = ["in_classes"]


def in_classes(task: Task, class_names: Sequence[str], *, whose: str) -> Task:
    """The task with these classes, in this order, so that a head of theirs can answer it.

    All of them count as answers, also those of which the task has no image; masks and groups of
    shifts stay what they are.

    Args:
        task: Its classes are among ``class_names``.
        class_names: A head's, row by row.
        whose: The model, for the message.

    Raises:
        ClassMismatch: The head does not know a class of the task.
    """
    names = tuple(class_names)
    if task.class_names == names:
        return task
    place = {name: i for i, name in reversed(list(enumerate(names)))}
    foreign = [c for c in task.class_names if c not in place]
    if foreign:
        raise ClassMismatch(
            f"the head of {whose} does not know {len(foreign)} of the {len(task.class_names)} "
            f"classes of the data: {', '.join(foreign[:8])}{', ...' * (len(foreign) > 8)}",
            expected=f"some of its {len(names)} classes: {', '.join(names[:12])}"
            + ", ..." * (len(names) > 12),
            fix="name the class folders as the head does; or look at the encoder alone, with "
            "--evaluator knn or linear, or let its text tower write another head, with "
            "--evaluator zero_shot",
        )
    table = np.array([place[c] for c in task.class_names], dtype=np.int64)
    prompts = None
    if task.prompt_names is not None:
        known = dict(zip(task.class_names, task.prompt_names, strict=True))
        prompts = tuple(known.get(c, c.replace("_", " ")) for c in names)
    return replace(
        task,
        train=_split(task.train, table, names),
        val=_split(task.val, table, names),
        test=_split(task.test, table, names),
        shifts=tuple(_shift(s, table, names) for s in task.shifts),
        class_names=names,
        prompt_names=prompts,
    )


def _split(split: Split, table: NDArray[np.int64], names: tuple[str, ...]) -> Split:
    labels = None if split.labels is None else table[split.labels]
    return replace(split, labels=labels, class_names=names)


def _shift(shift: Shift, table: NDArray[np.int64], names: tuple[str, ...]) -> Shift:
    split = _split(shift.split, table, names)
    classes = None if shift.classes is None else _sorted(table, shift.classes)
    groups = None if shift.groups is None else tuple(_sorted(table, g) for g in shift.groups)
    labels = split.labels
    for old, new in zip(shift.groups or (), groups or (), strict=True):
        if labels is not None:  # the first of a group speaks for it: another one may be first now
            labels = np.where(labels == table[old[0]], new[0], labels)
    return replace(shift, split=replace(split, labels=labels), classes=classes, groups=groups)


def _sorted(table: NDArray[np.int64], classes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(int(table[c]) for c in classes))
