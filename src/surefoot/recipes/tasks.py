"""The data of a recipe, and all that comes before training: every method asked, one list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any

import numpy as np

from ..context import cap_threads
from ..data.dataset import Task
from ..data.specs import make_task
from ..errors import Refused, SurefootError
from ..inventory import Inventory, Note
from ..methods.base import Method
from ..metrics import get_metric
from ..models.load import load
from ..models.model import Model
from ..predictions import Predictions
from ..progress import progress_bar
from .few_shot import drawn
from .inventory import head_of, refused, take_inventory
from .recipe import DataSpec, Recipe

__all__ = ["Prepared", "limited", "prepare", "task_facts", "task_of"]


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


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a recipe is about to do.

    Attributes:
        start: The pretrained model.
        task: The data.
        inventory: Of both.
        failed: Position of a method in the recipe -> why it cannot be fitted.
    """

    start: Model
    task: Task
    inventory: Inventory
    failed: Mapping[int, str] = field(default_factory=dict)


def prepare(
    recipe: Recipe,
    *,
    start: Model | None = None,
    task: Task | None = None,
    progress: bool = False,
    strict: bool = False,
    keep_going: bool = False,
) -> Prepared:
    """Model, task and inventory of a recipe, or all that is wrong with them.

    What needs no pixels comes first: the model, the classes, every method against both. Then every
    image is decoded once. No folder is made.

    Args:
        recipe: What to do.
        start: Instead of the recipe's model.
        task: Instead of the recipe's data.
        progress: A bar while images are checked.
        strict: Refuse what is guessed.
        keep_going: Leave out methods that cannot be fitted, where others can.

    Raises:
        Refused: Several problems, in one list; a single one is raised as it is.
    """
    spec, problems = recipe.spec, list[SurefootError]()
    failed: dict[int, str] = {}
    if start is None:
        try:
            start = load(spec.model)
        except SurefootError as error:
            problems.append(error)

    def look(whole: Task) -> None:
        if start is not None:
            problems.extend(_unfit(recipe, start, whole, failed, keep_going))
        problems.extend(_unscored(whole))
        if problems:
            raise Refused.of(problems)

    try:
        if task is None:
            task = task_of(spec.data, progress=progress, before=look)
        else:
            look(task)
    except SurefootError as error:
        if error.__class__ is Refused or error in problems:
            raise
        raise Refused.of([*problems, error]) from error
    assert start is not None
    whole = f"of each method, over all {len(task.class_names)} classes; the start's: "
    left = [m for i, m in enumerate(recipe.methods) if i not in failed]
    first = drawn(task, recipe, spec.seeds[0])
    inventory = take_inventory(first, start, head=whole + head_of(start, task), methods=left)
    out = [Note(f"{recipe.methods[at].label()} is LEFT OUT: {why}", "warning")
           for at, why in failed.items()]  # fmt: skip
    inventory = replace(inventory, notes=(*inventory.notes, *out))
    wrong = refused(inventory, strict=strict, chosen_on_test=spec.data.chosen_on_test)
    if wrong:
        raise Refused.of(wrong)
    told = (*task.notes, *(note for note in inventory.shared if note not in task.notes))
    return Prepared(start, replace(task, notes=told), inventory, failed)


def _unfit(
    recipe: Recipe, start: Model, task: Task, failed: dict[int, str], keep_going: bool
) -> list[SurefootError]:
    """What methods lack, of any seed; with ``keep_going`` it goes to ``failed``, if not of all."""
    found: dict[int, SurefootError] = {}
    try:
        tasks = [drawn(limited(task, recipe.spec.data), recipe, s) for s in recipe.spec.seeds]
    except SurefootError as error:
        return [error]
    for at, method in enumerate(recipe.methods):
        for own in tasks:
            objection = _objection(method, start, own)
            if objection is not None:
                found.setdefault(at, objection)
    if keep_going and len(found) < len(recipe.methods):
        failed.update({at: objection.wrong for at, objection in found.items()})
        return []
    if len(recipe.methods) > 1:
        for at, objection in found.items():
            objection.wrong = f"{recipe.methods[at].label()}: {objection.wrong}"
    return list(found.values())


def _unscored(task: Task) -> list[SurefootError]:
    """What the metrics lack: asked of one image of each split, which none has looked at yet."""
    found: list[SurefootError] = []
    for name, shift in task.scored().items():
        one = shift.split.take([0])
        logits = np.zeros((1, len(one.class_names)), dtype=np.float32)
        try:
            said = Predictions(name, one.domain, logits, one.require_labels(), ("",),
                               one.class_names, shift.metric, shift.classes, groups=shift.groups,
                               metadata=one.metadata)  # fmt: skip
            get_metric(shift.metric).of(said)
        except SurefootError as error:
            found.append(error)
    return found


def _objection(method: Method, start: Model, task: Task) -> SurefootError | None:
    try:
        method.check(start, task)
    except SurefootError as error:
        return error
    return None
