"""Scores of a fitted model, alone or along its path, kept in the run folder as they are made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from ..context import RunContext, pick_device
from ..data.dataset import Task
from ..evals.predict import evaluate
from ..models.model import Model
from ..paths import Path, alpha_grid, sweep
from ..paths.knn_sweep import knn_sweep
from ..predictions import Predictions
from ..progress import progress_bar
from ..records import Curve, Score
from ..runs import Run, Selection
from ..select import select
from .recipe import Recipe
from .start_answers import StartAnswers

__all__ = ["Clock", "grid_of", "score_beside", "score_knn_path", "score_one", "score_path",
           "selected_rows"]  # fmt: skip

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


def grid_of(recipe: Recipe) -> tuple[float, ...]:
    """The recipe's alphas, with both ends and the fixed one always among them."""
    spec = recipe.spec.path
    assert spec is not None
    given = alpha_grid(spec.alphas) if isinstance(spec.alphas, int) else spec.alphas
    return tuple(sorted({round(float(a), 10) for a in (*given, 0.0, 1.0, spec.fixed)}))


def score_one(
    model: Model, task: Task, run: Run, recipe: Recipe, key: str, clock: Clock,
    context: RunContext, *, by_head: bool,
) -> list[Score]:  # fmt: skip
    """Scores of a model that lies on no path."""
    kind: Literal["head", "knn"] = "head" if by_head else "knn"
    with clock.time("predict"):
        pairs = evaluate(
            model,
            task,
            evaluator=kind,
            batch_size=recipe.spec.batch_size,
            device=pick_device(recipe.spec.device),
            workers=context.workers,
        )
    for predictions, _ in pairs:
        run.save_predictions(predictions, None, kind)
    return [replace(score, method=key, selection="end") for _, score in pairs]


def score_path(
    path: Path, task: Task, run: Run, recipe: Recipe, key: str, clock: Clock, context: RunContext
) -> list[Score]:
    """Scores along the path, and those that each rule selects."""
    alphas = grid_of(recipe)
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


def score_knn_path(
    path: Path, task: Task, run: Run, recipe: Recipe, key: str, context: RunContext
) -> list[Score]:
    """A path of encoders without heads: every alpha by its nearest neighbours, alpha as well."""
    spec = recipe.spec.path
    assert spec is not None
    curve = knn_sweep(
        path,
        task,
        alphas=grid_of(recipe),
        method=key,
        on_predictions=lambda alpha, said: run.save_predictions(said, alpha, "knn"),
        device=pick_device(recipe.spec.device),
        batch_size=recipe.spec.batch_size,
        workers=context.workers,
    )
    selections = [select(curve, rule, fixed=spec.fixed) for rule in spec.rules]
    run.write_selections(selections)
    return selected_rows(curve, selections, key)


def score_beside(
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
