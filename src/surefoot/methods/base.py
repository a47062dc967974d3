"""A Method turns a Model into a Model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..losses import cross_entropy
from ..models.model import Model

__all__ = ["Classify", "Method", "as_dict", "needs_path"]


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
