"""Fine-tuning: encoder and head, all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ..context import RunContext
from ..data.dataset import Shift, Task
from ..evals.predict import predict
from ..evals.zero_shot import task_head
from ..models.heads import Head, random_head, zeros_head
from ..models.model import Model
from ..train import Schedule, train
from .base import Classify, Scheduled, require_head_start

__all__ = ["FineTune", "HeadStart", "validator"]

HeadStart = Literal["zero_shot", "random", "zeros", "keep"]


@dataclass(frozen=True)
class FineTune(Scheduled):
    """Cross-entropy on every weight of encoder and head; the text tower stays as it is.

    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv 2109.01903,
    section 3: head from zero-shot, AdamW, last epoch used. With ``head="random"`` it is the
    fine-tuning that LP-FT is compared to (arXiv 2202.10054, section 4).

    Attributes:
        head: Where the head starts: "zero_shot" (needs a text tower), "random", "zeros", or
            "keep" (the head that the start has, as LP-FT's second stage does).
        schedule: How long and how fast; the defaults are WiSE-FT's for ImageNet.
        eval_mode: Train with the network in eval mode: BatchNorm statistics frozen.

    Example:
        >>> tuned = sf.FineTune(epochs=1, lr=1e-4, batch_size=8).fit(model, task)
        >>> tuned.head
        Head(zero_shot: 3 classes, 24 features, normalised features)
        >>> sf.FineTune(epochs=3, lr=1e-4).schedule.batch_size
        512
    """

    name: ClassVar[str] = "ft"
    paper: ClassVar[str] = "Wortsman et al., CVPR 2022, arXiv 2109.01903"

    head: HeadStart = "zero_shot"
    schedule: Schedule = Schedule()
    eval_mode: bool = False

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Encoder and head after the last epoch."""
        run = (run or RunContext()).staged("ft")
        model = self.prepare(start, task, seed=seed)
        objective = Classify(model, label_smoothing=self.schedule.label_smoothing)
        return self.train(objective, model, task, seed=seed, run=run)

    def prepare(self, start: Model, task: Task, *, seed: int) -> Model:
        """A copy of the start with the head that training begins from; encoder and head train.

        Methods that change one thing about fine-tuning call this, then :meth:`train`.
        """
        task.train.require_labels()
        model = start.clone().requires_grad_(True)
        model.head = starting_head(self.head, model, task, seed=seed)
        if model.text is not None:
            model.text.requires_grad_(False)
        if model.logit_scale is not None:
            model.logit_scale.requires_grad_(False)
        return model

    def train(
        self,
        objective: nn.Module,
        model: Model,
        task: Task,
        *,
        seed: int,
        run: RunContext,
        validate: Callable[[], float] | None = None,
        after_step: Callable[[int], None] | None = None,
    ) -> Model:
        """Train an objective around ``model`` by the schedule; returns ``model``, tuned."""
        train(
            objective,
            task.train,
            model.spec.transform.train(),
            self.schedule,
            seed=seed,
            run=run,
            validate=validate or validator(model, task, run.workers),
            eval_mode=self.eval_mode,
            after_step=after_step,
        )
        return model.requires_grad_(True).eval()

    def label(self) -> str:
        """How reports name it, the head's start included."""
        return "FT" if self.head == "zero_shot" else f"FT ({self.head} head)"


def starting_head(kind: HeadStart, model: Model, task: Task, *, seed: int) -> Head:
    """The head that training starts from, for the task's classes.

    Raises:
        ModelError: "zero_shot" without a text tower, or "keep" without a head that fits.
    """
    require_head_start(kind, model, task)
    if kind == "random":
        return random_head(model, task.class_names, seed=seed)
    if kind == "zeros":
        return zeros_head(model, task.class_names)
    if kind == "zero_shot":
        return task_head(model, task)
    return model.require_head().ordered(task.class_names)


def validator(model: Model, task: Task, workers: int = 0) -> Callable[[], float]:
    """Top-1 on ID validation, for the log after every epoch."""
    shift = Shift("val", task.val)

    def validate() -> float:
        with torch.no_grad():
            predictions = predict(model, shift, device=model.device, workers=workers)
        return float(np.mean(predictions.correct()))

    return validate
