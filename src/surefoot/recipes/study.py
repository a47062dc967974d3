"""A recipe -> a run folder, or a study folder when it has several methods or seeds."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..context import RunContext, cap_threads
from ..data.dataset import Task
from ..data.specs import make_task
from ..errors import RunError
from ..evals.diagnose import pick_examples
from ..methods.base import Method
from ..models.load import load
from ..models.model import Model
from ..predictions import Predictions
from ..runs import Run, Study, open_study
from .auto_lr import tune_lr
from .environment import environment
from .execute import execute
from .few_shot import drawn, said_of_all
from .recipe import Recipe, RecipeSpec

__all__ = ["carry_out", "member_names", "task_facts", "task_of"]


def task_of(spec: RecipeSpec) -> Task:
    """The task that a recipe's ``data`` names, with its limits.

    Raises:
        DataError: Anything wrong with images, labels or class maps.
    """
    data = spec.data
    task = make_task(
        train=data.train,
        val=data.val,
        test=data.test,
        shifts=data.shifts,
        class_maps=data.class_maps,
        templates=data.templates,
        prompt_names=data.prompt_names,
        metric=data.metric,
        root=data.root,
        val_fraction=data.val_fraction,
        seed=data.seed,
        skip_bad=data.skip_bad,
    )
    return task.subset(train=data.limit_train, evaluation=data.limit_eval, seed=data.seed)


def task_facts(task: Task) -> dict[str, Any]:
    """What the report says about the data."""
    splits = {"train": task.train} | {n: s.split for n, s in task.scored().items()}
    return {
        "name": task.name,
        "classes": len(task.class_names),
        "class_names": list(task.class_names),
        "metric": task.metric,
        "templates": list(task.templates),
        "splits": {
            name: {
                "n": len(split),
                "domain": split.domain,
                "use": split.use,
                "version": split.version,
                "manifest": split.manifest().sha256,
                "licence": split.licence,
                "source": split.source,
                "synthetic": split.synthetic,
                "cluster": split.cluster,
                "notes": list(split.notes),
            }
            for name, split in splits.items()
        },
        "notes": list(task.notes),
    }


def member_names(methods: Sequence[Method]) -> list[str]:
    """Folder names of methods, unique: "ft", "ft-random-head", "ft-2"."""
    names: list[str] = []
    for method in methods:
        slug = re.sub(r"[^a-z0-9.]+", "-", method.label().lower()).strip("-")
        twins = sum(
            n == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", n) is not None for n in names
        )
        names.append(slug if not twins else f"{slug}-{twins + 1}")
    return names


def carry_out(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    progress: bool = False,
    command: str = "",
    task: Task | None = None,
    start: Model | None = None,
    say: Any = None,
) -> Study:
    """Load, check, fit, sweep, select, score, and keep everything.

    Args:
        recipe: What to do.
        out: A new folder: a run for one method and one seed, else a study.
        resume: Go on in a folder that is there; finished runs are left as they are.
        progress: Bars on stderr.
        command: As typed, for the record.
        task: Instead of the recipe's data (from Python).
        start: Instead of the recipe's model (from Python).
        say: Takes lines for people; None keeps quiet.

    Raises:
        RunError: The folder exists and ``resume`` was not asked for.
    """
    cap_threads()
    folder = Path(out)
    _refuse_existing(folder, recipe, resume)
    say = say or (lambda line: None)
    began = time.perf_counter()
    start = start if start is not None else load(recipe.spec.model)
    task = task if task is not None else task_of(recipe.spec)
    loading = time.perf_counter() - began
    keys = member_names(recipe.methods)
    single = len(recipe.methods) == 1 and len(recipe.spec.seeds) == 1
    context = RunContext(
        device=recipe.spec.device,
        precision=recipe.spec.precision,
        progress=progress,
        workers=recipe.spec.workers,
        resume=resume,
    )
    members = []
    whole = task
    for seed in recipe.spec.seeds:
        task = drawn(whole, recipe, seed)
        for key, method in zip(keys, recipe.methods, strict=True):
            name = key if len(recipe.spec.seeds) == 1 else f"{key}-s{seed}"
            members.append(name)
            place = folder if single else folder / name
            facts = {
                "method": key,
                "label": method.label(),
                "seed": seed,
                "model": start.spec.name,
                "task": task_facts(task),
            }
            _one(recipe, method, key, start, task, place, facts, seed, context, command, say)
    if not single:
        _write_study(
            folder,
            recipe,
            said_of_all(task, recipe),
            members,
            command,
            {"loading": loading, "total": time.perf_counter() - began},
        )
    study = open_study(folder)
    write_examples(study, task)
    return study


def _refuse_existing(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Nothing is overwritten; a resumed folder must hold the same recipe."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not resume:
        raise RunError(
            f"the folder {folder} exists already",
            expected="a new folder, so that nothing is overwritten",
            fix="choose another with --out, remove it, or go on in it with --resume",
        )
    from .recipe import load_recipe

    kept = folder / "recipe.yaml"
    if kept.is_file() and load_recipe(kept).hash() != recipe.hash():
        raise RunError(
            f"{folder} was made with another recipe than the one to resume",
            expected=f"the recipe in {kept}",
            fix="resume with that recipe, or choose another folder",
        )


def _one(
    recipe: Recipe,
    method: Method,
    key: str,
    start: Model,
    task: Task,
    place: Path,
    facts: Mapping[str, Any],
    seed: int,
    context: RunContext,
    command: str,
    say: Any,
) -> None:
    """One member: skipped when it is finished already."""
    done = place / "run.json"
    if done.is_file() and Run.open(place).status in ("finished", "trial"):
        say(f"{place.name}: finished already")
        return
    run = Run.create(place, facts, resume=context.resume)
    recipe.save(place / "recipe.yaml")
    run.write_json("env.json", environment(command))
    began = time.perf_counter()
    if recipe.spec.tune is not None:
        method = tune_lr(
            method,
            start,
            task,
            recipe.spec.tune,
            seed=seed,
            run=context,
            say=say,
            record=lambda table: run.write_json("tuning.json", table),
        )
    execute(method, key, start, task, recipe, run, seed=seed, context=context)
    say(f"{facts['label']}, seed {seed}: {time.perf_counter() - began:.0f} s")


def _write_study(
    folder: Path,
    recipe: Recipe,
    task: Task,
    members: list[str],
    command: str,
    seconds: Mapping[str, float],
) -> None:
    run = Run(folder)
    recipe.save(folder / "recipe.yaml")
    run.write_json(
        "study.json",
        {
            "schema": 1,
            "title": recipe.spec.name,
            "members": members,
            "command": command,
            "task": task_facts(task),
            "model": recipe.spec.model,
            "notes": list(task.notes),
            "seconds": dict(seconds),
        },
    )


def write_examples(study: Study, task: Task, *, count: int = 24, seed: int = 0) -> None:
    """Keep some images on which zero-shot, tuned and mixed models disagree (examples.json).

    Drawn at random, seeded, among all disagreements, evenly over the ID test and the shifts.
    """
    scored = {name: s for name, s in task.scored().items() if name != "val"}
    said = {name: _said(study, name) for name in scored}
    said = {name: models for name, models in said.items() if len(models) > 1}
    rows = []
    for name, i in pick_examples(said, k=count, seed=seed) if said else []:
        models = said[name]
        first = next(iter(models.values()))
        rows.append(
            {
                "split": name,
                "id": first.ids[i],
                "label": task.class_names[first.labels[i]],
                "image": data_uri(scored[name].split.images[i]),
                "predictions": {who: task.class_names[p.top1()[i]] for who, p in models.items()},
            }
        )
    if rows:
        Run(study.path).write_json("examples.json", rows)


def _said(study: Study, split: str) -> dict[str, Predictions]:
    """Zero-shot, tuned and half-way predictions of the study's leading method."""
    tuned = [r for r in study.runs if r.read_json("start.json") is not None]
    if not tuned:
        return {}
    rank = {"ft": 0, "lp-ft": 1}
    run = min(tuned, key=lambda r: rank.get(r.facts["method"], 2))
    chosen = next((s.alpha for s in run.selections() if s.rule == "fixed"), 0.5)
    label = run.facts["label"]
    wanted = {"Pretrained": 0.0, label: 1.0, f"WiSE-FT of {label}, α = {chosen:g}": chosen}
    found = {name: run.predictions(split, alpha) for name, alpha in wanted.items()}
    return {name: p for name, p in found.items() if p is not None}


def data_uri(image: Any, *, longest: int = 96) -> str:
    """An image as a PNG data URI; large ones are made smaller, small ones are left alone."""
    image = image.convert("RGB")
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
