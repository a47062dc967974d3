"""The data of a recipe: made, described for the run folder, told before training starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from ..context import cap_threads
from ..data.dataset import Task
from ..data.specs import make_task
from ..progress import progress_bar
from .recipe import DataSpec

__all__ = ["limited", "task_facts", "task_of"]


def task_of(
    data: DataSpec,
    *,
    progress: bool = False,
    stand_in: bool = False,
    class_names: Sequence[str] = (),
    before: Callable[[Task], None] = lambda task: None,
) -> Task:
    """The task that a recipe's ``data`` names, with its limits; every image is decoded once.

    Args:
        data: That part of the recipe.
        progress: A bar on stderr while images are checked.
        stand_in: ``data.train`` stands in for a training set: nothing is learnt from it.
        class_names: Of a head that is to answer, as :func:`~..data.specs.make_task` takes them.
        before: Shown the whole task before its images are decoded.

    Raises:
        DataError: Anything wrong with images, labels or class maps.
    """
    # Decoders run side by side; with two cores it is not worth the threads.
    threads = cap_threads() if cap_threads() > 2 else 0
    with progress_bar("check images", shown=progress) as tick:
        passed = data.model_dump(include=_PASSED)
        if "val_fraction" not in data.model_fields_set:
            passed["val_fraction"] = None  # nobody said it
        task = make_task(workers=threads, progress=tick, stand_in=stand_in,
                         class_names=class_names, before=before, **passed)  # fmt: skip
    return limited(task, data)


def limited(task: Task, data: DataSpec) -> Task:
    """The task with the limits of a recipe."""
    return task.subset(train=data.limit_train, evaluation=data.limit_eval, seed=data.seed)


_PASSED = set(DataSpec.model_fields) & set(signature(make_task).parameters)
"""Fields of a recipe's data that ``make_task`` takes."""


def task_facts(task: Task) -> dict[str, Any]:
    """What the report says about the data."""
    splits = {"train": task.train} | {n: s.split for n, s in task.scored().items()}
    return {
        "name": task.name,
        "classes": len(task.class_names),
        "class_names": list(task.class_names),
        "metric": task.metric,
        "templates": list(task.templates),
        "splits": {
            name: {
                "n": len(split),
                "domain": split.domain,
                "use": split.use,
                "version": split.version,
                "manifest": split.manifest().sha256,
                "content": split.manifest().content,
                "rows": split.manifest().rows,
                "licence": split.licence,
                "source": split.source,
                "synthetic": split.synthetic,
                "unit": split.unit,
                "notes": list(split.notes),
            }
            for name, split in splits.items()
        },
        "notes": list(task.notes),
    }
