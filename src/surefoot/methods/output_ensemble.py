"""Output-space ensemble: what WiSE-FT is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..models.pairs import ensemble
from ..paths import Path
from ..weights import check_alpha
from .base import Method, Scheduled, needs_path
from .ft import FineTune

__all__ = ["OutputEnsemble"]


@dataclass(frozen=True)
class OutputEnsemble(Scheduled):
    """Logits (1 - alpha) * pretrained + alpha * tuned: two models, two forward passes.

    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv 2109.01903,
    section 5, where weights averaged do better than outputs averaged. The result is a model of
    another architecture (two encoders, one head), so no path leads to it: it is
    evaluated alone, and kept whole. A start without a head votes through the tuned head.

    Attributes:
        inner: The method that makes the tuned end.
        alpha: Share of the tuned end's logits.

    Example:
        >>> tuned = sf.methods.OutputEnsemble(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "output-ensemble"
    paper: ClassVar[str] = "Wortsman et al., CVPR 2022, arXiv 2109.01903"
    on_path: ClassVar[bool] = False

    inner: Method = FineTune()
    alpha: float = 0.5

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_alpha(self.alpha)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit the inner method, then put both ends side by side."""
        run = (run or RunContext()).staged(self.name)
        tuned = self.inner.fit(start, task, seed=seed, run=run)
        begin, tuned = Path.between(start, tuned, task, run=run).ends()
        return ensemble(begin, tuned, self.alpha)

    def label(self) -> str:
        """How reports name it."""
        return f"Output ensemble with {self.inner.label()}, α = {self.alpha:g}"
