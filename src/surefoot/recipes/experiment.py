"""A recipe -> a run folder, or a study folder when it has several methods or seeds."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import processes
from ..context import RunContext, cap_threads, pick_device, pick_workers
from ..data.dataset import Task
from ..errors import RunError, SurefootError
from ..methods.base import Method
from ..models.model import Model
from ..predictions import Predictions
from ..records import Curve, Origin
from ..report.decision import write_decision
from ..runs import Run, Selection, Study, open_study, refuse_existing
from .environment import environment
from .examples import write_examples
from .few_shot import drawn, said_of_all
from .job import Job, Look, run_one
from .recipe import Recipe, load_recipe
from .tasks import Prepared, prepare, task_facts

__all__ = ["Experiment", "member_names", "run_recipe"]

LONE = "."
"""The name of the one job of an experiment whose folder is its run folder."""


@dataclass(frozen=True)
class Experiment:
    """Jobs that share a folder: opened, run, interrupted, gone on with and finished in one way.

    Attributes:
        folder: A run folder for a lone job, else a study's.
        jobs: Folder name -> job, in the order in which they are run.
        command: As typed, for the record.
        say: Takes lines for people.
        recipe: Kept in every run, where there is one.
    """

    folder: Path
    jobs: Mapping[str, Job]
    command: str = ""
    say: Callable[[str], None] = lambda line: None
    recipe: Recipe | None = None

    def run_all(self, *, keep_going: bool = False) -> dict[str, str]:
        """Every job that is not finished.

        Args:
            keep_going: Where one fails, the others run all the same.

        Returns:
            Folder name -> why it failed; empty unless ``keep_going``.
        """
        failed: dict[str, str] = {}
        for name, job in self.jobs.items():
            try:
                self.run(name)
            except SurefootError as error:
                if not keep_going or len(failed) == len(self.jobs) - 1:
                    raise
                failed[name] = error.wrong
                self.say(f"{job.label}, seed {job.seed} FAILED: {error.wrong}")
        return failed

    def run(self, name: str) -> tuple[Curve, list[Selection]] | None:
        """One job; skipped where it is finished already.

        Returns:
            What :func:`~.job.run_one` gives; None for one that was finished.
        """
        job, kept = self.jobs[name], self.folder / name
        if job.context.resume and (kept / "run.json").is_file():
            job = job.again(Run(kept).facts)
        facts = job.described()
        processes.agreed(lambda: Run(kept).require_same_images(facts))
        if processes.agreed(lambda: Run(kept).done):
            self.say(f"{kept.name}: finished already")
            return None
        began = time.perf_counter()
        with _own(self.folder) as own:
            kind = Run if processes.is_main() else _Aside
            run = kind.create(own / name, facts, resume=job.context.resume)
            if self.recipe is not None:
                self.recipe.save(run.path / "recipe.yaml")
            run.write_json("env.json", environment(self.command))
            found = run_one(
                replace(job, context=replace(job.context, checkpoints=kept / "checkpoints")), run
            )
        self.say(f"{job.label}, seed {job.seed}: {time.perf_counter() - began:.0f} s")
        return found

    def finish(self, task: Task, *, title: str, model: str, **facts: Any) -> None:
        """Write study.json: the runs that did not fail, the data, what a page must say."""
        if self.recipe is not None:
            self.recipe.save(self.folder / "recipe.yaml")
        Run(self.folder).write_json(
            "study.json",
            {
                "schema": 1,
                "title": title,
                "members": [name for name in self.jobs if name not in facts.get("failed", {})],
                "command": self.command,
                "task": task_facts(task),
                "model": model,
                "notes": list(task.notes),
                **facts,
            },
        )


class _Aside(Run):
    """What a process beside the main one writes and reads back; its logits are written once."""

    def save_predictions(
        self, predictions: Predictions, alpha: float | None, evaluator: str = "head"
    ) -> None:
        """Not kept."""


@contextmanager
def _own(folder: Path) -> Iterator[Path]:
    """Where this process writes: the folder, or one that is thrown away beside the main one."""
    if processes.is_main():
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="surefoot-process-") as name:
            yield Path(name) / "run"


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


def run_recipe(
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
    strict: bool = False,
    keep_going: bool = False,
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
        strict: Refuse what is guessed about data and model.
        keep_going: Where one method fails, the others run all the same; study.json names it.

    Raises:
        RunError: The folder exists and ``resume`` was not asked for.
        Refused: Several things are wrong with model, data or methods; a single one as it is.

    Example:
        >>> data = {"train": "photos/train", "limit_train": 9, "limit_eval": 3}
        >>> plain = {"model": "tiny-clip", "data": data, "methods": ["zero-shot"]}
        >>> sf.run_recipe(sf.parse_recipe(plain), "runs/by-recipe").runs[0].status
        'trial'
    """
    cap_threads()
    spec, folder = recipe.spec, Path(out)
    processes.begin(spec.device)
    processes.agreed(lambda: _settle_folder(folder, recipe, resume))
    say = say if say is not None and processes.is_main() else (lambda line: None)
    began = time.perf_counter()
    shown = progress and processes.is_main()
    ready = prepare(recipe, start=start, task=task, progress=shown, strict=strict,
                    keep_going=keep_going)  # fmt: skip
    for line in ready.inventory.lines():
        say(line)
    loading = time.perf_counter() - began
    context = replace(
        context or RunContext(),
        device=spec.device,
        precision=spec.precision,
        progress=shown,
        tell=say,
        workers=pick_workers(spec.workers, pick_device(spec.device), len(ready.task.train)),
        compile=spec.compile,
        resume=resume,
    )
    jobs, failed = _jobs(recipe, ready, context, fitted)
    experiment = Experiment(folder, jobs, command, say, recipe)
    failed |= experiment.run_all(keep_going=keep_going)
    if processes.is_main():
        last = next(reversed(jobs.values())).task
        if LONE not in jobs:
            seconds = {"loading": loading, "total": time.perf_counter() - began}
            experiment.finish(
                said_of_all(last, recipe), title=spec.name, model=spec.model, seconds=seconds,
                inventory=ready.inventory.to_json(), **({"failed": failed} if failed else {}),
            )  # fmt: skip
        write_examples(open_study(folder), last)
        write_decision(open_study(folder))
    processes.agreed(lambda: None)  # nobody opens the folder before it is whole
    return open_study(folder)


def _jobs(
    recipe: Recipe, ready: Prepared, context: RunContext, fitted: Model | None
) -> tuple[dict[str, Job], dict[str, str]]:
    """Folder name -> job, LONE where there is one; and folder name -> why it cannot be fitted."""
    spec, jobs, failed = recipe.spec, dict[str, Job](), dict[str, str]()
    keyed = dict(zip(member_names(recipe.methods), recipe.methods, strict=True))
    lone = len(keyed) == len(spec.seeds) == 1
    facts = {"inventory": ready.inventory.to_json()}
    for seed in spec.seeds:
        own = drawn(ready.task, recipe, seed)
        for at, (key, method) in enumerate(keyed.items()):
            name = key if len(spec.seeds) == 1 else f"{key}-s{seed}"
            if at in ready.failed:
                failed[name] = ready.failed[at]
                continue
            jobs[LONE if lone else name] = Job(
                method, method.label(), Origin(key, seed=seed, recipe=recipe.hash()), ready.start,
                own, Look.of(spec), context, seed=seed, fitted=fitted if lone else None,
                tune=spec.tune, few_shot=spec.data.few_shot is not None,
                trial=bool(spec.data.limit_train or spec.data.limit_eval), facts=facts,
            )  # fmt: skip
    return jobs, failed


def _settle_folder(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Nothing is overwritten; a resumed folder must hold the same recipe."""
    if not resume:
        refuse_existing(folder)
    kept = folder / "recipe.yaml"
    if kept.is_file() and load_recipe(kept).hash() != recipe.hash():
        raise RunError(
            f"{folder} was made with another recipe than the one to resume",
            expected=f"the recipe in {kept}",
            fix="resume with that recipe, or choose another folder",
        )
