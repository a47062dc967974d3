"""LiNeS: what was learnt, scaled down in the shallow layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..paths import Path
from ..weights import check_alpha, lines
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import merged

__all__ = ["LiNeS"]


@dataclass(frozen=True)
class LiNeS(Scheduled):
    """theta0 + (alpha + beta * depth) * delta over any other method; no training of its own.

    Wang et al., "LiNeS: post-training layer scaling prevents forgetting and enhances model
    merging", ICLR 2025, arXiv 2410.17146, section 3. Depth runs from 0 (stem, first block) to 1
    (last block; head and final norm too: our reading). beta = 0 is WiSE-FT at alpha.

    Attributes:
        inner: The method that makes the tuned end.
        alpha: Scale of the shallowest layers.
        beta: What is added up to the deepest; alpha + beta in [0, 1]. The defaults, from 0.5 to
            1, are our reading: the paper tunes them.

    Example:
        >>> tuned = sf.methods.LiNeS(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "lines"
    paper: ClassVar[str] = "Wang et al., ICLR 2025, arXiv 2410.17146"

    inner: Method = FineTune()
    alpha: float = 0.5
    beta: float = 0.5

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_alpha(self.alpha)
        check_alpha(self.alpha + self.beta)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit the inner method, then scale."""
        run = (run or RunContext()).staged(self.name)
        tuned = self.inner.fit(start, task, seed=seed, run=run)
        begin, tuned = Path.between(start, tuned, task, run=run).ends()
        scaled = lines(begin.state_dict(), tuned.state_dict(), alpha=self.alpha, beta=self.beta)
        note = f"LiNeS: deltas scaled from {self.alpha:g} to {self.alpha + self.beta:g} with depth"
        return merged(tuned, scaled, note)

    def label(self) -> str:
        """How reports name it."""
        return f"LiNeS of {self.inner.label()}, {self.alpha:g} to {self.alpha + self.beta:g}"
