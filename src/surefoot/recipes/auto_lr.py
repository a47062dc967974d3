"""The learning rate, chosen on ID validation from a small grid, with a stated budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from ..context import RunContext, pick_device
from ..data.dataset import Task
from ..errors import ModelError, TrainingError
from ..evals.predict import predict
from ..evals.score import score, value_of
from ..methods.base import Method
from ..models.model import Model
from ..train import Schedule
from ..train.epoch_log import time_left
from .recipe import TuneSpec

__all__ = ["AUTO_FACTORS", "schedules", "tune_lr", "with_schedule"]

AUTO_FACTORS = (0.3, 1.0, 3.0, 10.0)
"""``lr: auto`` tries the method's own learning rate times each of these."""

_FEW = 256
"""Images of the trial that tells how long the others will take; more where there are more classes,
since a probe needs an image of each."""


def schedules(method: Any) -> list[Schedule]:
    """Every Schedule inside a method, nested methods included."""
    if isinstance(method, Schedule):
        return [method]
    if not is_dataclass(method):
        return []
    return [s for f in fields(method) for s in schedules(getattr(method, f.name))]


def with_schedule(method: Any, **changes: Any) -> Any:
    """A copy of a method whose every Schedule has these fields changed."""
    if isinstance(method, Schedule):
        return replace(method, **changes)
    new = {
        f.name: with_schedule(value, **changes)
        for f in fields(method)
        if is_dataclass(value := getattr(method, f.name)) and schedules(value)
    }
    return replace(method, **new) if new else method


def tune_lr(
    method: Method,
    start: Model,
    task: Task,
    spec: TuneSpec,
    *,
    seed: int,
    run: RunContext,
    say: Callable[[str], None],
    record: Callable[[dict[str, Any]], None] = lambda table: None,
    known: Mapping[str, Any] | None = None,
) -> Method:
    """The method with the learning rate that did best on ID validation after a short training.

    Every learning rate gets the same budget: ``spec.epochs`` epochs with the method's own
    schedule squeezed into them. Ties go to the highest likelihood on validation, then to the
    smallest. Test sets are not touched.

    Args:
        method: A method with at least one Schedule; others are returned unchanged.
        start: The pretrained model.
        task: Train and ID validation are used.
        spec: Grid and budget.
        seed: Of every trial.
        run: Device; trials keep no log and no checkpoint.
        say: Told the grid, the budget and the expected time before the first trial.
        record: Given the table of trials.
        known: Such a table, of the run that is resumed: nothing is tried again.

    Raises:
        TrainingError: Training failed at every learning rate.
    """
    found = schedules(method)
    if not found:
        say(f"learning rate: {method.label()} has none to choose")
        return method
    if known is not None:
        say(f"learning rate {known['lr']:.2g}: chosen before the run was interrupted")
        resumed: Method = with_schedule(method, lr=known["lr"])
        return resumed
    base = found[-1].lr
    grid = [base * f for f in AUTO_FACTORS] if spec.lr == "auto" else list(spec.lr)
    quiet = run.quiet()
    images = len(task.train) * spec.epochs * len(grid)
    say(
        f"learning rate: {len(grid)} values ({', '.join(f'{lr:.2g}' for lr in grid)}) x "
        f"{spec.epochs} epochs of {len(task.train)} images, chosen on ID validation; "
        f"about {time_left(_estimate(method, start, task, quiet, images))}"
    )
    table: list[dict[str, Any]] = []
    for lr in sorted(grid):
        began = time.perf_counter()
        trial = with_schedule(method, lr=lr, epochs=spec.epochs, warmup_steps=None)
        row: dict[str, Any] = {"lr": lr, "val": None, "val_nll": None}
        try:
            tuned = trial.fit(start, task, seed=seed, run=quiet)
            row["val"], row["val_nll"] = _validated(tuned, task, run)
        except (TrainingError, ModelError) as error:
            row["failed"] = error.wrong  # diverged: missing, not zero
        table.append({**row, "seconds": time.perf_counter() - began})
    done = [row for row in table if row["val"] is not None]
    if not done:
        raise TrainingError(
            f"training failed at every learning rate of the grid: {table[0]['failed']}",
            fix="give smaller ones (--lr 1e-6) or check the data",
        )
    best = max(done, key=lambda row: (row["val"], -row["val_nll"], -row["lr"]))
    end = end_of_grid([row["lr"] for row in done], best["lr"])
    record({"chosen_on": "val", "epochs": spec.epochs, "trials": table, "lr": best["lr"],
            **({"end_of_grid": end} if end else {})})  # fmt: skip
    said = "accuracy" if task.metric == "top1" else task.metric
    say(f"learning rate {best['lr']:.2g}: {said} {100 * best['val']:.1f} % on ID validation"
        + (f"; {end}" if end else ""))  # fmt: skip
    chosen: Method = with_schedule(method, lr=best["lr"])
    return chosen


def end_of_grid(tried: Sequence[float], chosen: float) -> str:
    """That a value lies at an end of those tried, where it does: "" elsewhere."""
    if len(tried) < 2 or min(tried) < chosen < max(tried):
        return ""
    end, beyond = ("largest", "larger") if chosen == max(tried) else ("smallest", "smaller")
    return f"the {end} of {len(tried)} tried: a {beyond} one might do better"


def _validated(model: Model, task: Task, run: RunContext) -> tuple[float, float]:
    """The task's own metric on ID validation, accuracy where less is better; nats per image."""
    said = predict(model, task.scored()["val"], device=pick_device(run.device))
    nll = value_of(replace(said, metric="nll"))
    if task.metric in ("ece", "nll"):
        return float(np.mean(said.correct())), nll
    return score(said).value, nll


def _estimate(method: Method, start: Model, task: Task, run: RunContext, images: int) -> float:
    """Seconds that so many training images will take, from a short trial that is thrown away."""
    few = task.train.subset(_FEW, seed=0, every_class=True)
    small = replace(task, train=few, val=few)
    batch = schedules(method)[-1].batch_size
    trial = with_schedule(method, epochs=1, batch_size=min(batch, 128))
    began = time.perf_counter()
    trial.fit(start, small, seed=0, run=run)
    return (time.perf_counter() - began) / len(few) * images
