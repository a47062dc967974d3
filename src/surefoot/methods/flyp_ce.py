"""FLYP-CE: FLYP's ablation, cross-entropy over the prompts of all classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..data.rng import mix
from ..gradient_cache import Batch, Embeddings
from ..losses import cosines, cross_entropy
from ..models.model import Model
from ..train import Schedule
from .base import Scheduled
from .flyp import PromptObjective, both_towers, require_towers, tune_towers
from .prompts import TemplateUse

__all__ = ["FLYPCE"]


@dataclass(frozen=True)
class FLYPCE(Scheduled):
    """Both towers train by cross-entropy against a head that is written anew in every step.

    Goyal et al., "Finetune like you pretrain: improved finetuning of zero-shot vision models",
    CVPR 2023, arXiv 2212.00638, section 5: the ablation that keeps FLYP's parameters and replaces
    its loss. Every step encodes a prompt of every class, with gradients. The default schedule is
    FLYP's.

    Attributes:
        schedule: How long and how fast.
        templates: "random" draws one per class and step; "average" takes the mean over all of
            them, at the cost of classes x templates prompts per step.
        eval_mode: Train with the network in eval mode: BatchNorm statistics frozen, no dropout.

    Example:
        >>> tuned = sf.methods.FLYPCE(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "flyp-ce"
    paper: ClassVar[str] = "Goyal et al., CVPR 2023, arXiv 2212.00638"

    schedule: Schedule = Schedule(lr=1e-5, clip=None)
    templates: TemplateUse = "random"
    eval_mode: bool = False

    def check(self, start: Model, task: Task) -> None:
        """A text tower, and labels."""
        require_towers(start, task)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Both towers after the last epoch, with the head that the tuned text tower writes.

        Raises:
            ModelError: The start has no text tower.
        """
        model = both_towers(start, task)
        objective = _ImagesAndClasses(model, task, self.templates, self.schedule.label_smoothing)
        run = (run or RunContext()).staged("flyp-ce")
        return tune_towers(
            objective, task, self.schedule, seed=seed, run=run, eval_mode=self.eval_mode
        )

    def label(self) -> str:
        """How reports name it."""
        return "FLYP-CE"


class _ImagesAndClasses(PromptObjective):
    """Cross-entropy of the images against prompts of all classes.

    Its gradient could be accumulated, but then every part would encode every class anew; the
    cached form encodes them once per step.
    """

    def __init__(
        self, model: Model, task: Task, templates: TemplateUse, label_smoothing: float
    ) -> None:
        super().__init__(model, task, templates=templates)
        self.label_smoothing = label_smoothing

    def loss(self, embeddings: Embeddings, batch: Batch) -> Tensor:
        """Features (b, d) and labels (b,) -> scalar, nats."""
        classes = torch.arange(len(self.table.rows))
        # One random number per class and step, out of that of the batch's first image.
        draw = mix(classes.numpy(), int((self.host or batch)["draw"][0])) >> 1
        rows = self.prompts(classes, torch.from_numpy(draw.astype("int64")))
        logits = self.scale() * cosines(embeddings[0], rows)
        return cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)
