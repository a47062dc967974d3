"""``check_eval``: the contract of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.dataset import Shift, Split, Task
from ..evals.evaluate import EVALUATORS, evaluate
from ..evals.score import score
from ..models.load import load
from ..models.model import Model
from ..predictions import Predictions
from ..records import Score
from ..weights.fingerprint import fingerprint
from .samples import require, small_task, with_tests

__all__ = ["Evaluate", "check_eval"]

Pairs = Sequence[tuple[Predictions, Score]]
Evaluate = Callable[[Model, Task], Pairs]

_CLOSE = 1e-4
"""Logits of two runs of one evaluator, which may sum in another order."""


def check_eval(
    evaluator: str | Evaluate, model: Model | None = None, task: Task | None = None
) -> None:
    """Check that an evaluator keeps the contract of :func:`surefoot.evaluate`.

    - One pair of predictions and score for each split of the task: finite logits (n, classes) in
      the order of its images, its labels, ids, classes, metric and version.
    - The score is what :func:`surefoot.score` makes of the predictions, inside its interval.
    - It leaves the model as it was, and says the same each time.
    - Labels of a test set, and of a shift, move no logit: nothing leaks from what is scored.

    Args:
        evaluator: A name ("head", "zero_shot", "linear", "knn"), or a function of model and task.
        model: tiny-clip with a zero-shot head for the task when left out.
        task: :func:`surefoot.testing.small_task` when left out.

    Raises:
        AssertionError: Says what was broken.

    Example:
        >>> sf.testing.check_eval(lambda model, task: sf.evaluate(model, task), model, task)
    """
    task = task or small_task()
    if model is None:
        from ..evals.zero_shot import pretrained_end

        model = pretrained_end(load("tiny-clip"), task)
    name, run = _named(evaluator)
    before = fingerprint(model), model.training
    pairs = list(run(model, task))
    require((fingerprint(model), model.training) == before, f"{name} changes the model")
    found = [p.split for p, _ in pairs]
    require(sorted(found) == sorted(task.scored()),
            f"{name} gives {found}, the task has {list(task.scored())}")  # fmt: skip
    for predictions, row in pairs:
        _check_pair(name, predictions, row, task.scored()[predictions.split])
    for split in _others(pairs, run(model, task)):
        raise AssertionError(f"{name} says something else on {split!r} the second time")
    for split in _others(pairs, run(model, with_tests(task, _turned))):
        require(split == "val", f"{name} looks at the labels of {split!r}: other labels give other "
                "logits")  # fmt: skip


def _others(first: Pairs, second: Pairs) -> list[str]:
    """Splits on which two runs have other logits."""
    again = {p.split: p.logits for p, _ in second}
    return [p.split for p, _ in first
            if not np.allclose(p.logits, again[p.split], rtol=_CLOSE, atol=_CLOSE)]  # fmt: skip


def _named(evaluator: str | Evaluate) -> tuple[str, Evaluate]:
    if not isinstance(evaluator, str):
        return getattr(evaluator, "__name__", "the evaluator"), evaluator
    require(
        evaluator in EVALUATORS, f"there is no evaluator {evaluator!r}: {', '.join(EVALUATORS)}"
    )
    named: Any = evaluator
    return evaluator, lambda model, task: evaluate(model, task, evaluator=named)


def _check_pair(name: str, said: Predictions, row: Score, shift: Shift) -> None:
    split, where = shift.split, f"{name} on {said.split!r}"
    classes = len(split.class_names)
    require(said.logits.shape == (len(split), classes),
            f"{where}: logits are {said.logits.shape}, not {(len(split), classes)}")  # fmt: skip
    require(bool(np.isfinite(said.logits).all()), f"{where}: logits are not finite")
    facts = {
        "ids": (said.ids, tuple(split.images.id(i) for i in range(len(split)))),
        "labels": (said.labels.tolist(), split.require_labels().tolist()),
        "class names": (said.class_names, split.class_names),
        "metric": (said.metric, shift.metric),
        "classes": (said.classes, shift.classes),
        "domain": (said.domain, split.domain),
        "version": (said.version, split.version),
    }
    wrong = [fact for fact, (ours, theirs) in facts.items() if ours != theirs]
    require(not wrong, f"{where}: {', '.join(wrong)} are not those of the split; use "
            "surefoot.evals.predict.package")  # fmt: skip
    pure = score(said)
    require(row.split == said.split and row.metric == shift.metric,
            f"{where}: its score is {row.metric} of {row.split!r}")  # fmt: skip
    require(row.value == pure.value and row.n == pure.n, f"{where}: its score is {row.value} on "
            f"{row.n} images, its predictions say {pure.value} on {pure.n}")  # fmt: skip
    require(row.low <= row.value <= row.high, f"{where}: {row.value} lies outside of its interval "
            f"({row.low}, {row.high})")  # fmt: skip


def _turned(split: Split) -> Split:
    """The split with every label another one that occurs."""
    present, places = np.unique(split.require_labels(), return_inverse=True)
    return replace(split, labels=present[(places + 1) % len(present)])
