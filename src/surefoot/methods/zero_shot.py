"""Zero-shot: the head that the text tower writes, and no training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..evals.zero_shot import task_head
from ..models.model import Model
from .base import Method

__all__ = ["ZeroShot"]


@dataclass(frozen=True)
class ZeroShot(Method):
    """Class names in prompts, encoded, averaged, normalised, times the model's own scale.

    Radford et al., "Learning transferable visual models from natural language supervision",
    ICML 2021, arXiv 2103.00020, section 3.1.

    Example:
        >>> sf.ZeroShot().fit(model, task).head
        Head(zero_shot: 3 classes, 24 features, normalised features)
    """

    name: ClassVar[str] = "zero-shot"
    paper: ClassVar[str] = "Radford et al., ICML 2021, arXiv 2103.00020"
    on_path: ClassVar[bool] = False

    def check(self, start: Model, task: Task) -> None:
        """A text tower."""
        start.require_text("a zero-shot head")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with a zero-shot head; nothing is trained."""
        return start.with_head(task_head(start, task))

    def label(self) -> str:
        """How reports name it."""
        return "Zero-shot"
