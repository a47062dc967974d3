"""TIES: several fine-tuned models merged where they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..weights import ties
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import check_members, fit_members, merge_with_start

__all__ = ["Ties"]


@dataclass(frozen=True)
class Ties(Scheduled):
    """theta0 + scale * (deltas trimmed, their sign elected, the agreeing ones averaged).

    Yadav et al., "TIES-Merging: resolving interference when merging models", NeurIPS 2023, arXiv
    2306.01708, section 4. The paper merges models of several tasks; here the members are fits of
    one task (``surefoot.weights.ties`` takes any). Trimming runs over the whole delta.

    Attributes:
        inner: The method that makes each member.
        seeds: Members per learning rate, each with its own seed.
        lr_factors: The inner method's learning rate times each of these.
        density: Share of each delta that is kept; 0.2 is the paper's.
        scale: Of the merged delta (lambda); 1 is the paper's where nothing is validated.

    Example:
        >>> tuned = sf.methods.Ties(seeds=2, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "ties"
    paper: ClassVar[str] = "Yadav et al., NeurIPS 2023, arXiv 2306.01708"

    inner: Method = FineTune()
    seeds: int = 3
    lr_factors: tuple[float, ...] = (1.0,)
    density: float = 0.2
    scale: float = 1.0

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_members(self.seeds, self.lr_factors)
        if not 0 < self.density <= 1:
            raise ValueError(f"density is {self.density}; it must be above 0 and at most 1")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit every member, then merge with the start."""
        run = (run or RunContext()).staged(self.name)
        members = fit_members(
            self.inner,
            start,
            task,
            seeds=self.seeds,
            lr_factors=self.lr_factors,
            seed=seed,
            run=run,
        )

        def merge(
            begin: Mapping[str, Tensor], tuned: Sequence[Mapping[str, Tensor]]
        ) -> dict[str, Tensor]:
            return ties(begin, tuned, density=self.density, scale=self.scale)

        note = f"TIES of {len(members)} models, density {self.density:g}"
        return merge_with_start(merge, start, members, task, note)

    def label(self) -> str:
        """How reports name it."""
        count = self.seeds * len(self.lr_factors)
        return f"TIES of {count} x {self.inner.label()}, density {self.density:g}"
