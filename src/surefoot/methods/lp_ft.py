"""LP-FT: the head first, then everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from ..train import Schedule
from .base import Scheduled
from .ft import FineTune
from .lp import LinearProbe

__all__ = ["LPFT"]


@dataclass(frozen=True)
class LPFT(Scheduled):
    """Linear probe, then fine-tuning from its head with the network in eval mode.

    Kumar et al., "Fine-tuning can distort pretrained features and underperform
    out-of-distribution", ICLR 2022, arXiv 2202.10054, section 3.4. At step 0 of the second stage
    the logits are the probe's. The default schedule is theirs for Living-17: SGD with momentum
    0.9, no weight decay, batch 64, cosine per epoch, 20 epochs; the learning rate is swept on ID
    validation in the paper (``--lr auto``).

    Attributes:
        probe: The first stage.
        tune: The second; its head must be "keep".

    Example:
        >>> probe = sf.LinearProbe(c_path=(0.01, 1.0))
        >>> tuned = sf.LPFT(probe=probe, epochs=1, batch_size=8).fit(model, task)
        >>> tuned.head
        Head(linear: 3 classes, 24 features, normalised features)
    """

    name: ClassVar[str] = "lp-ft"
    paper: ClassVar[str] = "Kumar et al., ICLR 2022, arXiv 2202.10054"

    probe: LinearProbe = LinearProbe()
    tune: FineTune = FineTune(
        head="keep",
        schedule=Schedule(
            epochs=20,
            batch_size=64,
            lr=1e-3,
            optimizer="sgd",
            weight_decay=0.0,
            warmup_steps=0,
            decay="cosine_epoch",
            clip=None,
        ),
        eval_mode=True,
    )

    def _check_fields(self) -> None:
        if self.tune.head != "keep":
            raise ModelError(
                f"the second stage of LP-FT would start from a {self.tune.head} head",
                expected='tune.head "keep": the probe\'s head',
            )

    def check(self, start: Model, task: Task) -> None:
        """The probe's; the second stage starts from its head."""
        self.probe.check(start, task)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Both stages."""
        run = (run or RunContext()).staged("lp-ft")
        probed = self.probe.fit(start, task, seed=seed, run=run)
        return self.tune.fit(probed, task, seed=seed, run=run)

    def label(self) -> str:
        """How reports name it."""
        return "LP-FT"
