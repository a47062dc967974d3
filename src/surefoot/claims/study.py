"""The whole study: plan first, then cells, theory and cost, then verdicts in one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..predictions import Predictions
from ..recipes.environment import environment
from ..records import write_atomic
from ..runs import Run
from ..stats import interval_of_mean
from .cells import cell, open_plan, run_set
from .cost import judge_cost, measure_cost
from .decide import Answers, decide
from .elsewhere import keep_elsewhere, read_elsewhere
from .language import run_language
from .plan import LANGUAGE, PARTS, Plan, SetPlan
from .sets import Sources
from .statements import Side, entrants_of

__all__ = ["run_claims", "summarise"]

Say = Callable[[str], None]

SCHEMA = 1
_NETWORKS = "linear networks"
_THEORY_TEXT = "The five statements of the theory of LP-FT"
_COST_TEXT = "WiSE-FT costs nothing extra in training or inference"


def run_claims(
    plan: Plan,
    out: Path,
    *,
    sources: Sources | None = None,
    parts: Collection[str] = PARTS,
    command: str = "",
    say: Say = lambda line: None,
    jobs: int = 1,
    also: Sequence[Path] = (),
) -> dict[str, Any]:
    """Run what is not finished yet, then decide.

    Args:
        plan: Written to ``out/plan.json`` before anything runs.
        out: Folder of the study; go on in it by calling again.
        sources: Where CIFAR-10 and an encoder for it lie.
        parts: Names out of ``PARTS``; the others are left as they are.
        command: As typed, for the record.
        say: Told what is done.
        jobs: Trainings at once, each in a process of its own; what is timed runs alone.
        also: claims.json files of the same plan from other machines, whose answers stand for
            parts that this folder lacks; they are copied into it.

    Returns:
        What ``out/claims.json`` holds; see :func:`summarise`.

    Raises:
        RunError: The folder, or a file of ``also``, holds a study with another plan.
        DataError: CIFAR-10 is asked for and was not given.
    """
    open_plan(plan, out)
    keep_elsewhere(plan, out, also)
    for which in plan.sets:
        if which.name in parts:
            run_set(plan, which, sources or Sources(), out, say, jobs=jobs)
    if LANGUAGE in parts and plan.language is not None:
        run_language(plan, out / LANGUAGE, say, jobs=jobs)
    if "theory" in parts and not (out / "theory.json").is_file():
        from ..theory import Setting, run_study

        found = run_study(Setting(seeds=len(plan.seeds)))
        _write(out / "theory.json", found)
        say("theory: done")
    if "cost" in parts and not (out / "cost.json").is_file():
        _write(out / "cost.json", measure_cost(out / "cost", **plan.cost, say=say, jobs=jobs))
        say("cost: done")
    result = summarise(plan, out, command=command)
    _write(out / "claims.json", result)
    return result


def summarise(plan: Plan, out: Path, *, command: str = "") -> dict[str, Any]:
    """Verdicts and numbers of a study, from what its folder holds.

    Returns:
        JSON-able: schema, size, plan (and its hash), command, claims (rows of
        :func:`~surefoot.claims.decide.decide`, then claims 8 and 9), accuracy (mean over seeds of
        every method, point and split), tuning (the trials), cost, environment, and elsewhere
        (parts that other machines carried out, each with its environment).
    """
    elsewhere = read_elsewhere(out)
    rows = decide(plan, lambda name: _answers(plan, out, name), elsewhere=elsewhere)
    theory, cost = _read(out / "theory.json"), _read(out / "cost.json") or elsewhere.cost()
    known = elsewhere.row(8, _NETWORKS) if theory is None else None
    rows += [*([known] if known else _theory_rows(plan, theory)), *_cost_rows(plan, cost)]
    own = [name for name in _names(plan) if _complete(plan, out, name)]
    own += [name for name in ("theory", "cost") if (out / f"{name}.json").is_file()]
    return {
        "schema": SCHEMA,
        "size": plan.size,
        "plan": plan.to_dict(),
        "plan_hash": plan.hash(),
        "command": command,
        "claims": rows,
        "accuracy": [
            r
            for name in _names(plan)
            for r in _accuracy(plan, out, name) or elsewhere.accuracy(name)
        ],
        "tuning": {w.name: _tuning(w, out) or elsewhere.tuning(w.name) for w in plan.sets},
        "cost": cost,
        "environment": environment(command),
        "elsewhere": elsewhere.about(own),
    }


def _names(plan: Plan) -> list[str]:
    return [*(w.name for w in plan.sets), LANGUAGE]


def _read(file: Path) -> Any:
    return json.loads(file.read_text()) if file.is_file() else None


def _write(file: Path, data: Any) -> None:
    write_atomic(file, json.dumps(data, indent=1) + "\n")


def _complete(plan: Plan, out: Path, name: str) -> bool:
    """Is every cell of a part there?"""
    places = [cell(out, name, key, seed) for key in entrants_of(name) for seed in plan.seeds]
    return all(Run(place).done for place in places)


def _answers(plan: Plan, out: Path, name: str) -> Answers | None:
    if not _complete(plan, out, name):
        return None
    far = next((w.far for w in plan.sets if w.name == name), ())
    return Answers(out, name, plan.seeds, far, "knn" if name == LANGUAGE else "head")


def _accuracy(plan: Plan, out: Path, name: str) -> list[dict[str, Any]]:
    """Top-1 of every method at the start, at 0.5, at the chosen alpha and at the end."""
    answers = _answers(plan, out, name)
    if answers is None:
        return []
    rows = []
    for key in entrants_of(name):
        splits = ("test", *answers.splits(key, "shifts"))
        for pick in ("start", "half", "id_val", "end"):
            side = Side(key, pick)
            said = {split: answers.every_seed(side, split) for split in splits}
            shifts = {split: said[split] for split in splits[1:]}
            table = {split: _over_seeds({split: said[split]}) for split in splits}
            table["mean over shifts"] = _over_seeds(shifts)
            rows.append(
                {
                    "set": name,
                    "method": key,
                    "pick": pick,
                    "alphas": [answers.alpha(side, s) for s in plan.seeds],
                    "top1": table,
                }
            )
    return rows


def _over_seeds(said: Mapping[str, Sequence[Predictions]]) -> dict[str, Any]:
    """The mean over splits of every seed, and over seeds with its interval over units as well."""
    rows = {split: np.stack([p.correct() for p in seeds]) for split, seeds in said.items()}
    units = {split: seeds[0].units() for split, seeds in said.items()}
    found = interval_of_mean(rows, units, seeds_drawn=True)
    values = np.mean([row.mean(axis=1) for row in rows.values()], axis=0)
    ends = {"low": found.low, "high": found.high} if found else {"no_interval": found.reason}
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "sd": sd, "seeds": values.tolist(), **ends}


def _tuning(which: SetPlan, out: Path) -> dict[str, Mapping[str, float]]:
    files = {e.key: out / which.name / e.key / "tuning.json" for e in which.entrants}
    return {key: json.loads(f.read_text()) for key, f in files.items() if f.is_file()}


def _theory_rows(plan: Plan, found: Any) -> list[dict[str, Any]]:
    row = {"number": 8, "text": _THEORY_TEXT, "source": "LP-FT, arXiv 2202.10054, section 3",
           "set": _NETWORKS, "parts": []}  # fmt: skip
    if found is None:
        return [{**row, "verdict": "not decided", "why": "this part was not run"}]
    verdicts = [s["verdict"] for s in found["statements"]]
    worst = next((v for v in ("does not hold", "not significant") if v in verdicts), "holds")
    details = [{k: s[k] for k in ("number", "text", "verdict", "evidence")}
               for s in found["statements"]]  # fmt: skip
    verdict = worst if plan.size == "full" else "not decided"
    return [{**row, "verdict": verdict, "statements": details}]


def _cost_rows(plan: Plan, found: Any) -> list[dict[str, Any]]:
    row = {"number": 9, "text": _COST_TEXT, "source": "WiSE-FT, arXiv 2109.01903, abstract",
           "set": "pictograms", "parts": []}  # fmt: skip
    if found is None:
        return [{**row, "verdict": "not decided", "why": "this part was not run"}]
    verdict = judge_cost(found["wise"]) if plan.size == "full" else "not decided"
    return [{**row, "verdict": verdict, "wise": found["wise"]}]
