"""Fine-tuning of the encoder under a frozen head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..train import Schedule
from .base import Classify, Scheduled
from .ft import FineTune

__all__ = ["EncoderFineTune"]


@dataclass(frozen=True)
class EncoderFineTune(Scheduled):
    """Cross-entropy on the encoder alone; the head that the text tower writes does not move.

    Ilharco et al., "Patching open-vocabulary models by interpolating weights", NeurIPS 2022,
    arXiv 2208.05592, section 3 (PAINT's first step), and the fine-tuning behind task arithmetic
    (arXiv 2212.04089). What a task taught is then all in the encoder, and serves any head.

    Attributes:
        head: "zero_shot" (needs a text tower) or "keep" (the head that the start has).
        schedule: How long and how fast.

    Example:
        >>> tuned = sf.methods.EncoderFineTune(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "encoder-ft"
    paper: ClassVar[str] = "Ilharco et al., NeurIPS 2022, arXiv 2208.05592"

    head: Literal["zero_shot", "keep"] = "zero_shot"
    schedule: Schedule = Schedule(lr=1e-5)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The encoder after the last epoch, under the head it was trained with."""
        run = (run or RunContext()).staged(self.name)
        tune = FineTune(head=self.head, schedule=self.schedule)
        model = tune.prepare(start, task, seed=seed)
        model.require_head().requires_grad_(False)
        objective = Classify(model, label_smoothing=self.schedule.label_smoothing)
        return tune.train(objective, model, task, seed=seed, run=run)

    def label(self) -> str:
        """How reports name it."""
        return "FT (frozen head)"
