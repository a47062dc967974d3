"""One fit of an alignment study: train, walk the path with kNN, choose alpha, keep everything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any

import numpy as np

from ..context import RunContext, jsonl_log, pick_device
from ..data.dataset import Task
from ..methods.language import LanguageSupervision
from ..models.model import Model
from ..paths import Path
from ..paths.knn_sweep import Neighbours, knn_at, knn_sweep
from ..predictions import Predictions
from ..progress import progress_bar
from ..records import Curve, Score
from ..runs import Run, Selection
from ..select import RULES, select
from .align_spec import AlignSpec
from .ends import save_ends
from .environment import environment
from .scoring import Clock, selected_rows
from .study import task_facts

__all__ = ["Fitted", "Work"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """One method with one seed.

    Attributes:
        key: Unique name of the method in the study ("language-film", "language-film-shuffled").
        method: What was fitted.
        seed: Of the fit.
        curve: kNN scores along the path.
        predictions: (alpha, split name) -> predictions at ``spec.k``.
        selections: How each rule chose alpha.
    """

    key: str
    method: LanguageSupervision
    seed: int
    curve: Curve
    predictions: Mapping[tuple[float, str], Predictions]
    selections: tuple[Selection, ...]

    def score(self, alpha: float, split: str) -> Score:
        """The score at one alpha of the grid."""
        return self.curve.scores[split][self.curve.alphas.index(alpha)]

    def alpha(self, rule: str) -> float:
        """The alpha that a rule chose; "end" is 1."""
        return next((s.alpha for s in self.selections if s.rule == rule), 1.0)


@dataclass
class Work:
    """What every fit of a study shares.

    Attributes:
        start: The pretrained encoder.
        training: The task whose training split is the pairs.
        task: The task whose training split is the bank.
        spec: What to do.
        context: Device, progress, and a memo with the text encoder.
        batch_size: Images per forward pass in evaluation.
        facts: Of the study; its recipe hash goes into every score.
        say: Takes lines for people.
    """

    start: Model
    training: Task
    task: Task
    spec: AlignSpec
    context: RunContext
    batch_size: int
    facts: Mapping[str, Any]
    say: Callable[[str], None]
    _at_start: Neighbours | None = field(default=None, repr=False)

    def one(
        self, method: LanguageSupervision, key: str, seed: int, place: File | None, command: str
    ) -> Fitted:
        """Fit and look; a finished run folder is read instead."""
        if place is None:
            return self._fitted(method, key, seed, self.context, None, Clock())
        if (place / "run.json").is_file() and Run.open(place).status in ("finished", "trial"):
            self.say(f"{place.name}: finished already")
            return read_fitted(Run.open(place), method, key, seed)
        run = self._open(method, key, seed, place, command)
        context = replace(
            self.context, log=jsonl_log(place / "log.jsonl"), checkpoints=place / "checkpoints"
        )
        clock = Clock()
        try:
            fitted = self._fitted(method, key, seed, context, run, clock)
            run.write_selections(fitted.selections)
            run.write_scores(self._rows(fitted))
        except BaseException:
            run.set_status("interrupted", seconds=clock.seconds)
            raise
        shutil.rmtree(place / "checkpoints", ignore_errors=True)
        run.set_status("trial" if self.spec.trial else "finished", seconds=clock.seconds)
        self.say(f"{method.label()}, seed {seed}: {sum(clock.seconds.values()):.0f} s")
        return fitted

    def _open(
        self, method: LanguageSupervision, key: str, seed: int, place: File, command: str
    ) -> Run:
        facts = {
            "method": key,
            "label": method.label(),
            "seed": seed,
            "evaluator": "knn",  # whose rows and predictions are the run's own
            "model": self.start.spec.name,
            "task": task_facts(self.task),
            "align": dict(self.facts),
        }
        run = Run.create(place, facts, resume=self.context.resume)
        run.write_json("env.json", environment(command))
        return run

    def _fitted(
        self,
        method: LanguageSupervision,
        key: str,
        seed: int,
        context: RunContext,
        run: Run | None,
        clock: Clock,
    ) -> Fitted:
        with clock.time("fit"):
            tuned = method.fit(self.start, self.training, seed=seed, run=context)
        # No head at either end: kNN looks at features alone.
        path = Path(self.start.with_head(None), tuned, head="end")
        kept: dict[tuple[float, str], Predictions] = {}

        def keep(alpha: float, said: Predictions) -> None:
            kept[alpha, said.split] = said
            if run is not None:
                run.save_predictions(said, alpha, "knn")

        with clock.time("knn"), progress_bar("kNN", shown=context.progress, unit="α") as tick:
            curve = self._sweep(path, key, seed, keep, tick)
        if run is not None:
            with clock.time("save"):
                save_ends(run, path, self.task)
        return Fitted(key, method, seed, curve, kept, selections_of(curve, self.spec))

    def _sweep(self, path: Path, key: str, seed: int, keep: Any, tick: Any) -> Curve:
        options: dict[str, Any] = {
            "protocol": self.spec.protocol,
            "device": pick_device(self.context.device),
            "batch_size": self.batch_size,
            "workers": self.context.workers,
        }
        ks = sorted({self.spec.k, *(k for k in self.spec.ks if k <= len(self.task.train))})
        if self._at_start is None:  # the same for every fit: an adapter as initialised is nothing
            self._at_start = knn_at(self.start, self.task, ks=ks, **options)
        return knn_sweep(
            path,
            self.task,
            alphas=self.spec.grid(),
            k=self.spec.k,
            ks=ks,
            method=key,
            seed=seed,
            at_start=self._at_start,
            on_predictions=keep,
            progress=tick,
            **options,
        )

    def _rows(self, fitted: Fitted) -> list[Score]:
        """Score rows as every run has them: the path, its end, and what each rule chose."""
        marks = {"seed": fitted.seed, "recipe": self.facts["recipe"]}
        rows = selected_rows(fitted.curve, list(fitted.selections), fitted.key)
        return [replace(row, **marks) for row in rows]


def selections_of(curve: Curve, spec: AlignSpec) -> tuple[Selection, ...]:
    """One per rule, chosen by kNN; the oracle is labelled."""
    return tuple(select(curve, rule, fixed=spec.fixed) for rule in RULES)


def read_fitted(run: Run, method: LanguageSupervision, key: str, seed: int) -> Fitted:
    """What a finished run folder holds."""
    table: dict[str, dict[float, Score]] = {}
    for row in run.scores():
        if row.selection == "none" and row.alpha is not None:
            table.setdefault(row.split, {})[row.alpha] = row
    alphas = tuple(sorted(set.intersection(*(set(rows) for rows in table.values()))))
    kept = {
        (alpha, split): said
        for split in table
        for alpha in alphas
        if (said := run.predictions(split, alpha, "knn")) is not None
    }
    correct = {
        split: np.stack([kept[a, split].correct() for a in alphas])
        for split, rows in table.items()
        if rows[alphas[0]].metric == "top1" and all((a, split) in kept for a in alphas)
    }
    scores = {split: tuple(rows[a] for a in alphas) for split, rows in table.items()}
    curve = Curve(key, alphas, scores, correct, seed)
    return Fitted(key, method, seed, curve, kept, tuple(run.selections()))
