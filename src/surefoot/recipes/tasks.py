"""The data of a recipe: made, described for the run folder, told before training starts."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from ..context import cap_threads
from ..data.dataset import Task
from ..data.specs import make_task
from ..progress import progress_bar
from .recipe import DataSpec

__all__ = ["task_facts", "task_of", "told"]


def task_of(
    data: DataSpec,
    *,
    progress: bool = False,
    stand_in: bool = False,
    class_names: Sequence[str] = (),
) -> Task:
    """The task that a recipe's ``data`` names, with its limits; every image is decoded once.

    Args:
        data: That part of the recipe.
        progress: A bar on stderr while images are checked.
        stand_in: ``data.train`` stands in for a training set: nothing is learnt from it.
        class_names: Of a head that is to answer, as :func:`~..data.specs.make_task` takes them.

    Raises:
        DataError: Anything wrong with images, labels or class maps.
    """
    # Decoders run side by side; with two cores it is not worth the threads.
    threads = cap_threads() if cap_threads() > 2 else 0
    with progress_bar("check images", shown=progress) as tick:
        passed = data.model_dump(include=_PASSED)
        task = make_task(workers=threads, progress=tick, stand_in=stand_in,
                         class_names=class_names, **passed)  # fmt: skip
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


def told(task: Task) -> list[str]:
    """What the user should know before training starts: how many images, what was left out."""
    shifts = ", ".join(f"{s.name} {len(s.split):,}" for s in task.shifts)
    sizes = (
        f"data: {task.name}, {len(task.class_names)} classes; {len(task.train):,} images to train "
        f"on, {len(task.val):,} for ID validation, {len(task.test):,} for the ID test"
        + (f"; shifts: {shifts}" if shifts else "")
    )
    splits = (task.train, *(s.split for s in task.scored().values()))
    every = [
        *task.notes,
        *(n for s in splits for n in s.notes if "left out" in n or "ignored" in n),
    ]
    return [sizes, *(f"note: {note}" for note in dict.fromkeys(every))]
