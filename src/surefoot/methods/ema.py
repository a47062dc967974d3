"""EMA: the exponential moving average of the fine-tuned weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from .averaged import Averaged
from .base import Scheduled
from .ft import FineTune, validator

__all__ = ["EMA"]


@dataclass(frozen=True)
class EMA(Scheduled):
    """After each step: average <- decay * average + (1 - decay) * weights; the average is kept.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017, arXiv 1703.01780,
    section 2, here of plain fine-tuning. The average starts at the pretrained weights with the
    starting head, so a short training or a large decay stays close to them: decay ** steps of
    the result is the start.

    Attributes:
        decay: In [0, 1); the paper's is 0.999. The average looks back over about 1 / (1 - decay)
            steps, which should be fewer than the training has.
        tune: The fine-tuning whose weights are averaged.

    Example:
        >>> tuned = sf.methods.EMA(decay=0.9, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "ema"
    paper: ClassVar[str] = "Tarvainen and Valpola, NeurIPS 2017, arXiv 1703.01780"

    decay: float = 0.999
    tune: FineTune = FineTune()

    def _check_fields(self) -> None:
        if not 0 <= self.decay < 1:
            raise ModelError(f"the decay of EMA is {self.decay}", expected="a number in [0, 1)")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The average after the last step."""
        run = (run or RunContext()).staged("ema")
        model = self.tune.prepare(start, task, seed=seed)
        smoothing = self.tune.schedule.label_smoothing
        rule = get_ema_multi_avg_fn(self.decay)  # type: ignore[no-untyped-call]
        objective = Averaged(model, label_smoothing=smoothing, multi_avg_fn=rule)
        objective.take()  # the first take copies: the average starts at the pretrained weights
        self.tune.train(
            objective,
            model,
            task,
            seed=seed,
            run=run,
            validate=validator(objective.averaged(), task, run.workers),
            after_step=lambda step: objective.take(),
        )
        objective.finish(task, run, recalibrate=not self.tune.eval_mode)
        return model.eval()

    def label(self) -> str:
        """How reports name it."""
        return "EMA"
