"""Carries out the study: the learning rate of each method, then every method and seed.

Everything is a run folder of the ordinary kind under ``OUT/<set>/<method>/s<seed>``, so that what
is finished stays finished, and any of them can be looked at with ``surefoot report``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..context import RunContext, pick_device
from ..data.dataset import Shift, Task
from ..errors import RunError, TrainingError
from ..evals.predict import predict
from ..methods.base import Method
from ..methods.parse import method_from
from ..models.model import Model
from ..recipes.auto_lr import with_schedule
from ..recipes.recipe import parse_recipe
from ..recipes.study import carry_out
from ..records import write_atomic
from ..runs import Run
from ..select import RULES
from .plan import LANGUAGE, Entrant, Plan, SetPlan
from .sets import Sources, prepare

__all__ = ["cell", "open_plan", "run_set"]

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


def run_set(plan: Plan, which: SetPlan, sources: Sources, out: Path, say: Say) -> None:
    """Every method with every seed on one data set; finished cells are left as they are."""
    task, pretrained = prepare(which, sources)
    context = RunContext()
    start = pretrained
    if which.from_probe:
        probe = _method(which.entrants[0], None)
        start = probe.fit(pretrained, task, seed=0, run=context)
    rates = {e.key: _rate(plan, which, e, start, task, out, say) for e in which.entrants}
    for seed in plan.seeds:
        for entrant in which.entrants:
            place = cell(out, which.name, entrant.key, seed)
            if (place / "run.json").is_file() and Run.open(place).status == "finished":
                continue
            began = time.perf_counter()
            method = _from_probe(entrant, which.from_probe)
            _carry_out(plan, which, method, rates[entrant.key], start, task, place, seed)
            say(f"{which.name} {entrant.key} seed {seed}: {time.perf_counter() - began:.0f} s")


def _from_probe(entrant: Entrant, from_probe: bool) -> Mapping[str, Any]:
    """LP-FT from a start that is the probe already is fine-tuning that keeps its head."""
    if not from_probe or entrant.method["name"] != "lp-ft":
        return entrant.method
    schedule = entrant.method["tune"]["schedule"]
    return {"name": "ft", "head": "keep", "eval_mode": True, "schedule": schedule}


def _method(entrant: Entrant, lr: float | None) -> Method:
    built = method_from(entrant.method, where=f"the plan's {entrant.key}")
    method: Method = built if lr is None else with_schedule(built, lr=lr)
    return method


def _carry_out(
    plan: Plan,
    which: SetPlan,
    method: Mapping[str, Any],
    lr: float | None,
    start: Model,
    task: Task,
    place: Path,
    seed: int,
) -> None:
    recipe = parse_recipe(
        {
            "name": f"claims {plan.size}: {which.name}",
            "model": which.model,
            "data": {"train": which.name},
            "methods": [_with_lr(method, lr)],
            "path": {"alphas": list(plan.alphas), "rules": list(RULES)},
            "seeds": [seed],
            "batch_size": 64,
        },
        where="the claims plan",
    )
    carry_out(recipe, place, resume=place.exists(), task=task, start=start, command="claims")


def _with_lr(method: Mapping[str, Any], lr: float | None) -> dict[str, Any]:
    """The plain method with the learning rate written into its schedule."""
    plain: dict[str, Any] = json.loads(json.dumps(method))
    if lr is not None:
        holder = plain.get("tune", plain)
        holder["schedule"]["lr"] = lr
    return plain


def _rate(
    plan: Plan,
    which: SetPlan,
    entrant: Entrant,
    start: Model,
    task: Task,
    out: Path,
    say: Say,
) -> float | None:
    """The learning rate that did best on ID validation with the first seed, over the whole grid.

    Every method gets the same grid, each value a whole training. Ties go to the smallest.
    """
    if not entrant.tuned:
        return None
    if len(plan.grid) == 1:
        return plan.grid[0]
    file = out / which.name / entrant.key / "tuning.json"
    trials: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
    for lr in plan.grid:
        if f"{lr:g}" in trials:
            continue
        began = time.perf_counter()
        method = _method(Entrant(entrant.key, _from_probe(entrant, which.from_probe)), lr)
        try:
            tuned = method.fit(start, task, seed=plan.seeds[0], run=RunContext())
            said = predict(tuned, Shift("val", task.val), batch_size=64, device=pick_device("auto"))
            trials[f"{lr:g}"] = float(np.mean(said.correct()))
        except TrainingError:
            trials[f"{lr:g}"] = -1.0  # diverged: never chosen
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(trials, indent=1) + "\n")
        say(
            f"{which.name} {entrant.key} lr {lr:g}: {100 * trials[f'{lr:g}']:.1f} % on ID "
            f"validation, {time.perf_counter() - began:.0f} s"
        )
    return max(plan.grid, key=lambda lr: (trials[f"{lr:g}"], -lr))
