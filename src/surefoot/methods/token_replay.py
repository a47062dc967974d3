"""Token Replay, our reading: train a bank of tokens that every block attends to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..losses import cross_entropy
from ..models.adapters import TokenReplayAdapter, features_and_replay_loss, insert
from ..models.model import Model
from ..train import Schedule, train
from .base import Classify, Scheduled
from .film import ADAPTERS
from .ft import HeadStart, starting_head, validator

__all__ = ["TokenReplay"]


@dataclass(frozen=True)
class TokenReplay(Scheduled):
    """Cross-entropy on Token Replay adapters and the head; the rest is frozen. Our reading.

    No public definition of token replay was found; what we make of it is said in
    ``TokenReplayAdapter``. ``two_pass`` feeds tokens back as in TOAST (Shi et al., arXiv
    2305.15542). The adapters cannot be folded and stay in the model. The pretrained end of its
    path is the start with the adapters as initialised (gates of 0), and the adapters' parameters
    are interpolated.

    Attributes:
        m: Tokens in the bank.
        share: One bank for all blocks, or one each.
        two_pass: Run the blocks twice, the output tokens of the first pass in the bank.
        replay_loss: Weight of the mean squared difference of the output tokens, normalised, to
            the pretrained encoder's on the same images; 0: none. Costs a second forward pass.
        head: Where the head starts: "zero_shot" (needs a text tower), "random", "zeros" or "keep".
        schedule: How long and how fast.

    Example:
        >>> tuned = sf.TokenReplay(m=2, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "token-replay"
    paper: ClassVar[str] = "our reading, no public definition found; two_pass: arXiv 2305.15542"

    m: int = 10
    share: bool = True
    two_pass: bool = False
    replay_loss: float = 0.0
    head: HeadStart = "zero_shot"
    schedule: Schedule = ADAPTERS

    def _check_fields(self) -> None:
        if not self.replay_loss >= 0:
            raise ModelError(f"replay_loss is {self.replay_loss}", expected="a weight >= 0")
        self.adapter(seed=0)

    def adapter(self, *, seed: int) -> TokenReplayAdapter:
        """The adapter, its bank drawn from a seed."""
        return TokenReplayAdapter(self.m, self.share, self.two_pass, seed)

    def check(self, start: Model, task: Task) -> None:
        """A place for the adapters too."""
        super().check(start, task)
        insert(start, self.adapter(seed=0))

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with adapters and head after the last epoch.

        Raises:
            ModelError: The encoder has no place for the adapters; see also ``FineTune``.
        """
        run = (run or RunContext()).staged("token-replay")
        task.train.require_labels()
        model = insert(start, self.adapter(seed=seed))
        model.head = starting_head(self.head, model, task, seed=seed).requires_grad_(True)
        train(
            _Replayed(model, self.replay_loss, self.schedule.label_smoothing),
            task.train,
            model.spec.transform.train(),
            self.schedule,
            seed=seed,
            run=run,
            validate=validator(model, task, run.workers),
            eval_mode=True,
        )
        return model.requires_grad_(True).eval()

    def label(self) -> str:
        """How reports name it: always as our reading."""
        return "Token Replay (our reading)"


class _Replayed(Classify):
    """Cross-entropy plus ``weight`` times the replay loss."""

    def __init__(self, model: Model, weight: float, label_smoothing: float) -> None:
        super().__init__(model, label_smoothing=label_smoothing)
        self.weight = weight

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image (b, 3, h, w) and label (b,) -> scalar, nats."""
        if self.weight == 0:
            return super().forward(batch)
        features, drift = features_and_replay_loss(self.model, batch["image"])
        logits = self.model.require_head()(features)
        loss = cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)
        return loss + self.weight * drift
