"""Carries out the study: the learning rate of each method, then every method and seed.

Everything is a run folder of the ordinary kind under ``OUT/<set>/<method>/s<seed>``, so that what
is finished stays finished, and any of them can be looked at with ``surefoot report``.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..context import RunContext, pick_device
from ..data.dataset import Shift
from ..data.image_cache import cached_in_memory
from ..errors import RunError, TrainingError
from ..evals.predict import predict
from ..methods.parse import method_from
from ..models.save import load_saved, save_model
from ..recipes.experiment import run_recipe
from ..recipes.recipe import parse_recipe
from ..records import write_atomic
from ..runs import Run
from ..select import RULES
from .plan import LANGUAGE, Entrant, Plan, SetPlan
from .sets import Sources, prepare
from .workers import Workers

__all__ = ["Bench", "Training", "cell", "open_plan", "rate", "run_set"]

Say = Callable[[str], None]


def open_plan(plan: Plan, out: Path) -> None:
    """Write the plan before anything runs, or check that a study there has the same one.

    Raises:
        RunError: The folder holds a study with another plan.
    """
    file = out / "plan.json"
    text = json.dumps(plan.to_dict(), indent=1) + "\n"
    if not file.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text)
    elif json.loads(file.read_text()) != plan.to_dict():
        raise RunError(
            f"{out} holds a claims study with another plan",
            expected="the plan that was written down before the study began",
            fix="choose another folder with --out; plans are not changed half-way",
        )


def cell(out: Path, set_name: str, key: str, seed: int) -> Path:
    """The run folder of one method and seed."""
    if set_name == LANGUAGE:  # an alignment study, which names its runs itself
        return out / set_name / f"language-{key}-s{seed}"
    return out / set_name / key / f"s{seed}"


@dataclass(frozen=True)
class Training:
    """One training of the study.

    Attributes:
        key: Of the method.
        seed: Of the fit.
        lr: Learning rate; None for a method that has none.
        trial: Only to see how it does on ID validation.
    """

    key: str
    seed: int
    lr: float | None
    trial: bool = False


def run_set(
    plan: Plan, which: SetPlan, sources: Sources, out: Path, say: Say, *, jobs: int = 1
) -> None:
    """Every method with every seed on one data set; finished trainings are left as they are.

    First the trials of learning rates, then the cells, ``jobs`` at a time.

    Raises:
        DataError: The data set or the encoder's weights were not given.
    """
    with Workers(jobs, partial(Bench, plan, which, sources, out)) as workers:
        trials = [t for e in which.entrants for t in _untried(plan, which, e, out)]
        for training, (value, seconds) in workers.do(trials):
            assert training.lr is not None
            _note_trial(out, which.name, training.key, training.lr, value)
            say(
                f"{which.name} {training.key} lr {training.lr:g}: {100 * value:.1f} % on ID "
                f"validation, {seconds:.0f} s"
            )
        cells = [
            Training(entrant.key, seed, rate(plan, which, entrant, out))
            for seed in plan.seeds
            for entrant in which.entrants
            if not Run(cell(out, which.name, entrant.key, seed)).done
        ]
        for training, (_, seconds) in workers.do(cells):
            say(f"{which.name} {training.key} seed {training.seed}: {seconds:.0f} s")


def rate(plan: Plan, which: SetPlan, entrant: Entrant, out: Path) -> float | None:
    """The learning rate that did best on ID validation with the first seed, over the whole grid.

    Every method gets the same grid, each value a whole training. Ties go to the smallest.
    """
    if not entrant.tuned:
        return None
    if len(plan.grid) == 1:
        return plan.grid[0]
    trials = _trials(out, which.name, entrant.key)
    return max(plan.grid, key=lambda lr: (trials[f"{lr:g}"], -lr))


def _untried(plan: Plan, which: SetPlan, entrant: Entrant, out: Path) -> list[Training]:
    """What has to be trained before the method's learning rate is known."""
    if not entrant.tuned or len(plan.grid) == 1:
        return []
    done = _trials(out, which.name, entrant.key)
    rates = [lr for lr in plan.grid if f"{lr:g}" not in done]
    return [Training(entrant.key, plan.seeds[0], lr, trial=True) for lr in rates]


def _trials(out: Path, set_name: str, key: str) -> dict[str, float]:
    """Learning rate -> accuracy on ID validation; -1 where training diverged."""
    file = out / set_name / key / "tuning.json"
    found: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def _note_trial(out: Path, set_name: str, key: str, lr: float, value: float) -> None:
    file = out / set_name / key / "tuning.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    trials = _trials(out, set_name, key) | {f"{lr:g}": value}
    write_atomic(file, json.dumps(trials, indent=1) + "\n")


class Bench:
    """What one process needs for the trainings on a data set; call it with one.

    The task and the start are loaded once, and trainings share what the start's features and
    answers are, and its linear probe.
    """

    def __init__(self, plan: Plan, which: SetPlan, sources: Sources, out: Path) -> None:
        self.plan, self.which, self.out = plan, which, out
        task, pretrained = prepare(which, sources)
        self.task = cached_in_memory(task)
        # Validation after every epoch would be a fifth of the time, and nobody looks at it.
        # Depthwise convolutions are half as fast again with channels last, on a CPU as well.
        self.context = RunContext(validate=False, channels_last=which.from_probe)
        self.start = pretrained
        if which.from_probe:
            probe = method_from(which.entrants[0].method, where="the plan's probe")
            self.start = probe.fit(pretrained, self.task, seed=0, run=self.context)

    def __call__(self, training: Training) -> tuple[float, float]:
        """Train; returns accuracy on ID validation (of a trial; else nan), and seconds."""
        began = time.perf_counter()
        entrant = next(e for e in self.which.entrants if e.key == training.key)
        plain = _with_lr(_from_probe(entrant, self.which.from_probe), training.lr)
        value = self._try(plain, training) if training.trial else self._keep(plain, training)
        return value, time.perf_counter() - began

    def _try(self, plain: Mapping[str, Any], training: Training) -> float:
        method = method_from(plain, where=f"the plan's {training.key}")
        try:
            tuned = method.fit(self.start, self.task, seed=training.seed, run=self.context)
            file = self._trained(training)
            file.parent.mkdir(parents=True, exist_ok=True)
            save_model(tuned, file)
            device = pick_device("auto")
            said = predict(tuned, Shift("val", self.task.val), batch_size=64, device=device)
            return float(np.mean(said.correct()))
        except TrainingError:
            return -1.0  # diverged: never chosen

    def _keep(self, plain: Mapping[str, Any], training: Training) -> float:
        recipe = parse_recipe(
            {
                "name": f"claims {self.plan.size}: {self.which.name}",
                "model": self.which.model,
                "data": {"train": self.which.name},
                "methods": [plain],
                "path": {
                    "alphas": list(self.which.alphas or self.plan.alphas),
                    "rules": list(RULES),
                },
                "seeds": [training.seed],
                "batch_size": 64,
                "workers": 0,  # images are held in memory, and here
            },
            where="the claims plan",
        )
        place = cell(self.out, self.which.name, training.key, training.seed)
        trained = self._trained(training)
        run_recipe(
            recipe,
            place,
            resume=place.exists(),
            task=self.task,
            start=self.start,
            command="claims",
            context=self.context,
            fitted=load_saved(trained) if trained.is_file() else None,
        )
        if training.seed == self.plan.seeds[0]:
            shutil.rmtree(trained.parent, ignore_errors=True)
        return float("nan")

    def _trained(self, training: Training) -> Path:
        """Where a trial leaves its model: the first seed's cell need not train it again."""
        kept = f"s{training.seed}-lr{training.lr or 0:g}.safetensors"
        return self.out / self.which.name / training.key / "trials" / kept


def _from_probe(entrant: Entrant, from_probe: bool) -> Mapping[str, Any]:
    """LP-FT from a start that is the probe already is fine-tuning that keeps its head."""
    if not from_probe or entrant.method["name"] != "lp-ft":
        return entrant.method
    schedule = entrant.method["tune"]["schedule"]
    return {"name": "ft", "head": "keep", "eval_mode": True, "schedule": schedule}


def _with_lr(method: Mapping[str, Any], lr: float | None) -> dict[str, Any]:
    """The plain method with the learning rate written into its schedule."""
    plain: dict[str, Any] = json.loads(json.dumps(method))
    if lr is not None:
        holder = plain.get("tune", plain)
        holder["schedule"]["lr"] = lr
    return plain
