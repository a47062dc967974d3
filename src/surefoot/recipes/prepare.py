"""All that comes before the first training: model and data read, every method asked, one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..data.dataset import Task
from ..errors import Refused, SurefootError
from ..inventory import Inventory
from ..methods.base import Method
from ..models.load import load
from ..models.model import Model
from .few_shot import drawn
from .inventory import head_of, refused, take_inventory
from .recipe import Recipe
from .tasks import limited, task_of

__all__ = ["Prepared", "prepare"]


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
    inventory = take_inventory(task, start, head=whole + head_of(start, task), methods=left)
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


def _objection(method: Method, start: Model, task: Task) -> SurefootError | None:
    try:
        method.check(start, task)
    except SurefootError as error:
        return error
    return None
