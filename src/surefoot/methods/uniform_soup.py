"""Uniform soup: the average of several fine-tuned models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..weights import uniform_soup
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import check_members, fit_members, merged

__all__ = ["UniformSoup"]


@dataclass(frozen=True)
class UniformSoup(Scheduled):
    """The mean of the weights of every member.

    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022, arXiv 2203.05482, section 2. Members
    start from one head (zero-shot, or LP-FT's probe); with random heads they lie too far apart.
    BatchNorm statistics are averaged like weights.

    Attributes:
        inner: The method that makes each member.
        seeds: Members per learning rate, each with its own seed.
        lr_factors: The inner method's learning rate times each of these.

    Example:
        >>> tuned = sf.UniformSoup(seeds=2, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "uniform-soup"
    paper: ClassVar[str] = "Wortsman et al., ICML 2022, arXiv 2203.05482"

    inner: Method = FineTune()
    seeds: int = 3
    lr_factors: tuple[float, ...] = (1.0,)

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_members(self.seeds, self.lr_factors)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit every member, then average."""
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
        soup = uniform_soup([member.state_dict() for member in members])
        return merged(members[0], soup, f"uniform soup of {len(members)} models")

    def label(self) -> str:
        """How reports name it."""
        return f"Uniform soup of {self.seeds * len(self.lr_factors)} x {self.inner.label()}"
