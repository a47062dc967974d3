"""Model Stock: two fine-tuned models and their angle say where the centre lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..weights import model_stock
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import check_members, fit_members, merge_with_start

__all__ = ["ModelStock"]


@dataclass(frozen=True)
class ModelStock(Scheduled):
    """t * mean(tuned) + (1 - t) * start, tensor by tensor, with t from the angle of the deltas.

    Jang et al., "Model Stock: all we need is just a few fine-tuned models", ECCV 2024, arXiv
    2403.19522, section 4: t = N cos / (1 + (N - 1) cos). The merge comes once, after training;
    the paper's periodic merging during training is not part of this. A start without a head for
    the task gives none to the merge: the heads are averaged then.

    Attributes:
        inner: The method that makes each member.
        seeds: Members, each with its own seed; at least 2.

    Example:
        >>> tuned = sf.ModelStock(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "model-stock"
    paper: ClassVar[str] = "Jang et al., ECCV 2024, arXiv 2403.19522"

    inner: Method = FineTune()
    seeds: int = 2

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_members(self.seeds, (1.0,), least=2)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit every member, then merge with the start."""
        run = (run or RunContext()).staged(self.name)
        members = fit_members(
            self.inner, start, task, seeds=self.seeds, lr_factors=(1.0,), seed=seed, run=run
        )
        note = f"Model Stock of {len(members)} models"
        return merge_with_start(model_stock, start, members, task, note)

    def label(self) -> str:
        """How reports name it."""
        return f"Model Stock of {self.seeds} x {self.inner.label()}"
