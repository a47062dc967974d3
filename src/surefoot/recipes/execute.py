"""One method, one seed -> one run folder: fit, sweep, select, score."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from .. import processes
from ..context import RunContext, jsonl_log, pick_device, progress_bar
from ..data.dataset import Task
from ..evals.predict import evaluate
from ..methods.base import Method, pretrained_end
from ..methods.zero_shot import ZeroShot
from ..models.model import Model
from ..models.save import save_model
from ..paths import Path, Prompts, alpha_grid, sweep
from ..paths.knn_sweep import knn_sweep
from ..predictions import Predictions
from ..records import Curve, Score
from ..runs import Run, Selection
from ..select import select
from .ends import save_ends
from .few_shot import start_or_end
from .recipe import Recipe
from .start_answers import StartAnswers

__all__ = ["Clock", "execute"]

KEEP_BYTES = 512 * 2**20
"""Logits of a whole sweep are kept up to this size; above, those of both ends and of ``fixed``."""


@dataclass
class Clock:
    """Seconds by stage, for run.json and the benchmark of bookkeeping."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


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
    marks: dict[str, Any] = {"seed": seed, "recipe": recipe.hash(), "version": task.test.version}
    try:
        with clock.time("fit"):
            if fitted is not None:
                context.say(note="fitted before, as a trial: not done again")
            tuned = fitted or method.fit(start, task, seed=seed, run=context)
        path = None
        if recipe.spec.path is None or not method.on_path:
            rows = _score_one(tuned, task, run, recipe, key, clock, context)
            if recipe.spec.data.few_shot is not None and not isinstance(method, ZeroShot):
                rows += start_or_end(start, task, run, recipe, key, rows, context)
            # Zero-shot is the start, and can be had again.
            if not isinstance(method, ZeroShot) and processes.is_main():
                with clock.time("save"):
                    save_model(tuned, run.path / "end.safetensors")
        else:
            path = _path(start, tuned, task, recipe, context)
            if "head" in recipe.spec.evaluate:
                rows = _score_path(path, task, run, recipe, key, clock, context)
            else:
                with clock.time("knn"):
                    rows = _score_knn_path(path, task, run, recipe, key, context)
            if processes.is_main():
                with clock.time("save"):
                    save_ends(run, path, task)
        if "knn" in recipe.spec.evaluate and "head" in recipe.spec.evaluate:
            with clock.time("knn"):
                rows += _score_knn(path, tuned, task, recipe, key, run, context)
        run.write_scores([replace(row, **marks) for row in rows])
    except BaseException:
        run.set_status("interrupted", seconds=clock.seconds)
        raise
    if processes.is_main():
        shutil.rmtree(checkpoints, ignore_errors=True)
    limited = recipe.spec.data.limit_train or recipe.spec.data.limit_eval
    run.set_status("trial" if limited else "finished", seconds=clock.seconds)


def _path(start: Model, tuned: Model, task: Task, recipe: Recipe, context: RunContext) -> Path:
    """From the pretrained end to the tuned one, with the recipe's policies."""
    spec = recipe.spec.path
    assert spec is not None
    begin = pretrained_end(start, task)
    head, prompts = spec.head, Prompts.of(task)
    if head == "text" and not prompts.wrote(tuned):
        context.say(note="its head is not what its text tower writes: path.head text means auto")
        head = "auto"
    if head == "auto":
        head = "end" if begin.head is None else "interpolate"
    images = task.train if spec.batchnorm == "recalibrate" else None
    return Path(begin, tuned, head=head, batchnorm=spec.batchnorm, images=images, prompts=prompts)


def _grid(recipe: Recipe) -> tuple[float, ...]:
    """The recipe's alphas, with both ends and the fixed one always among them."""
    spec = recipe.spec.path
    assert spec is not None
    given = alpha_grid(spec.alphas) if isinstance(spec.alphas, int) else spec.alphas
    return tuple(sorted({round(float(a), 10) for a in (*given, 0.0, 1.0, spec.fixed)}))


def _score_one(
    model: Model, task: Task, run: Run, recipe: Recipe, key: str, clock: Clock, context: RunContext
) -> list[Score]:
    """Scores of a model that lies on no path."""
    with clock.time("predict"):
        pairs = evaluate(
            model,
            task,
            batch_size=recipe.spec.batch_size,
            device=pick_device(recipe.spec.device),
            workers=context.workers,
        )
    for predictions, _ in pairs:
        run.save_predictions(predictions, None)
    return [replace(score, method=key, selection="end") for _, score in pairs]


def _score_path(
    path: Path, task: Task, run: Run, recipe: Recipe, key: str, clock: Clock, context: RunContext
) -> list[Score]:
    """Scores along the path, and those that each rule selects."""
    alphas = _grid(recipe)
    spec = recipe.spec.path
    assert spec is not None
    images = sum(len(s.split) for s in task.scored().values())
    keep_all = images * len(task.class_names) * 4 * len(alphas) <= KEEP_BYTES

    def keep(alpha: float, predictions: Predictions) -> None:
        if keep_all or alpha in (0.0, 1.0, spec.fixed):
            run.save_predictions(predictions, alpha)

    start = StartAnswers(path, task, recipe.spec.batch_size, context)

    def seen(alpha: float, predictions: Predictions) -> None:
        start.keep(alpha, predictions)
        keep(alpha, predictions)

    with clock.time("sweep"), progress_bar("sweep", shown=context.progress) as tick:
        curve = sweep(
            path,
            task,
            alphas=alphas,
            batch_size=recipe.spec.batch_size,
            device=pick_device(recipe.spec.device),
            workers=context.workers,
            on_predictions=seen,
            method=key,
            progress=tick,
            at_start=start.known(),
        )
    selections = [select(curve, rule, fixed=spec.fixed) for rule in spec.rules]
    run.write_selections(selections)
    return selected_rows(curve, selections, key)


def selected_rows(curve: Curve, selections: list[Selection], key: str) -> list[Score]:
    """Every score of the curve, the tuned end's own, and one more for each selected alpha."""
    rows = [score for scores in curve.scores.values() for score in scores]
    for scores in curve.scores.values():
        rows.append(replace(scores[-1], method=key, selection="end"))
        for chosen in selections:
            at = curve.alphas.index(chosen.alpha)
            rows.append(replace(scores[at], method=f"wise-ft({key})", selection=chosen.rule))
    return rows


def _score_knn_path(
    path: Path, task: Task, run: Run, recipe: Recipe, key: str, context: RunContext
) -> list[Score]:
    """A path of encoders without heads: every alpha by its nearest neighbours, alpha as well."""
    spec = recipe.spec.path
    assert spec is not None
    curve = knn_sweep(
        path,
        task,
        alphas=_grid(recipe),
        method=key,
        on_predictions=lambda alpha, said: run.save_predictions(said, alpha, "knn"),
        device=pick_device(recipe.spec.device),
        batch_size=recipe.spec.batch_size,
        workers=context.workers,
    )
    selections = [select(curve, rule, fixed=spec.fixed) for rule in spec.rules]
    run.write_selections(selections)
    return selected_rows(curve, selections, key)


def _score_knn(
    path: Path | None, tuned: Model, task: Task, recipe: Recipe, key: str, run: Run,
    context: RunContext,
) -> list[Score]:  # fmt: skip
    """Nearest neighbours at every selected alpha, bank and queries embedded anew."""
    alphas: list[float | None] = [None]
    if path is not None:
        alphas = [*sorted({0.0, 1.0, *(s.alpha for s in run.selections())})]
    rows: list[Score] = []
    for alpha in alphas:
        model = tuned if path is None or alpha is None else path.at(alpha)
        pairs = evaluate(
            model,
            task,
            evaluator="knn",
            device=pick_device(recipe.spec.device),
            workers=context.workers,
        )
        for predictions, score in pairs:
            run.save_predictions(predictions, alpha, "knn")
            row = replace(score, method=key, alpha=alpha)
            rows.append(replace(row, selection="end" if alpha in (None, 1.0) else "none"))
            rows += [
                replace(row, method=f"wise-ft({key})", selection=chosen.rule)
                for chosen in run.selections()
                if chosen.alpha == alpha
            ]
    return rows
