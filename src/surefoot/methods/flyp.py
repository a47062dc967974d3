"""FLYP: fine-tune like you pretrain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..evals.zero_shot import task_head
from ..gradient_cache import Batch, Embeddings, WholeBatch
from ..losses import contrastive, sigmoid_contrastive
from ..models.model import Model
from ..train import Schedule, train
from .base import Scheduled
from .ft import validator
from .prompts import PromptTable, TemplateUse

__all__ = ["FLYP", "ImagesAndPrompts", "PromptObjective", "both_towers", "tune_towers"]

Loss = Literal["pretraining", "softmax", "sigmoid"]


@dataclass(frozen=True)
class FLYP(Scheduled):
    """The contrastive loss of pretraining, on images and prompts of their classes.

    Goyal et al., "Finetune like you pretrain: improved finetuning of zero-shot vision models",
    CVPR 2023, arXiv 2212.00638, section 3: both towers and the temperature train by symmetric
    InfoNCE, in which another image of the same class counts as a negative; the head is written by
    the tuned text tower, over all templates. The default schedule is theirs for ImageNet: AdamW,
    lr 1e-5, weight decay 0.1, batch 512, 10 epochs, 500 steps of warm-up (a tenth of a shorter
    training), no clipping; last epoch used.

    A class repeats within a batch, so each distinct prompt is encoded once: the same loss and
    gradients for fewer text passes. ``schedule.micro_batch`` bounds memory by gradient caching
    (arXiv 2101.06983); the loss is over the whole batch all the same.

    The paper's premise is the loss of pretraining, and its models are CLIP's. A model that was
    pretrained by SigLIP's sigmoid loss (arXiv 2303.15343) has a logit bias, and is tuned by that
    loss, bias included; the log says which loss it was.

    Attributes:
        schedule: How long and how fast.
        loss: "pretraining": sigmoid for models with a logit bias, softmax (InfoNCE) for others; or
            one of the two.
        templates: "random" draws one per image each time it is seen (the paper's); "average"
            embeds a class as its head row does, the mean over all templates.
        multi_positive: Items of one class are positives of each other (ours, not the paper's).
        eval_mode: Train with the network in eval mode: BatchNorm statistics frozen, no dropout.

    Example:
        >>> tuned = sf.FLYP(epochs=1, batch_size=8).fit(model, task)
        >>> tuned.text is not None
        True
    """

    name: ClassVar[str] = "flyp"
    paper: ClassVar[str] = "Goyal et al., CVPR 2023, arXiv 2212.00638"

    schedule: Schedule = Schedule(lr=1e-5, clip=None)
    loss: Loss = "pretraining"
    templates: TemplateUse = "random"
    multi_positive: bool = False
    eval_mode: bool = False

    def check(self, start: Model, task: Task) -> None:
        """A text tower, and labels."""
        require_towers(start, task)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Both towers after the last epoch, with the head that the tuned text tower writes.

        Raises:
            ModelError: The start has no text tower, or no logit bias for the sigmoid loss.
        """
        model = both_towers(start, task)
        objective = ImagesAndPrompts(
            model,
            task,
            templates=self.templates,
            multi_positive=self.multi_positive,
            kind=self.loss,
        )
        run = (run or RunContext()).staged("flyp")
        run.say(note=objective.said)
        return tune_towers(
            objective, task, self.schedule, seed=seed, run=run, eval_mode=self.eval_mode
        )

    def label(self) -> str:
        """How reports name it."""
        return "FLYP (multi-positive)" if self.multi_positive else "FLYP"


class PromptObjective(WholeBatch):
    """Images against prompts: what FLYP and its ablation share.

    Args:
        model: Both towers; trained.
        task: Gives class names and templates.
        templates: How a class becomes one embedding.
    """

    def __init__(self, model: Model, task: Task, *, templates: TemplateUse) -> None:
        super().__init__()
        self.model = model
        self.templates = templates
        text = model.require_text("fine-tuning with prompts")
        self.table = PromptTable(text, task.names_in_prompts, task.templates)

    def embed(self, part: Batch) -> Embeddings:
        """Images (b, 3, h, w) -> features (b, d)."""
        return (self.model.features(part["image"]),)

    def prompts(self, labels: Tensor, draw: Tensor) -> Tensor:
        """Labels (b,) and random numbers (b,) -> normalised text embeddings (b, d)."""
        text = self.model.require_text("fine-tuning with prompts")
        if self.templates == "average":
            return self.table.mean(text, labels, part=self.micro)
        return self.table.one(text, labels, draw, part=self.micro)

    def scale(self) -> Tensor | float:
        """exp(logit_scale), which trains; 1 for a model without one."""
        return 1.0 if self.model.logit_scale is None else self.model.logit_scale.exp()


class ImagesAndPrompts(PromptObjective):
    """FLYP's loss between images and prompts of their classes: InfoNCE, or SigLIP's sigmoid.

    Raises:
        ModelError: The sigmoid loss for a model without a logit bias.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        templates: TemplateUse,
        multi_positive: bool,
        kind: Loss = "pretraining",
    ) -> None:
        super().__init__(model, task, templates=templates)
        self.multi_positive = multi_positive
        offset = model.require_text("fine-tuning with prompts").logit_offset
        if kind == "sigmoid" and offset is None:
            raise ModelError(
                f"{model.spec.name} has no logit bias, which the sigmoid loss needs",
                expected="a model that was pretrained by that loss (SigLIP)",
                fix='leave loss at "pretraining", the loss that the model was pretrained by',
            )
        self.sigmoid = offset is not None and kind != "softmax"

    @property
    def said(self) -> str:
        """Which loss it is, for the log."""
        if not self.sigmoid:
            return "loss: symmetric InfoNCE (softmax)"
        return "loss: sigmoid, as the model was pretrained; its logit bias trains too"

    def loss(self, embeddings: Embeddings, batch: Batch) -> Tensor:
        """Features (b, d) and labels (b,) -> scalar, nats."""
        near = self.host or batch
        texts = self.prompts(near["label"], near["draw"])
        positives = batch["label"] if self.multi_positive else None
        if not self.sigmoid:
            return contrastive(embeddings[0], texts, self.scale(), positives=positives)
        offset = self.model.require_text("fine-tuning with prompts").logit_offset
        assert offset is not None  # as it was at the start
        return sigmoid_contrastive(embeddings[0], texts, self.scale(), offset, positives=positives)


def require_towers(start: Model, task: Task) -> None:
    """Raise where there is no text tower to tune, or no labels.

    Raises:
        ModelError: No text tower.
        DataError: No labels.
    """
    start.require_text("fine-tuning with prompts")
    task.train.require_labels()


def both_towers(start: Model, task: Task) -> Model:
    """A copy of the start without a head, all of which trains.

    Raises:
        ModelError: There is no text tower.
        DataError: The training images have no labels.
    """
    require_towers(start, task)
    model = start.clone().requires_grad_(True)
    model.head = None
    return model


def tune_towers(
    objective: PromptObjective,
    task: Task,
    schedule: Schedule,
    *,
    seed: int,
    run: RunContext,
    eval_mode: bool,
) -> Model:
    """Train, then write the head with the tuned text tower over all templates."""
    model = objective.model
    train(
        objective,
        task.train,
        model.spec.transform.train(),
        schedule,
        seed=seed,
        run=run,
        validate=_with_current_head(model, task, run.workers),
        eval_mode=eval_mode,
    )
    model.eval()
    model.head = task_head(model, task)
    return model.requires_grad_(True)


def _with_current_head(model: Model, task: Task, workers: int) -> Callable[[], float]:
    """Top-1 on ID validation with the head that the text tower writes at that moment."""
    top1 = validator(model, task, workers)

    def validate() -> float:
        with torch.no_grad():
            model.head = task_head(model, task)
        try:
            return top1()
        finally:
            model.head = None  # not a part of what trains and is saved

    return validate
