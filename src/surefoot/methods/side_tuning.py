"""Side-tuning: the pretrained network stays, a small one beside it learns what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from ..models.pairs import SideEncoder, SideKind, beside
from ..train import Schedule, train
from .base import Classify, Scheduled
from .ft import HeadStart, starting_head, validator

__all__ = ["SideTuning"]


@dataclass(frozen=True)
class SideTuning(Scheduled):
    """Features a * base(x) + (1 - a) * side(x): base frozen; side network, a and head train.

    Zhang et al., "Side-tuning: a baseline for network adaptation via additive side networks",
    ECCV 2020, arXiv 1912.13503, section 3; a baseline of LP-FT (arXiv 2202.10054, section 4).
    Our small side network is four convolutions whose last layer starts at zero, where the paper
    distils the base into it; "copy" is the paper's other start, the base once more.

    The result has two networks, so no path of weights leads to it from the start: it is evaluated
    alone, costs a second (small) pass, and is saved whole, without the text tower.

    Attributes:
        side: "small" or "copy".
        share: a before training, in (0, 1).
        learn_share: Let a train.
        head: Where the head starts: "zero_shot" (needs a text tower), "random", "zeros" or "keep".
        schedule: How long and how fast.

    Example:
        >>> tuned = sf.SideTuning(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "side-tuning"
    paper: ClassVar[str] = "Zhang et al., ECCV 2020, arXiv 1912.13503"
    on_path: ClassVar[bool] = False

    side: SideKind = "small"
    share: float = 0.5
    learn_share: bool = True
    head: HeadStart = "zero_shot"
    schedule: Schedule = Schedule(epochs=20, batch_size=256, lr=1e-3, weight_decay=1e-4)

    def _check_fields(self) -> None:
        if not 0 < self.share < 1:
            raise ModelError(f"share is {self.share}", expected="above 0 and below 1")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Both networks side by side, and the head, after the last epoch.

        Raises:
            ModelError: See ``FineTune``.
        """
        run = (run or RunContext()).staged(self.name)
        task.train.require_labels()
        model = beside(start, self.side, share=self.share, seed=seed)
        head = starting_head(self.head, start.clone(), task, seed=seed)
        model.head = head.requires_grad_(True)
        assert isinstance(model.encoder, SideEncoder)
        model.encoder.base.requires_grad_(False)
        model.encoder.blend.requires_grad_(self.learn_share)
        train(
            Classify(model, label_smoothing=self.schedule.label_smoothing),
            task.train,
            model.spec.transform.train(),
            self.schedule,
            seed=seed,
            run=run,
            validate=validator(model, task, run.workers),
            eval_mode=True,  # the base's BatchNorm statistics must stay; the side has none
        )
        return model.requires_grad_(True).eval()

    def label(self) -> str:
        """How reports name it."""
        return "Side-tuning" if self.side == "small" else "Side-tuning (copy)"
