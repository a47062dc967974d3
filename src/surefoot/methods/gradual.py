"""Gradual unfreezing: the head first, then one block after the other, from the last."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.blocks import layers
from ..models.model import Model
from .base import Classify, Scheduled
from .ft import FineTune

__all__ = ["GradualUnfreezing"]


@dataclass(frozen=True)
class GradualUnfreezing(Scheduled):
    """Fine-tuning in which more and more layers train, from the head down.

    Howard and Ruder, "Universal language model fine-tuning for text classification", ACL 2018,
    arXiv 1801.06146, section 3.3, who unfreeze one layer per epoch; a baseline of LP-FT (arXiv
    2202.10054, section 4). Reading: networks here have more layers than trainings have epochs, so
    the layers are opened at even intervals up to ``full_at``. One optimiser and one learning rate
    schedule serve the whole training.

    Attributes:
        full_at: Share of the steps after which everything trains, in (0, 1].
        tune: The fine-tuning that is done this way.

    Example:
        >>> tuned = sf.methods.GradualUnfreezing(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "gradual"
    paper: ClassVar[str] = "Howard and Ruder, ACL 2018, arXiv 1801.06146"

    full_at: float = 0.5
    tune: FineTune = FineTune()

    def _check_fields(self) -> None:
        if not 0 < self.full_at <= 1:
            raise ModelError(f"full_at is {self.full_at}", expected="a share in (0, 1]")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Encoder and head after the last epoch."""
        run = (run or RunContext()).staged("gradual")
        model = self.tune.prepare(start, task, seed=seed)
        schedule = self.tune.schedule
        steps = self.full_at * schedule.steps_per_epoch(len(task.train)) * schedule.epochs
        objective = _Opening(model, steps=steps, label_smoothing=schedule.label_smoothing)
        return self.tune.train(
            objective, model, task, seed=seed, run=run, after_step=objective.count
        )

    def label(self) -> str:
        """How reports name it."""
        return "Gradual unfreezing"


class _Opening(Classify):
    """Cross-entropy; the step decides which layers have gradients.

    The optimiser is made with every parameter, and leaves alone those without a gradient.
    """

    reduce_by_hand = True
    step: Tensor

    def __init__(self, model: Model, *, steps: float, label_smoothing: float) -> None:
        super().__init__(model, label_smoothing=label_smoothing)
        self.steps = steps
        self.layers = layers(model.encoder)
        self.top = max(self.layers.values())
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))  # so that it resumes
        self.open: int | None = None

    def count(self, step: int) -> None:
        """Note the number of steps done."""
        self.step.fill_(step)

    def lowest(self) -> int:
        """The lowest layer that trains: above the top one at first, 0 in the end."""
        share = min(1.0, int(self.step) / self.steps)
        return self.top + 1 - math.floor(share * (self.top + 1))

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image (b, 3, h, w) and label (b,) -> scalar, nats."""
        lowest = self.lowest()
        if lowest != self.open:
            self.open = lowest
            for name, parameter in self.model.encoder.named_parameters():
                parameter.requires_grad_(self.layers[name] >= lowest)
        return super().forward(batch)
