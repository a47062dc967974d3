"""SWA: the mean of the weights at the end of the last epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from ..train import Schedule
from .averaged import Averaged
from .base import Scheduled
from .ft import FineTune, validator

__all__ = ["SWA"]


@dataclass(frozen=True)
class SWA(Scheduled):
    """Stochastic weight averaging of fine-tuning at a constant learning rate.

    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI
    2018, arXiv 1803.05407, section 3: the first part of the training is left out, then weights
    are taken once an epoch, and BatchNorm's statistics are estimated anew for their mean. The
    learning rate stays at its peak, so that the weights move about; theirs is SGD's.

    Attributes:
        start: Share of the steps that is left out, in [0, 1); the paper's is 0.75.
        every: Steps between two takes; None: an epoch, as in the paper. The last step is always
            taken.
        tune: The fine-tuning whose weights are averaged.

    Example:
        >>> tuned = sf.methods.SWA(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "swa"
    paper: ClassVar[str] = "Izmailov et al., UAI 2018, arXiv 1803.05407"

    start: float = 0.75
    every: int | None = None
    tune: FineTune = FineTune(schedule=Schedule(decay="constant"))

    def _check_fields(self) -> None:
        if not 0 <= self.start < 1:
            raise ModelError(f"the start of SWA is {self.start}", expected="a share in [0, 1)")
        if self.every is not None and self.every < 1:
            raise ModelError(f"SWA would average every {self.every} steps", expected="1 or more")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The mean of the weights that were taken."""
        run = (run or RunContext()).staged("swa")
        model = self.tune.prepare(start, task, seed=seed)
        schedule = self.tune.schedule
        objective = Averaged(model, label_smoothing=schedule.label_smoothing)
        per_epoch = schedule.steps_per_epoch(len(task.train))
        total, every = per_epoch * schedule.epochs, self.every or per_epoch

        def after_step(step: int) -> None:
            # Counted back from the end, so that the last step is among them.
            if step > self.start * total and (total - step) % every == 0:
                objective.take()

        self.tune.train(
            objective,
            model,
            task,
            seed=seed,
            run=run,
            validate=validator(objective.averaged(), task, run.workers),
            after_step=after_step,
        )
        objective.finish(task, run, recalibrate=not self.tune.eval_mode)
        return model.eval()

    def label(self) -> str:
        """How reports name it."""
        return "SWA"
