"""One method, one seed -> one run folder: fit, join with the start, sweep, select, score, keep."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any, Literal

from .. import processes
from ..context import RunContext, jsonl_log, pick_device
from ..data.dataset import Shift, Task
from ..data.loading import images_at_once
from ..evals.evaluate import evaluate
from ..evals.zero_shot import Prompts
from ..methods.base import Method
from ..methods.zero_shot import ZeroShot
from ..models.model import Model
from ..models.save import save_model
from ..paths import BatchNormPolicy, HeadPolicy, Path, alpha_grid, sweep
from ..predictions import Predictions
from ..progress import progress_bar
from ..records import Curve, Origin, Score
from ..runs import Clock, Run, Selection
from ..select import RULES, select_all
from .auto_lr import tune_lr
from .ends import save_ends, save_start
from .few_shot import start_or_end
from .recipe import RecipeSpec, TuneSpec
from .tasks import task_facts

__all__ = ["Job", "Look", "run_one", "whole_grid"]

KEEP_BYTES = 512 * 2**20
"""Logits of a whole sweep are kept up to this size; above, those of both ends and of ``fixed``."""


@dataclass(frozen=True)
class Look:
    """How a result is looked at.

    Attributes:
        alphas: Positions on the path; None: no path, the tuned model alone.
        head: Policy of the path's heads; see :meth:`~surefoot.paths.Path.between`.
        batchnorm: Policy of running statistics.
        rules: How alpha is chosen.
        fixed: The alpha of the rule "fixed".
        evaluators: "head", "knn": the first that the result allows makes the run's own rows, and
            "knn" beside a head is asked at every alpha that was chosen.
        neighbours: Options of "knn": k, ks, protocol.
        batch_size: Images per forward pass; None: by device and image size.
        adaptive: Score only what a choice of alpha can depend on.
        extrapolate: Allow alphas outside [0, 1].
    """

    alphas: tuple[float, ...] | None = None
    head: Literal["auto"] | HeadPolicy = "auto"
    batchnorm: BatchNormPolicy = "interpolate"
    rules: Sequence[str] = RULES
    fixed: float = 0.5
    evaluators: Sequence[str] = ("head",)
    neighbours: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    adaptive: bool = False
    extrapolate: bool = False

    @classmethod
    def of(cls, spec: RecipeSpec) -> Look:
        """As a recipe says."""
        plain = cls(evaluators=spec.evaluate, batch_size=spec.batch_size)
        if spec.path is None:
            return plain
        path = spec.path
        return replace(plain, alphas=whole_grid(path.alphas, path.fixed), head=path.head,
                       batchnorm=path.batchnorm, rules=path.rules, fixed=path.fixed)  # fmt: skip


def whole_grid(alphas: int | Sequence[float], fixed: float) -> tuple[float, ...]:
    """A count or a list of alphas, with both ends and the fixed one always among them."""
    return tuple(sorted({round(float(a), 10) for a in (*alpha_grid(alphas), 0.0, 1.0, fixed)}))


@dataclass(frozen=True, eq=False)
class Job:
    """What goes into one run folder.

    Attributes:
        method: What to fit; None where ``fitted`` is there.
        label: How reports name it.
        origin: What every score remembers: the method's key, the seed, the recipe's hash.
        start: The pretrained model; not altered.
        task: What is scored, and trained on unless ``training`` says.
        look: How the result is looked at.
        context: Device and progress; the log is the run's own, and so are the checkpoints unless
            it names a folder.
        seed: Of the fit.
        training: The task to train on, where it is another.
        splits: What is scored, where it is not all of the task.
        fitted: What the method gives, where it was fitted before with the same start, task and
            seed (a trial of learning rates).
        tune: The search for a learning rate before.
        few_shot: The start is a candidate too.
        trial: Data were cut: the run is called a trial.
        facts: Further facts for run.json.
    """

    method: Method | None
    label: str
    origin: Origin
    start: Model
    task: Task
    look: Look
    context: RunContext
    seed: int = 0
    training: Task | None = None
    splits: Mapping[str, Shift] | None = None
    fitted: Model | None = None
    tune: TuneSpec | None = None
    few_shot: bool = False
    trial: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images_at_once(self) -> int:
        """Images of a forward pass in evaluation."""
        size = self.start.spec.transform.size
        return images_at_once(size, pick_device(self.context.device), self.look.batch_size)

    def again(self, facts: Mapping[str, Any]) -> Job:
        """The same as a run was begun: logits repeat to the last digit only in equal batches."""
        batch = facts.get("eval_batch_size", self.look.batch_size)
        return replace(self, look=replace(self.look, batch_size=batch))

    def described(self) -> dict[str, Any]:
        """What run.json says of it."""
        record = self.start.spec.record
        return {
            "method": self.origin.method,
            "label": self.label,
            "seed": self.seed,
            "model": self.start.spec.name,
            "task": task_facts(self.task),
            "eval_batch_size": self.images_at_once,
            **({} if record is None else {"weights": record.to_json()}),
            **self.facts,
        }

    def options(self) -> dict[str, Any]:
        """Of every forward pass in evaluation."""
        return {
            "batch_size": self.images_at_once,
            "device": pick_device(self.context.device),
            "workers": self.context.workers,
        }

    def joined(self, tuned: Model) -> Path:
        """The path from the pretrained end to the tuned one."""
        head = self.look.head
        if head == "text" and tuned.head is not None and not Prompts.of(self.task).wrote(tuned):
            note = "its head is not what its text tower writes: path.head text means auto"
            self.context.say(note=note)
            head = "auto"
        return Path.between(
            self.start, tuned, self.task, head=head, run=self.context,
            batchnorm=self.look.batchnorm, extrapolate=self.look.extrapolate,
        )  # fmt: skip


def run_one(job: Job, run: Run) -> tuple[Curve, list[Selection]] | None:
    """Carry out one job and fill its run folder.

    The run's status becomes "interrupted" when an exception or Ctrl-C ends it early.

    Returns:
        The curve and what was chosen on it; None without a path.
    """
    checkpoints = job.context.checkpoints or run.path / "checkpoints"
    log = jsonl_log(run.path / "log.jsonl")
    job = replace(job, context=replace(job.context, log=log, checkpoints=checkpoints))
    with run.alive(trial=job.trial) as clock:
        tuned = _fitted(job, run, checkpoints.parent, clock)
        by_head = _by_head(tuned, job, run)
        path, found = None, None
        if job.look.alphas is None or not (job.method is None or job.method.on_path):
            rows = _alone(job, tuned, run, clock, by_head)
        else:
            path = job.joined(tuned)
            found = walked(job, path, run, clock, by_head=by_head)
            rows = selected_rows(*found, job.origin.method)
            if processes.is_main():
                with clock.time("save"):
                    save_ends(run, path, job.task)
        if by_head and "knn" in job.look.evaluators:
            with clock.time("knn"):
                rows += _beside(job, path, tuned, run)
        run.write_scores(rows)
        if processes.is_main():
            shutil.rmtree(checkpoints, ignore_errors=True)
    return found


def _fitted(job: Job, run: Run, kept: File, clock: Clock) -> Model:
    """The tuned model; its learning rate is chosen before, where that is asked."""
    if job.fitted is not None or job.method is None:
        assert job.fitted is not None
        if job.method is not None:
            job.context.say(note="fitted before, as a trial: not done again")
        return job.fitted
    task, method = job.training or job.task, job.method
    if job.tune is not None:
        method = tune_lr(
            method, job.start, task, job.tune, seed=job.seed, run=job.context,
            say=job.context.tell, record=lambda table: run.write_json("tuning.json", table),
            known=Run(kept).read_json("tuning.json") if job.context.resume else None,
        )  # fmt: skip
    with clock.time("fit"):
        return method.fit(job.start, task, seed=job.seed, run=job.context)


def _by_head(tuned: Model, job: Job, run: Run) -> bool:
    """Whether the run's own rows are of heads; else they are of nearest neighbours."""
    asked = "head" in job.look.evaluators
    if asked and tuned.head is None:
        note = "the result is an encoder without a head: scored by nearest neighbours"
        job.context.say(note=note)
    if asked and tuned.head is not None:
        return True
    run.set_status("running", evaluator="knn")
    return False


def _alone(job: Job, tuned: Model, run: Run, clock: Clock, by_head: bool) -> list[Score]:
    """Scores of a model that lies on no path."""
    kind: Literal["head", "knn"] = "head" if by_head else "knn"
    more = {} if by_head else job.look.neighbours
    origin = replace(job.origin, selection="end")
    with clock.time("predict"):
        pairs = evaluate(tuned, job.task, evaluator=kind, origin=origin, **job.options(), **more)
    for said, _ in pairs:
        run.save_predictions(said, None, kind)
    rows = [row for _, row in pairs]
    if isinstance(job.method, ZeroShot):  # it is the start: no end of its own
        if processes.is_main():
            save_start(run, tuned, job.task)
        return rows
    if job.few_shot and by_head:
        rows += start_or_end(job.start, job.task, run, rows, job.origin, job.options())
    if processes.is_main():
        with clock.time("save"):
            save_model(tuned, run.path / "end.safetensors")
    return rows


def walked(
    job: Job, path: Path, run: Run | None, clock: Clock, *, by_head: bool = True
) -> tuple[Curve, list[Selection]]:
    """The curve along the path, and what each rule chose; predictions are kept as they are made."""
    look, kind = job.look, "head" if by_head else "knn"
    assert look.alphas is not None
    images = sum(len(s.split) for s in job.task.scored().values())
    size = images * len(job.task.class_names) * 4 * len(look.alphas)
    keep_all = size <= KEEP_BYTES or not by_head or job.method is None

    def keep(alpha: float, said: Predictions) -> None:
        if run is not None and (keep_all or alpha in (0.0, 1.0, look.fixed)):
            run.save_predictions(said, alpha, kind)

    title, unit = ("sweep", "img") if by_head else ("kNN", "α")
    shown = job.context.progress
    with (
        clock.time("sweep" if by_head else "knn"),
        progress_bar(title, shown=shown, unit=unit) as t,
    ):
        curve = sweep(
            path, job.splits or job.task, evaluator="head" if by_head else "knn",
            alphas=look.alphas, adaptive=look.adaptive, fixed=look.fixed,
            method=job.origin.method, seed=job.origin.seed, recipe=job.origin.recipe,
            on_predictions=keep, progress=t, memo=job.context.memo,
            **job.options(), **({} if by_head else look.neighbours),
        )  # fmt: skip
    chosen = select_all(curve, rules=look.rules, fixed=look.fixed)
    if run is not None:
        run.write_selections(chosen)
    return curve, chosen


def selected_rows(curve: Curve, selections: Sequence[Selection], key: str) -> list[Score]:
    """Every score of the curve, the tuned end's own, and one more for each selected alpha."""
    rows = [score for scores in curve.scores.values() for score in scores]
    for scores in curve.scores.values():
        rows.append(replace(scores[-1], selection="end"))
        for chosen in selections:
            at = curve.alphas.index(chosen.alpha)
            rows.append(replace(scores[at], method=f"wise-ft({key})", selection=chosen.rule))
    return rows


def _beside(job: Job, path: Path | None, tuned: Model, run: Run) -> list[Score]:
    """Nearest neighbours at every selected alpha, bank and queries embedded anew."""
    selections = run.selections()
    alphas: list[float | None] = [None]
    if path is not None:
        alphas = [*sorted({0.0, 1.0, *(s.alpha for s in selections)})]
    options = {k: v for k, v in job.options().items() if k != "batch_size"}
    options |= dict(job.look.neighbours)
    rows: list[Score] = []
    for alpha in alphas:
        model = tuned if path is None or alpha is None else path.at(alpha)
        origin = replace(job.origin, alpha=alpha, selection="end" if alpha in (None, 1) else "none")
        for said, row in evaluate(model, job.task, evaluator="knn", origin=origin, **options):
            run.save_predictions(said, alpha, "knn")
            rows += [row, *(
                replace(row, method=f"wise-ft({row.method})", selection=chosen.rule)
                for chosen in selections if chosen.alpha == alpha
            )]  # fmt: skip
    return rows
