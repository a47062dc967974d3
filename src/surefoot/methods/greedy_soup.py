"""Greedy soup: the average of those fine-tuned models that help on ID validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from ..context import RunContext, pick_device
from ..data.dataset import Shift, Task
from ..evals.predict import predict
from ..models.model import Model
from ..weights import Weights, greedy_soup
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import check_members, fit_members, merged

__all__ = ["GreedySoup"]


@dataclass(frozen=True)
class GreedySoup(Scheduled):
    """Members join, best first, as long as ID validation does not get worse.

    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022, arXiv 2203.05482, recipe 1. Only the
    task's ID validation is looked at.

    Attributes:
        inner: The method that makes each member.
        seeds: Members per learning rate, each with its own seed.
        lr_factors: The inner method's learning rate times each of these.

    Example:
        >>> soup = sf.GreedySoup(seeds=2, lr_factors=(1.0,), epochs=1, batch_size=8)
        >>> tuned = soup.fit(model, task)
    """

    name: ClassVar[str] = "greedy-soup"
    paper: ClassVar[str] = "Wortsman et al., ICML 2022, arXiv 2203.05482"

    inner: Method = FineTune()
    seeds: int = 3
    lr_factors: tuple[float, ...] = (0.3, 1.0, 3.0)

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_members(self.seeds, self.lr_factors)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit every member, then add them one by one."""
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
        trial, val = members[0].clone(), Shift("val", task.val)

        def accuracy(weights: Mapping[str, Tensor]) -> float:
            Weights(weights).load_into(trial)
            predictions = predict(trial, val, device=pick_device(run.device), workers=run.workers)
            return float(np.mean(predictions.correct()))

        soup, chosen = greedy_soup([member.state_dict() for member in members], accuracy)
        names = ", ".join(str(i) for i in chosen)
        note = f"greedy soup of the members {names} out of {len(members)}, by ID validation"
        run.say(note=note, members=list(chosen))
        return merged(members[0], soup, note)

    def label(self) -> str:
        """How reports name it."""
        return f"Greedy soup of {self.seeds * len(self.lr_factors)} x {self.inner.label()}"
