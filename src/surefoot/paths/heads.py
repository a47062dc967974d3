"""Heads that the text tower writes: at every alpha anew, from the tower as it is there.

FLYP's head (arXiv 2212.00638, section 3) comes from the tuned text tower, so the model at
theta(alpha) has two candidates: the mix of both ends' heads, or what the mixed text tower writes.
Both agree at the ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..data.dataset import Task
from ..models.heads import Head, zero_shot_head
from ..models.model import Model

__all__ = ["Prompts", "text_heads_that_differ"]

_TOLERANCE = 1e-3
"""Of a row, relative to its length: the same tower in other batches or on another device."""


@dataclass(frozen=True)
class Prompts:
    """What a zero-shot head is written from.

    Attributes:
        names: How each class is called inside a prompt.
        templates: Sentences with one ``{}``.
        class_names: What the head's rows are called.
    """

    names: tuple[str, ...]
    templates: tuple[str, ...]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, task: Task) -> Prompts:
        """Those of a task."""
        return cls(task.names_in_prompts, task.templates, task.class_names)

    def head(self, model: Model) -> Head:
        """The head (classes, d) that the model's text tower writes.

        Raises:
            ModelError: The model has no text tower.
        """
        return zero_shot_head(model, self.names, self.templates, class_names=self.class_names)

    def wrote(self, model: Model) -> bool:
        """Is the model's head what its own text tower writes from these prompts?"""
        if model.head is None or model.text is None:
            return False
        if model.head.class_names != self.class_names or not model.head.normalize:
            return False
        written, there = self.head(model), model.head
        if written.weight.shape != there.weight.shape:
            return False
        with torch.no_grad():
            off = (written.weight - there.weight).norm(dim=1) / written.weight.norm(dim=1)
            return bool((off < _TOLERANCE).all()) and not bool(there.bias.any())


def text_heads_that_differ(start: Model, end: Model, prompts: Prompts | None) -> list[str]:
    """Everything that keeps the text tower from writing the heads of a path; [] if it can."""
    if prompts is None:
        return ["head='text' needs the prompts of the task: Path(..., prompts=Prompts.of(task))"]
    if start.text is None or end.text is None:
        return ["head='text' needs a text tower in both ends"]
    return [
        f"head='text': the head of the {which} is not what its text tower writes"
        for which, model in (("start", start), ("end", end))
        if (model.head is not None or which == "end") and not prompts.wrote(model)
    ]
