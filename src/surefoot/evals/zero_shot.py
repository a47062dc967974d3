"""The head that a text tower writes for a task: from which prompts, for which models."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch

from ..data.dataset import Task
from ..data.realign import in_classes
from ..models.heads import Head, zero_shot_head
from ..models.model import Model
from ..weights.fingerprint import fingerprint

__all__ = [
    "Prompts",
    "as_it_answers",
    "pretrained_end",
    "same_prompt_names",
    "task_head",
    "zero_shot",
]

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

    def over(self, class_names: Sequence[str]) -> Prompts:
        """The same for other classes; those without a name for prompts are called as they are."""
        known = dict(zip(self.class_names, self.names, strict=True))
        names = tuple(known.get(c, c.replace("_", " ")) for c in class_names)
        return replace(self, names=names, class_names=tuple(class_names))

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


def pretrained_end(start: Model, task: Task | Prompts) -> Model:
    """The start with a zero-shot head, where it has a text tower.

    A start that already has a head for the task's classes keeps it, its rows in the task's order;
    one without a text tower is returned unchanged. A head for other classes is replaced: that is
    for training. What is only looked at keeps its head: see :func:`as_it_answers`.
    """
    if start.head is not None and start.head.class_names == task.class_names:
        return start
    if start.head is not None and start.head.serves(task.class_names):
        return start.with_head(start.head.ordered(task.class_names))
    if start.text is None:
        return start
    return start.with_head(task_head(start, task))


def as_it_answers(model: Model, task: Task) -> tuple[Model, Task]:
    """A model to be scored by its own head, and the task in that head's classes.

    A head is never replaced: classes are matched by name, and all that the head knows count as
    answers. A model without a head gets a zero-shot one, where it has a text tower.

    Raises:
        ClassMismatch: The head does not know a class of the task.
    """
    if model.head is None:
        return pretrained_end(model, task), task
    return model, in_classes(task, model.head.class_names, whose=model.spec.name)


_HEADS: OrderedDict[str, Head] = OrderedDict()
"""The last heads that were written, so that one fit (the start of training, the pretrained end of
its path, each member of a soup) does not encode the same prompts again."""

_HEADS_KEPT = 4


def task_head(model: Model, task: Task | Prompts) -> Head:
    """The zero-shot head for a task's classes, from its prompt names and templates.

    Text towers of the same bits, architecture, prompts and device write it once; every call
    returns a copy of its own.

    Raises:
        ModelError: The model has no text tower.
    """
    prompts = Prompts.of(task) if isinstance(task, Task) else task
    key = _head_key(model, prompts)
    head = _HEADS.get(key)
    if head is None:
        head = _HEADS[key] = prompts.head(model)
    _HEADS.move_to_end(key)
    while len(_HEADS) > _HEADS_KEPT:
        _HEADS.popitem(last=False)
    return deepcopy(head)


def _head_key(model: Model, prompts: Prompts) -> str:
    """Names all that a zero-shot head depends on."""
    text = model.require_text("a zero-shot head")
    facts = [
        fingerprint(text),
        repr(text),  # its architecture: activations have no weights
        repr(sorted(model.spec.builder.items())),  # its tokens
        model.scale(),
        str(model.device),
        prompts,
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


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
    made = model.with_head(task_head(model, task))
    notes = tuple(
        f"The classes {', '.join(classes)} share the prompt name {prompt!r}: "
        f"zero-shot cannot tell them apart."
        for prompt, classes in same_prompt_names(task).items()
    )
    if notes:
        made.spec = replace(made.spec, notes=(*made.spec.notes, *notes))
    return made
