"""A recipe -> a run folder, or a study folder when it has several methods or seeds."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from .. import processes
from ..context import RunContext, cap_threads, pick_device, pick_workers
from ..data.dataset import Task
from ..data.specs import make_task
from ..errors import RunError
from ..methods.base import Method
from ..models.load import load
from ..models.model import Model
from ..predictions import Predictions
from ..progress import progress_bar
from ..runs import Run, Study, open_study
from .auto_lr import tune_lr
from .environment import environment
from .examples import write_examples
from .execute import execute
from .few_shot import drawn, said_of_all
from .recipe import DataSpec, Recipe, RecipeSpec

__all__ = ["carry_out", "member_names", "task_facts", "task_of", "told"]


def task_of(spec: RecipeSpec, *, progress: bool = False, stand_in: bool = False) -> Task:
    """The task that a recipe's ``data`` names, with its limits; every image is decoded once.

    Args:
        spec: The recipe.
        progress: A bar on stderr while images are checked.
        stand_in: ``data.train`` stands in for a training set: nothing is learnt from it.

    Raises:
        DataError: Anything wrong with images, labels or class maps.
    """
    data = spec.data
    # Decoders run side by side; with two cores it is not worth the threads.
    threads = cap_threads() if cap_threads() > 2 else 0
    with progress_bar("check images", shown=progress) as tick:
        task = make_task(
            workers=threads, progress=tick, stand_in=stand_in, **data.model_dump(include=_PASSED)
        )
    return task.subset(train=data.limit_train, evaluation=data.limit_eval, seed=data.seed)


_PASSED = set(DataSpec.model_fields) & set(signature(make_task).parameters)
"""Fields of a recipe's data that ``make_task`` takes."""


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
                "content": split.manifest().content,
                "rows": split.manifest().rows,
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
    context: RunContext | None = None,
    fitted: Model | None = None,
) -> Study:
    """Load, check, fit, sweep, select, score, and keep everything.

    Several processes (torchrun, accelerate launch) do it together; the main one writes.

    Args:
        recipe: What to do.
        out: A new folder: a run for one method and one seed, else a study.
        resume: Go on in a folder that is there; finished runs are left as they are.
        progress: Bars on stderr.
        command: As typed, for the record.
        task: Instead of the recipe's data (from Python).
        start: Instead of the recipe's model (from Python).
        say: Takes lines for people; None keeps quiet.
        context: What the recipe does not say (memory layout, a memo shared with other recipes);
            its device, precision, workers and places come from here.
        fitted: What the recipe's one method with its one seed gives, where that is known.

    Raises:
        RunError: The folder exists and ``resume`` was not asked for.
    """
    cap_threads()
    processes.begin(recipe.spec.device)
    folder = Path(out)
    processes.agreed(lambda: _refuse_existing(folder, recipe, resume))
    say = say if say is not None and processes.is_main() else (lambda line: None)
    began = time.perf_counter()
    start = start if start is not None else load(recipe.spec.model)
    shown = progress and processes.is_main()
    task = task if task is not None else task_of(recipe.spec, progress=shown)
    for note in (_sizes(task), *told(task)):
        say(note)
    loading = time.perf_counter() - began
    single = len(recipe.methods) == 1 and len(recipe.spec.seeds) == 1
    context = replace(
        context or RunContext(),
        device=recipe.spec.device,
        precision=recipe.spec.precision,
        progress=shown,
        tell=say,
        workers=pick_workers(recipe.spec.workers, pick_device(recipe.spec.device), len(task.train)),
        compile=recipe.spec.compile,
        resume=resume,
    )
    members = []
    with _own(folder) as own:
        for seed in recipe.spec.seeds:
            drawn_task = drawn(task, recipe, seed)
            for key, method in zip(member_names(recipe.methods), recipe.methods, strict=True):
                name = key if len(recipe.spec.seeds) == 1 else f"{key}-s{seed}"
                members.append(name)
                part = "." if single else name
                facts = {
                    "method": key,
                    "label": method.label(),
                    "seed": seed,
                    "model": start.spec.name,
                    "task": task_facts(drawn_task),
                }
                asked = replace(context, checkpoints=folder / part / "checkpoints")
                _one(recipe, method, key, start, drawn_task, own / part, folder / part, facts,
                     seed, asked, command, say, fitted if single else None)  # fmt: skip
    if processes.is_main():
        if not single:
            seconds = {"loading": loading, "total": time.perf_counter() - began}
            _write_study(folder, recipe, said_of_all(drawn_task, recipe), members, command, seconds)
        write_examples(open_study(folder), drawn_task)
    processes.agreed(lambda: None)  # nobody opens the folder before it is whole
    return open_study(folder)


def _sizes(task: Task) -> str:
    """How many images there are, split by split."""
    shifts = ", ".join(f"{s.name} {len(s.split):,}" for s in task.shifts)
    return (
        f"data: {task.name}, {len(task.class_names)} classes; {len(task.train):,} images to train "
        f"on, {len(task.val):,} for ID validation, {len(task.test):,} for the ID test"
        + (f"; shifts: {shifts}" if shifts else "")
    )


def told(task: Task) -> list[str]:
    """What was done to the data that the user should know before training starts."""
    splits = (task.train, *(s.split for s in task.scored().values()))
    every = [
        *task.notes,
        *(n for s in splits for n in s.notes if "left out" in n or "ignored" in n),
    ]
    return [f"note: {note}" for note in dict.fromkeys(every)]


class _Aside(Run):
    """What a process beside the main one writes and reads back; its logits are written once."""

    def save_predictions(
        self, predictions: Predictions, alpha: float | None, evaluator: str = "head"
    ) -> None:
        """Not kept."""


@contextmanager
def _own(folder: Path) -> Iterator[Path]:
    """Where this process writes: the run folder, or one that is thrown away beside the main one."""
    if processes.is_main():
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="surefoot-process-") as name:
            yield Path(name) / "run"


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
    kept: Path,
    facts: Mapping[str, Any],
    seed: int,
    context: RunContext,
    command: str,
    say: Any,
    fitted: Model | None,
) -> None:
    """One member: skipped when it is finished already."""
    processes.agreed(lambda: Run(kept).require_same_images(facts))
    if processes.agreed(lambda: _finished(kept)):
        say(f"{kept.name}: finished already")
        return
    kind = Run if processes.is_main() else _Aside
    run = kind.create(place, facts, resume=context.resume)
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
            known=Run(kept).read_json("tuning.json") if context.resume else None,
        )
    execute(method, key, start, task, recipe, run, seed=seed, context=context, fitted=fitted)
    say(f"{facts['label']}, seed {seed}: {time.perf_counter() - began:.0f} s")


def _finished(place: Path) -> bool:
    return (place / "run.json").is_file() and Run.open(place).status in ("finished", "trial")


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
