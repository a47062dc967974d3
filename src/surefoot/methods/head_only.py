"""The head alone, by gradient descent: WiSE-FT's "linear classifier"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..context import RunContext, pick_device
from ..data.dataset import Task
from ..features import extract
from ..losses import cross_entropy
from ..models.model import Model
from ..train import Schedule, train
from .base import Classify, Scheduled
from .fixed_images import StoredRows, as_it_is
from .ft import FineTune, HeadStart

__all__ = ["HeadOnly"]

_ROWS = 4096
"""Features that are classified at once."""


@dataclass(frozen=True)
class HeadOnly(Scheduled):
    """Cross-entropy on the head, from where it starts; the encoder stays.

    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv 2109.01903,
    section 3: the variant "linear classifier", whose head starts from zero-shot and is tuned as
    the network is end to end. As in their code, images are seen through the evaluation transform,
    so features are computed once. ``lp`` is another training of the same weights: logistic
    regression to its optimum, its penalty chosen on ID validation.

    Attributes:
        head: Where the head starts; see :class:`~surefoot.methods.ft.FineTune`.
        schedule: How long and how fast.

    Example:
        >>> tuned = sf.methods.HeadOnly(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "head-only"
    paper: ClassVar[str] = "Wortsman et al., CVPR 2022, arXiv 2109.01903"

    head: HeadStart = "zero_shot"
    schedule: Schedule = Schedule()

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with its head tuned; the encoder is unchanged."""
        run = (run or RunContext()).staged(self.name)
        model = FineTune(head=self.head).prepare(start, task, seed=seed)
        model.encoder.requires_grad_(False)
        seen, val = (
            extract(model, split, device=pick_device(run.device), workers=run.workers)
            for split in (task.train, task.val)
        )
        images = StoredRows(seen, seen.shape[1:], task.train.images)
        train(
            _OnFeatures(model, label_smoothing=self.schedule.label_smoothing),
            replace(task.train, images=images),
            as_it_is,
            self.schedule,
            seed=seed,
            run=run,
            validate=_accuracy(model, val, task.val.require_labels()),
        )
        return model.requires_grad_(True).eval()

    def label(self) -> str:
        """How reports name it, the head's start included."""
        return "FT (head only)" if self.head == "zero_shot" else f"FT (head only, {self.head})"


class _OnFeatures(Classify):
    """Cross-entropy of the head on features that were computed before."""

    shardable = False

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image, here features (b, d), and label (b,) -> scalar, nats."""
        logits = self.model.require_head()(batch["image"])
        return cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)


def _accuracy(
    model: Model, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[], float]:
    """Top-1 of the head on features (n, d), for the log after every epoch."""

    def validate() -> float:
        head, right = model.require_head(), 0
        for at in range(0, len(labels), _ROWS):
            block = torch.from_numpy(np.array(features[at : at + _ROWS]))
            with torch.no_grad():
                top = head(block.to(head.weight.device)).argmax(dim=1).cpu().numpy()
            right += int((top == labels[at : at + _ROWS]).sum())
        return right / len(labels)

    return validate
