"""FiLM: train a scale and a shift per channel, and fold them into the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.adapters import FiLMAdapter, fold, insert
from ..models.adapters.film import FilmVariant
from ..models.model import Model
from ..train import Schedule, train
from .base import Classify, Scheduled
from .ft import HeadStart, starting_head, validator

__all__ = ["ADAPTERS", "FiLM", "FiLMAll"]

ADAPTERS = Schedule(epochs=20, batch_size=256, lr=1e-3, weight_decay=1e-4)
"""How long and how fast adapters train: far fewer numbers than an encoder, so far faster."""


@dataclass(frozen=True)
class FiLM(Scheduled):
    """Cross-entropy on FiLM adapters and the head; the rest is frozen, in evaluation mode.

    FiLM after norm1 and norm2 of every block and after the final norm (Perez et al., AAAI 2018,
    arXiv 1709.07871; unconditional on a frozen backbone as in FiT, Shysheya et al., ICLR 2023,
    arXiv 2206.08671). The identity at the start; weight decay pulls gamma to 1 and beta to 0. The
    result is folded: an ordinary checkpoint of the start's architecture, so a path of weights
    leads to it, which is the path of the adapter's parameters. For a vision transformer of timm
    or open_clip, tiny-clip or tiny-dino.

    Attributes:
        variant: "film", or "film_all": after every linear layer as well (SSF, see FiLMAll).
        head: Where the head starts: "zero_shot" (needs a text tower), "random", "zeros" or "keep".
        schedule: How long and how fast.

    Example:
        >>> tuned = sf.FiLM(epochs=1, batch_size=8).fit(model, task)
        >>> tuned.head
        Head(zero_shot: 3 classes, 24 features, normalised features)
    """

    name: ClassVar[str] = "film"
    paper: ClassVar[str] = "Perez et al., AAAI 2018, arXiv 1709.07871; FiT, arXiv 2206.08671"

    variant: FilmVariant = "film"
    head: HeadStart = "zero_shot"
    schedule: Schedule = ADAPTERS

    def check(self, start: Model, task: Task) -> None:
        """A place for the adapters too."""
        super().check(start, task)
        insert(start, FiLMAdapter(self.variant))

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with adapters and head after the last epoch, folded.

        Raises:
            ModelError: The encoder has no place for the adapters; see also ``FineTune``.
        """
        run = (run or RunContext()).staged(self.name)
        task.train.require_labels()
        model = insert(start, FiLMAdapter(self.variant))
        model.head = starting_head(self.head, model, task, seed=seed).requires_grad_(True)
        train(
            Classify(model, label_smoothing=self.schedule.label_smoothing),
            task.train,
            model.spec.transform.train(),
            self.schedule,
            seed=seed,
            run=run,
            validate=validator(model, task, run.workers),
            eval_mode=True,
        )
        return fold(model).eval()

    def label(self) -> str:
        """How reports name it."""
        return "FiLM" if self.variant == "film" else "FiLM-all (SSF)"


@dataclass(frozen=True)
class FiLMAll(FiLM):
    """FiLM after every linear layer too, and after the patch embedding; folded as well.

    Lian et al., "Scaling & shifting your features: a new baseline for efficient model tuning"
    (SSF), NeurIPS 2022, arXiv 2210.08823, section 3.2.

    Attributes:
        variant: Always "film_all".

    Example:
        >>> tuned = sf.methods.FiLMAll(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "film-all"
    paper: ClassVar[str] = "Lian et al. (SSF), NeurIPS 2022, arXiv 2210.08823"

    variant: FilmVariant = "film_all"

    def _check_fields(self) -> None:
        if self.variant != "film_all":
            raise ModelError(
                f"film-all with the variant {self.variant!r}",
                expected='variant "film_all"',
                fix="use the method film",
            )
