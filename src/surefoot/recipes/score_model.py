"""Score one model on a task with any evaluator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..context import pick_device
from ..data.dataset import Task
from ..evals.knn import Protocol, protocol_transform
from ..evals.predict import Evaluator, evaluate
from ..methods.base import as_it_answers
from ..models.model import Model
from ..records import Score
from ..transforms import DINO_KNN

__all__ = ["score_model"]


def score_model(
    model: Model,
    task: Task,
    evaluator: Evaluator = "head",
    *,
    device: str = "auto",
    batch_size: int = 256,
    workers: int = 0,
    k: int = 20,
    protocol: Protocol = "auto",
) -> list[Score]:
    """Scores on ID validation, ID test and every shift.

    Args:
        model: With a head, or a text tower that can write one. Its own head is never replaced:
            labels are matched to its classes by name, and all of those count as answers.
        task: The data.
        evaluator: "head" (the model's own, else zero-shot), "zero_shot", "linear" (a probe on
            frozen features, C chosen on ID validation) or "knn" (DINO's protocol).
        device: Where to run.
        batch_size: Images per forward pass.
        workers: Processes that load images.
        k: Neighbours, for "knn".
        protocol: "dino", "model" (its own transform) or "auto", for "knn".

    Raises:
        ModelError: The model lacks what the evaluator needs.
        ClassMismatch: Its head does not know a class of the task.
    """
    if evaluator == "head":
        model, task = as_it_answers(model, task)
    neighbours: dict[str, Any] = {}
    if evaluator == "knn":
        own = protocol_transform(model, protocol, pick_device(device)) != DINO_KNN
        neighbours = {"k": k, "protocol": "model" if own else "dino"}
    pairs = evaluate(
        model,
        task,
        evaluator=evaluator,
        batch_size=batch_size,
        device=pick_device(device),
        workers=workers,
        **neighbours,
    )
    return [
        replace(score, method=model.spec.name, extra={**score.extra, **neighbours})
        for _, score in pairs
    ]
