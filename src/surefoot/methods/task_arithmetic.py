"""Task arithmetic: a task vector, added or taken away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..models.model import Model
from ..paths import Path
from ..weights import task_arithmetic
from .base import Method, Scheduled, needs_path
from .encoder_ft import EncoderFineTune
from .members import merged

__all__ = ["TaskArithmetic"]


@dataclass(frozen=True)
class TaskArithmetic(Scheduled):
    """theta0 + scale * (tuned - theta0): learning by addition, forgetting by negation.

    Ilharco et al., "Editing models with task arithmetic", ICLR 2023, arXiv 2212.04089, section
    2. The default inner method tunes under a frozen zero-shot head, as theirs. Several tasks are
    added by ``surefoot.weights.task_arithmetic``; one call of ``fit`` knows one task.

    Attributes:
        inner: The method that makes the tuned end.
        scale: Above 0 adds the task, below 0 takes it away; between 0 and 1 it is WiSE-FT's
            alpha, outside it extrapolates. The paper chooses it on validation data.

    Example:
        >>> tuned = sf.methods.TaskArithmetic(scale=0.4, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "task-arithmetic"
    paper: ClassVar[str] = "Ilharco et al., ICLR 2023, arXiv 2212.04089"

    inner: Method = EncoderFineTune()
    scale: float = 1.0

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        if not math.isfinite(self.scale):
            raise ValueError(f"scale is {self.scale}; it must be a finite number")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit the inner method, then add or take away."""
        run = (run or RunContext()).staged(self.name)
        tuned = self.inner.fit(start, task, seed=seed, run=run)
        begin, tuned = Path.between(start, tuned, task, run=run).ends()
        weights = task_arithmetic(begin.state_dict(), [tuned.state_dict()], [self.scale])
        return merged(tuned, weights, f"task vector of {task.name} times {self.scale:g}")

    def label(self) -> str:
        """How reports name it."""
        return f"Task arithmetic of {self.inner.label()}, scale {self.scale:g}"
