"""One method, one seed -> one run folder: fit, sweep, select, score."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from .. import processes
from ..context import RunContext, jsonl_log
from ..data.dataset import Task
from ..methods.base import Method, pretrained_end
from ..methods.zero_shot import ZeroShot
from ..models.model import Model
from ..models.save import save_model
from ..paths import Path, Prompts
from ..runs import Run
from .ends import save_ends
from .few_shot import start_or_end
from .recipe import Recipe
from .scoring import Clock, score_beside, score_knn_path, score_one, score_path

__all__ = ["execute"]


def execute(
    method: Method,
    key: str,
    start: Model,
    task: Task,
    recipe: Recipe,
    run: Run,
    *,
    seed: int,
    context: RunContext,
    fitted: Model | None = None,
) -> None:
    """Carry out one method with one seed and fill its run folder.

    Args:
        method: What to fit.
        key: Its name in score rows, unique within a study ("ft", "ft-random").
        start: The pretrained model; not altered.
        task: The data.
        recipe: Everything else; its hash goes into every score.
        run: An open run folder.
        seed: Of the fit and the bootstrap.
        context: Device and progress; the log is the run's own, and so are the checkpoints unless
            it names a folder.
        fitted: What the method gives, where it was fitted before with the same start, task and
            seed (a trial of learning rates); None fits.

    The run's status becomes "interrupted" when an exception or Ctrl-C ends it early.
    """
    clock = Clock()
    checkpoints = context.checkpoints or run.path / "checkpoints"
    context = replace(context, log=jsonl_log(run.path / "log.jsonl"), checkpoints=checkpoints)
    # Not the version: every row brings that of its own split.
    marks: dict[str, Any] = {"seed": seed, "recipe": recipe.hash()}
    try:
        with clock.time("fit"):
            if fitted is not None:
                context.say(note="fitted before, as a trial: not done again")
            tuned = fitted or method.fit(start, task, seed=seed, run=context)
        path, by_head = None, _by_head(tuned, recipe, run, context)
        if recipe.spec.path is None or not method.on_path:
            rows = score_one(tuned, task, run, recipe, key, clock, context, by_head=by_head)
            few = recipe.spec.data.few_shot is not None and by_head
            if few and not isinstance(method, ZeroShot):
                rows += start_or_end(start, task, run, recipe, key, rows, context)
            # Zero-shot is the start, and can be had again.
            if not isinstance(method, ZeroShot) and processes.is_main():
                with clock.time("save"):
                    save_model(tuned, run.path / "end.safetensors")
        else:
            path = _path(start, tuned, task, recipe, context)
            if by_head:
                rows = score_path(path, task, run, recipe, key, clock, context)
            else:
                with clock.time("knn"):
                    rows = score_knn_path(path, task, run, recipe, key, context)
            if processes.is_main():
                with clock.time("save"):
                    save_ends(run, path, task)
        if "knn" in recipe.spec.evaluate and by_head:
            with clock.time("knn"):
                rows += score_beside(path, tuned, task, recipe, key, run, context)
        run.write_scores([replace(row, **marks) for row in rows])
    except BaseException:
        run.set_status("interrupted", seconds=clock.seconds)
        raise
    if processes.is_main():
        shutil.rmtree(checkpoints, ignore_errors=True)
    limited = recipe.spec.data.limit_train or recipe.spec.data.limit_eval
    run.set_status("trial" if limited else "finished", seconds=clock.seconds)


def _by_head(tuned: Model, recipe: Recipe, run: Run, context: RunContext) -> bool:
    """Whether the run's own rows are of heads; else they are of nearest neighbours."""
    asked = "head" in recipe.spec.evaluate
    if asked and tuned.head is None:
        context.say(note="the result is an encoder without a head: scored by nearest neighbours")
    if asked and tuned.head is not None:
        return True
    run.set_status("running", evaluator="knn")
    return False


def _path(start: Model, tuned: Model, task: Task, recipe: Recipe, context: RunContext) -> Path:
    """From the pretrained end to the tuned one, with the recipe's policies."""
    spec = recipe.spec.path
    assert spec is not None
    begin = pretrained_end(start, task)
    if start.head is not None and not start.head.serves(task.class_names) and begin.head:
        context.say(note="the start's head is for other classes: alpha 0 has a zero-shot head")
    head, prompts = spec.head, Prompts.of(task)
    if tuned.head is None:  # language supervision: two encoders, for nearest neighbours
        begin, head = start.with_head(None), "end"
    if head == "text" and not prompts.wrote(tuned):
        context.say(note="its head is not what its text tower writes: path.head text means auto")
        head = "auto"
    if head == "auto":
        head = "end" if begin.head is None else "interpolate"
    images = task.train if spec.batchnorm == "recalibrate" else None
    return Path(begin, tuned, head=head, batchnorm=spec.batchnorm, images=images, prompts=prompts)
