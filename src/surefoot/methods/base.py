"""A Method turns a Model into a Model."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ..context import RunContext
from ..data.dataset import Task
from ..data.realign import in_classes
from ..errors import ModelError
from ..losses import cross_entropy
from ..models.heads import Head, zero_shot_head
from ..models.model import Model
from ..weights.fingerprint import fingerprint

__all__ = [
    "Classify",
    "Method",
    "as_dict",
    "as_it_answers",
    "needs_path",
    "pretrained_end",
    "task_head",
]


class Method(ABC):
    """A frozen dataclass whose fields are its hyper-parameters.

    Write one by copying a file of this folder: give ``name`` and ``paper``, and ``fit``.
    ``surefoot.testing.check_method`` checks that it keeps the contract.
    """

    name: ClassVar[str]
    """As the registry and the command line call it."""
    paper: ClassVar[str]
    """Authors, venue, arXiv id."""
    on_path: ClassVar[bool] = True
    """Does a path of weights lead from the start to what ``fit`` returns? Where not (another
    architecture, or nothing trained), it is scored alone, and nothing is interpolated."""

    @abstractmethod
    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Return a new, tuned Model; ``start`` and ``task`` are left as they were.

        Args:
            start: A pretrained model, with or without a head.
            task: Train and ID validation are used; test sets and shifts never.
            seed: The same seed gives the same weights on one device.
            run: Device, log, checkpoints; None: a plain run in memory.

        Raises:
            ModelError: The model lacks what the method needs (a text tower, say).
            TrainingError: Training cannot go on.
        """

    def label(self) -> str:
        """How reports name it."""
        return self.name


class Classify(nn.Module):
    """Batch -> mean cross-entropy of the model's logits; what the training loop trains.

    Attributes:
        shardable: Its weights are used in its own forward pass only, so that they may be cut up
            over processes (FSDP).
    """

    shardable = True

    def __init__(self, model: Model, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.label_smoothing = label_smoothing

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image (b, 3, h, w) and label (b,) -> scalar, nats."""
        logits = self.model(batch["image"])
        return cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)


def needs_path(method: Method, inner: Method) -> None:
    """Raise where a method that mixes weights is put around one that no path leads to.

    Zero-shot is let through: it is the pretrained end itself.

    Raises:
        ModelError: Before anything is trained.
    """
    if not inner.on_path and inner.name != "zero-shot":
        raise ModelError(
            f"{method.name} mixes weights, and no path of weights leads to what {inner.name} makes",
            expected="an inner method that keeps the start's architecture",
            fix=f"use {inner.name} by itself, or another inner method",
        )


def pretrained_end(start: Model, task: Task) -> Model:
    """The model at alpha = 0: the start with a zero-shot head, where it has a text tower.

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


def task_head(model: Model, task: Task) -> Head:
    """The zero-shot head for a task's classes, from its prompt names and templates.

    Text towers of the same bits, architecture, prompts and device write it once; every call
    returns a copy of its own.

    Raises:
        ModelError: The model has no text tower.
    """
    key = _head_key(model, task)
    head = _HEADS.get(key)
    if head is None:
        head = _HEADS[key] = zero_shot_head(
            model, task.names_in_prompts, task.templates, class_names=task.class_names
        )
    _HEADS.move_to_end(key)
    while len(_HEADS) > _HEADS_KEPT:
        _HEADS.popitem(last=False)
    return deepcopy(head)


def _head_key(model: Model, task: Task) -> str:
    """Names all that a zero-shot head depends on."""
    text = model.require_text("a zero-shot head")
    facts = [
        fingerprint(text),
        repr(text),  # its architecture: activations have no weights
        repr(sorted(model.spec.builder.items())),  # its tokens
        model.scale(),
        str(model.device),
        task.class_names,
        task.names_in_prompts,
        task.templates,
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def as_dict(method: Method) -> dict[str, Any]:
    """A method as a recipe writes it: its name and every field, nested methods likewise."""

    def plain(value: Any) -> Any:
        if isinstance(value, Method):
            return as_dict(value)
        if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, tuple):
            return [plain(v) for v in value]
        return value

    own = {f.name: plain(getattr(method, f.name)) for f in fields(method)}  # type: ignore[arg-type]
    return {"name": method.name, **own}
