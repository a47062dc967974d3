"""The alpha curve of any two models, with the selections, and a run folder if asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File
from typing import Literal

from ..context import RunContext
from ..data.dataset import Task
from ..data.realign import in_classes
from ..evals.zero_shot import as_it_answers, pretrained_end
from ..inventory import Inventory
from ..models.model import Model
from ..paths import HeadPolicy, Path, alpha_grid
from ..records import Curve, Origin
from ..runs import Clock, Selection
from .experiment import LONE, Experiment
from .inventory import head_of, take_inventory
from .job import Job, Look, walked

__all__ = ["sweep_models"]


def sweep_models(
    start: Model,
    end: Model,
    task: Task,
    *,
    alphas: int | Sequence[float] = 11,
    head: Literal["auto"] | HeadPolicy = "auto",
    extrapolate: bool = False,
    out: str | None = None,
    adaptive: bool = False,
    validated: bool = True,
    batch_size: int | None = None,
    command: str = "",
    context: RunContext | None = None,
    inventory: Inventory | None = None,
) -> tuple[Curve, list[Selection]]:
    """Sweep the path between two models.

    Args:
        start: At alpha = 0; gets a zero-shot head where it has a text tower and no head.
        end: At alpha = 1; likewise. Heads are never replaced: the task is read in the end's
            classes (the start's, where the end has no head), matched by name.
        task: The data.
        alphas: How many, evenly spaced, or which.
        head: "auto", "interpolate" or "end".
        extrapolate: Allow alphas outside [0, 1].
        out: A new run folder, or None.
        adaptive: Score ID validation at contested alphas and the rest at the chosen ones.
        validated: The task has ID validation of its own. If not, nothing is scored or chosen on
            it: no selection but ``fixed`` and the oracle.
        batch_size: Images per forward pass; None: by device and image size.
        command: As typed, for the record.
        context: Device, workers, progress.
        inventory: Of data and models, for the record; None: it is taken.

    Raises:
        WeightsError: The two do not fit together.
        ClassMismatch: A head does not know a class of the task.
        ModelError: The end has no head and no text tower to write one.
    """
    start, end, task = _in_one_order(start, end, task)
    end.require_head()
    if head != "end" and start.head is not None and not start.head.serves(task.class_names):
        in_classes(task, start.head.class_names, whose=start.spec.name)
        Path(start, end)  # refuses
    look = Look(alpha_grid(alphas), head=head, batch_size=batch_size, adaptive=adaptive,
                extrapolate=extrapolate)  # fmt: skip
    if out is not None and inventory is None:
        inventory = take_inventory(task, start, end, head=head_of(end, task))
    facts = {} if inventory is None else {"inventory": inventory.to_json()}
    scored = None if validated else {n: s for n, s in task.scored().items() if n != "val"}
    job = Job(None, f"path to {end.spec.name}", Origin("sweep"), start, task, look,
              context or RunContext(), fitted=end, splits=scored,
              facts=facts)  # fmt: skip
    if out is None:
        return walked(job, job.joined(end), None, Clock())
    found = Experiment(File(out), {LONE: job}, command).run(LONE)
    assert found is not None  # the folder is new
    return found


def _in_one_order(start: Model, end: Model, task: Task) -> tuple[Model, Model, Task]:
    """Both models, the end with a head where it can have one, and the task in its classes."""
    if end.head is None and start.head is not None:
        start, task = as_it_answers(start, task)
        return start, pretrained_end(end, task), task
    end, task = as_it_answers(end, task)
    return start, end, task
