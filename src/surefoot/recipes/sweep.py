"""The alpha curve of any two models, with the selections, and a run folder if asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..context import RunContext
from ..data.dataset import Task
from ..evals.zero_shot import pretrained_end
from ..models.model import Model
from ..paths import HeadPolicy, alpha_grid
from ..records import Curve, Origin
from ..runs import Clock, Selection
from .experiment import LONE, Experiment
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
    batch_size: int = 256,
    command: str = "",
    context: RunContext | None = None,
) -> tuple[Curve, list[Selection]]:
    """Sweep the path between two models.

    Args:
        start: At alpha = 0; see :meth:`~surefoot.paths.Path.between` for its head.
        end: At alpha = 1; gets a zero-shot head where it has a text tower and no head.
        task: The data.
        alphas: How many, evenly spaced, or which.
        head: "auto", "interpolate" or "end".
        extrapolate: Allow alphas outside [0, 1].
        out: A new run folder, or None.
        adaptive: Score ID validation at contested alphas and the rest at the chosen ones.
        validated: The task has ID validation of its own. If not, nothing is scored or chosen on
            it: no selection but ``fixed`` and the oracle.
        batch_size: Images per forward pass.
        command: As typed, for the record.
        context: Device, workers, progress.

    Raises:
        WeightsError: The two do not fit together.
        ModelError: The end has no head and no text tower to write one.
    """
    end = end if end.head is not None else pretrained_end(end, task)
    end.require_head()
    look = Look(alpha_grid(alphas), head=head, batch_size=batch_size, adaptive=adaptive,
                extrapolate=extrapolate)  # fmt: skip
    scored = None if validated else {n: s for n, s in task.scored().items() if n != "val"}
    job = Job(None, f"path to {end.spec.name}", Origin("sweep"), start, task, look,
              context or RunContext(), fitted=end, splits=scored)  # fmt: skip
    if out is None:
        return walked(job, job.joined(end), None, Clock())
    found = Experiment(Path(out), {LONE: job}, command).run(LONE)
    assert found is not None  # the folder is new
    return found
