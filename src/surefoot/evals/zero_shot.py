"""The zero-shot classifier of a task."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ..data.dataset import Task
from ..models.heads import zero_shot_head
from ..models.model import Model

__all__ = ["same_prompt_names", "zero_shot"]


def same_prompt_names(task: Task) -> dict[str, list[str]]:
    """Prompt name -> the classes that share it, for names that several classes share."""
    counts = Counter(task.names_in_prompts)
    pairs = list(zip(task.names_in_prompts, task.class_names, strict=True))
    return {p: [c for q, c in pairs if q == p] for p, n in counts.items() if n > 1}


def zero_shot(model: Model, task: Task) -> Model:
    """A copy of the model with the head that its text tower writes for a task.

    Classes with one prompt name get identical rows, so all their images go to the first of them;
    the copy's spec carries a note that says which (iWildCam has four such pairs).

    Raises:
        ModelError: The model has no text tower.
        DataError: The task's prompt templates have no place for a name.
    """
    head = zero_shot_head(model, task.names_in_prompts, task.templates)
    head.class_names = task.class_names
    made = model.with_head(head)
    notes = tuple(
        f"The classes {', '.join(classes)} share the prompt name {prompt!r}: "
        f"zero-shot cannot tell them apart."
        for prompt, classes in same_prompt_names(task).items()
    )
    if notes:
        made.spec = replace(made.spec, notes=(*made.spec.notes, *notes))
    return made
