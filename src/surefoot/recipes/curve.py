"""The alpha curve of any two models, with the selections, and a run folder if asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..context import pick_device
from ..data.dataset import Task
from ..data.realign import in_classes
from ..methods.base import as_it_answers, pretrained_end
from ..models.model import Model
from ..paths import Path, adaptive_sweep, alpha_grid, sweep
from ..progress import progress_bar
from ..records import Curve
from ..runs import Run, Selection
from ..select import select_all
from .ends import save_ends
from .environment import environment
from .scoring import selected_rows
from .study import task_facts

__all__ = ["sweep_models"]


def _in_one_order(start: Model, end: Model, task: Task, *, keep: bool) -> tuple[Model, Model, Task]:
    """Both models with a head where they can have one, and the task in the classes of the end's.

    A head of the start for the same classes in another order has its rows reordered; one for other
    classes stays as it is, and no path leads from it. With ``keep`` the end's head serves alone.
    """
    if end.head is None and start.head is not None:
        start, task = as_it_answers(start, task)
        return start, pretrained_end(end, task), task
    end, task = as_it_answers(end, task)
    if start.head is None or start.head.serves(task.class_names):
        start = pretrained_end(start, task)
    elif not keep:
        in_classes(task, start.head.class_names, whose=start.spec.name)
    return start, end, task


def sweep_models(
    start: Model,
    end: Model,
    task: Task,
    *,
    alphas: int | Sequence[float] = 11,
    head: str = "interpolate",
    extrapolate: bool = False,
    out: str | None = None,
    device: str = "auto",
    batch_size: int = 256,
    workers: int = 0,
    progress: bool = False,
    adaptive: bool = False,
    validated: bool = True,
) -> tuple[Curve, list[Selection]]:
    """Sweep the path between two models.

    Args:
        start: At alpha = 0; gets a zero-shot head where it has a text tower and no head.
        end: At alpha = 1; likewise. Heads are never replaced: the task is read in the end's
            classes (the start's, where the end has no head), matched by name.
        task: The data.
        alphas: How many, evenly spaced, or which.
        head: "interpolate" or "end".
        extrapolate: Allow alphas outside [0, 1].
        out: A new run folder, or None.
        device: Where to run.
        batch_size: Images per forward pass.
        workers: Processes that load images.
        progress: A bar on stderr.
        adaptive: Score ID validation at contested alphas and the rest at the chosen ones
            (:func:`~surefoot.paths.adaptive_sweep`).
        validated: The task has ID validation of its own. If not, nothing is scored or chosen on
            it: no selection but ``fixed`` and the oracle.

    Raises:
        WeightsError: The two do not fit together.
        ClassMismatch: A head does not know a class of the task.
    """
    start, end, task = _in_one_order(start, end, task, keep=head == "end")
    path = Path(
        start,
        end,
        head=head,  # type: ignore[arg-type]
        extrapolate=extrapolate,
    )
    grid = alpha_grid(alphas) if isinstance(alphas, int) else tuple(alphas)
    run = None
    if out is not None:
        facts = {
            "method": "sweep",
            "label": f"path to {end.spec.name}",
            "seed": 0,
            "model": start.spec.name,
            "task": task_facts(task),
        }
        run = Run.create(out, facts)
        run.write_json("env.json", environment())
    keep = None if run is None else (lambda a, p: run.save_predictions(p, a))
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "device": pick_device(device),
        "workers": workers,
    }
    if adaptive:
        found = adaptive_sweep(
            path, task, alphas=grid, method="sweep", on_predictions=keep, **options
        )
        curve, selections = found.curve, list(found.selections)
    else:
        with progress_bar("sweep", shown=progress) as tick:
            scored = {n: s for n, s in task.scored().items() if validated or n != "val"}
            curve = sweep(path, scored, alphas=grid, method="sweep", progress=tick,
                          on_predictions=keep, **options)  # fmt: skip
        selections = select_all(curve)
    if run is not None:
        run.write_selections(selections)
        run.write_scores(selected_rows(curve, selections, "sweep"))
        save_ends(run, path, task)
        run.set_status("finished")
    return curve, selections
