"""A Method turns a Model into a Model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..losses import cross_entropy
from ..models.model import Model
from ..train import Schedule

__all__ = ["Classify", "Method", "as_dict", "needs_path", "require_head_start"]


class Method(ABC):
    """A frozen dataclass whose fields are its hyper-parameters.

    Write one by copying a file of this folder: give ``name`` and ``paper``, and ``fit``.
    ``surefoot.testing.check_method`` checks that it keeps the contract.

    Example:
        >>> tuned = sf.FineTune(epochs=1, batch_size=8).fit(model, task)
        >>> tuned.head
        Head(zero_shot: 3 classes, 24 features, normalised features)
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

    def check(self, start: Model, task: Task) -> None:
        """Raise what :meth:`fit` would raise for this start and these classes, before any image.

        By itself: the training images have labels, a head that starts as the field ``head`` says
        can be had, and every method inside agrees; one inside whose head is "keep" starts from
        what an earlier stage gives, and is not asked. Methods that need more say so here.

        Raises:
            ModelError: As in :meth:`fit`.
            DataError: Likewise.
        """
        task.train.require_labels()
        head = getattr(self, "head", None)
        if isinstance(head, str):
            require_head_start(head, start, task)
        for field in fields(self):  # type: ignore[arg-type]
            inner = getattr(self, field.name)
            if isinstance(inner, Method) and getattr(inner, "head", None) != "keep":
                inner.check(start, task)

    def label(self) -> str:
        """How reports name it."""
        return self.name


def require_head_start(kind: str, model: Model, task: Task) -> None:
    """Raise where a head that starts so cannot be had: "zero_shot", "keep", or drawn anew.

    Raises:
        ModelError: "zero_shot" without a text tower, or "keep" without a head that fits.
    """
    if kind == "zero_shot" and model.text is None:
        raise ModelError(
            f"{model.spec.name} has no text tower, so it has no zero-shot head to start from",
            expected="a model trained with language",
            fix="use head random or zeros (--head random), or LP-FT",
        )
    if kind == "keep" and not model.require_head().serves(task.class_names):
        raise ModelError(
            f"the head of {model.spec.name} is for {len(model.require_head().class_names)} other "
            "classes",
            expected=f"the task's {len(task.class_names)} classes",
            fix="start from a zero-shot, random or zeros head",
        )


@dataclass(frozen=True)
class Scheduled(Method):
    """A method that trains by a :class:`~surefoot.train.Schedule`, its own or of a method inside.

    ``epochs``, ``lr``, ``batch_size`` and ``decayed`` are short for a whole schedule: they are
    written into every schedule of the method, which keeps its other defaults. They are arguments
    and no fields: a recipe, ``fields`` and ``replace`` know schedules only.

    Args:
        epochs: Passes over the training images.
        lr: Peak learning rate.
        batch_size: Images per optimiser step.
        decayed: "all" or "matrices": what weight decay pulls.

    Raises:
        ModelError: A schedule was given as well, or there is none to write into.

    Example:
        >>> sf.LPFT(epochs=3).tune.schedule.epochs
        3
    """

    _: KW_ONLY
    epochs: InitVar[int | None] = None
    lr: InitVar[float | None] = None
    batch_size: InitVar[int | None] = None
    decayed: InitVar[str | None] = None

    def __post_init__(
        self,
        epochs: int | None,
        lr: float | None,
        batch_size: int | None,
        decayed: str | None,
    ) -> None:
        asked = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "decayed": decayed}
        changes = {name: value for name, value in asked.items() if value is not None}
        if changes:
            written = _rescheduled(self, changes, free=False)
            if not written:
                raise ModelError(
                    f"{self.name} trains by no schedule, so {', '.join(changes)} say nothing",
                    expected="an inner method that trains (ft, lp-ft, flyp, ...)",
                )
            for name, value in written.items():
                object.__setattr__(self, name, value)
        self._check_fields()

    def _check_fields(self) -> None:
        """Raise where fields do not fit together; for methods to fill in."""


def _rescheduled(method: Method, changes: Mapping[str, Any], *, free: bool) -> dict[str, Any]:
    """The fields of a method that have a schedule inside, with the changes written into it.

    Args:
        method: Left as it is.
        changes: Fields of a schedule.
        free: The method is a default of another, so nobody gave its schedules.
    """
    written: dict[str, Any] = {}
    for field in fields(method):  # type: ignore[arg-type]
        value = getattr(method, field.name)
        default = free or value is getattr(type(method), field.name, None)
        if isinstance(value, Schedule):
            if not (default or getattr(value, _SHORT, False)):
                raise ModelError(
                    f"{method.name} was given a schedule and {', '.join(changes)} beside it",
                    expected="one of the two",
                    fix=f"schedule=Schedule(..., {next(iter(changes))}=...), or "
                    "dataclasses.replace(method.schedule, ...) to change one that is there",
                )
            written[field.name] = replace(value, **changes)
            object.__setattr__(written[field.name], _SHORT, True)
        elif isinstance(value, Method):
            inner = _rescheduled(value, changes, free=default)
            if inner:
                written[field.name] = replace(value, **inner)  # type: ignore[type-var]
    return written


_SHORT = "_by_shorthand"
"""Marks a schedule that nobody wrote out, which ``replace(method, lr=...)`` may change again."""


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
