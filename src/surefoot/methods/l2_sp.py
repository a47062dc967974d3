"""L2-SP: fine-tuning on a leash to where it started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..losses import l2_to
from ..models.model import Model
from ..train import Schedule
from .base import Classify, Scheduled
from .ft import FineTune

__all__ = ["L2SP"]


@dataclass(frozen=True)
class L2SP(Scheduled):
    """Cross-entropy + alpha / 2 ||encoder - pretrained encoder||^2 + beta / 2 ||head||^2.

    Li et al., "Explicit inductive bias for transfer learning with convolutional networks", ICML
    2018, arXiv 1802.01483, section 3.1. The penalty takes the place of weight decay, which would
    pull to zero; so the schedule has none. A baseline of LP-FT (arXiv 2202.10054, section 4).

    Attributes:
        alpha: Strength of the pull to the pretrained encoder; the paper searches 0.001 to 1 by
            powers of ten on validation.
        beta: Strength of the pull of the head to zero; the paper's 0.01 is for a random head, and
            would undo a zero-shot one.
        tune: The fine-tuning that it is added to.

    Example:
        >>> tuned = sf.methods.L2SP(alpha=0.1, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "l2-sp"
    paper: ClassVar[str] = "Li et al., ICML 2018, arXiv 1802.01483"

    alpha: float = 0.01
    beta: float = 0.0
    tune: FineTune = FineTune(schedule=Schedule(weight_decay=0.0))

    def _check_fields(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not value >= 0:
                raise ModelError(f"{name} of L2-SP is {value}", expected="0 or more")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Encoder and head after the last epoch."""
        run = (run or RunContext()).staged("l2-sp")
        model = self.tune.prepare(start, task, seed=seed)
        smoothing = self.tune.schedule.label_smoothing
        objective = _Leashed(model, alpha=self.alpha, beta=self.beta, label_smoothing=smoothing)
        return self.tune.train(objective, model, task, seed=seed, run=run)

    def label(self) -> str:
        """How reports name it."""
        return "L2-SP"


class _Leashed(Classify):
    """Cross-entropy and the two penalties."""

    shardable = False  # the penalties compare whole weights with the start's

    def __init__(self, model: Model, *, alpha: float, beta: float, label_smoothing: float) -> None:
        super().__init__(model, label_smoothing=label_smoothing)
        self.alpha, self.beta = alpha, beta
        self._names = [n for n, p in model.encoder.named_parameters() if p.requires_grad]
        # Buffers move with the module; not in checkpoints, since the start is at hand.
        for i, name in enumerate(self._names):
            value = model.encoder.get_parameter(name).detach().clone()
            self.register_buffer(f"start_{i}", value, persistent=False)

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image (b, 3, h, w) and label (b,) -> scalar, nats."""
        loss = super().forward(batch)
        start = {n: self.get_buffer(f"start_{i}") for i, n in enumerate(self._names)}
        loss = loss + self.alpha / 2 * l2_to(start, dict(self.model.encoder.named_parameters()))
        if self.beta:
            head = self.model.require_head()
            norm = head.weight.square().sum() + head.bias.square().sum()
            loss = loss + self.beta / 2 * norm
        return loss
