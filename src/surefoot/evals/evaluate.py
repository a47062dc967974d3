"""Both steps over a task: predict every split and score it, by any evaluator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ..data.dataset import Shift, Task
from ..display import Table, data_frame
from ..errors import DataError, UnknownName
from ..models.model import Model
from ..predictions import Predictions
from ..records import Origin, Score
from ..registry import nearest
from ..transforms import DINO_KNN
from .knn import Protocol, knn_predictions, protocol_transform, require_ranking
from .linear import linear
from .predict import predict
from .score import score, value_of
from .zero_shot import as_it_answers, zero_shot

__all__ = [
    "EVALUATORS",
    "Answer",
    "Evaluation",
    "Evaluator",
    "answers",
    "check_evaluator",
    "evaluate",
]

Evaluator = Literal["head", "zero_shot", "linear", "knn"]
EVALUATORS: tuple[Evaluator, ...] = ("head", "zero_shot", "linear", "knn")

Answer = tuple[Predictions, Mapping[str, Any]]
"""Predictions of one split, and what their score must remember beside (``Score.extra``)."""


class Evaluation(list[tuple[Predictions, Score]]):
    """A pair of predictions and score per split, which shows itself."""

    def scores(self) -> list[Score]:
        """The scores, split by split."""
        return [score for _, score in self]

    def table(self) -> Table:
        """A row per split, in percent with 95 % intervals."""
        cells = tuple(score.cells() for score in self.scores())
        title = self[0][1].method if self else ""
        return Table(("split", "metric", "value", "95 % interval", "images"), cells, title)

    def to_frame(self) -> Any:
        """A ``pandas.DataFrame`` with a row per split, columns as a Score's fields.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return data_frame(score.to_json() for score in self.scores())

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def evaluate(
    model: Model,
    task_or_scored: Task | Mapping[str, Shift],
    *,
    evaluator: Evaluator = "head",
    splits: Collection[str] | None = None,
    metric: str | None = None,
    origin: Origin | None = None,
    seed: int = 0,
    **options: Any,
) -> Evaluation:
    """Predict and score every split of a task.

    Args:
        model: With a head for "head", which is never replaced: labels are matched to its classes
            by name, and all of those count as answers; or with a text tower, which then writes
            one for a task. With a text tower for "zero_shot".
        task_or_scored: A task, or splits by name (only for "head").
        evaluator: How logits are made: "head", "zero_shot", "linear" or "knn".
        splits: Names to look at ("val", "test", shifts); all when left out.
        metric: Instead of each split's own.
        origin: What the scores remember beside; the model's name when left out.
        seed: Of the linear probe.
        **options: ``batch_size``, ``device``, ``workers``; those of ``linear``, and of "knn" k,
            ks, protocol (:func:`answers`).

    Raises:
        UnknownName: No such evaluator or split.
        DataError: An evaluator other than "head" without a task.
        ModelError: The model lacks what the evaluator needs.
        ClassMismatch: Its head does not know a class.

    Example:
        >>> sf.evaluate(tuned, task).table().columns
        ('split', 'metric', 'value', '95 % interval', 'images')
        >>> [score.split for _, score in sf.evaluate(tuned, task)]
        ['val', 'test', 'recoloured']
    """
    task = task_or_scored if isinstance(task_or_scored, Task) else None
    if task is not None and evaluator == "head":
        model, task = as_it_answers(model, task)
        task_or_scored = task
    scored = task_or_scored.scored() if isinstance(task_or_scored, Task) else dict(task_or_scored)
    for name in splits or ():
        if name not in scored:
            raise UnknownName("split", name, list(scored), nearest(name, list(scored)))
    chosen = {k: v for k, v in scored.items() if splits is None or k in splits}
    if evaluator == "knn":
        require_ranking(metric or shift.metric for shift in chosen.values())
    origin = replace(origin or Origin(model.spec.name), evaluator=evaluator)
    return Evaluation(
        (said, score(said, metric, origin=replace(origin, extra={**origin.extra, **extra})))
        for said, extra in answers(model, task, chosen, evaluator, seed=seed, **options)
    )  # fmt: skip


def check_evaluator(evaluator: str, known: Sequence[str] = EVALUATORS) -> None:
    """Raise where there is no evaluator of a name.

    Raises:
        UnknownName: The nearest are named.
    """
    if evaluator not in known:
        raise UnknownName("evaluator", evaluator, list(known), nearest(evaluator, list(known)))


def answers(
    model: Model,
    task: Task | None,
    chosen: Mapping[str, Shift],
    evaluator: Evaluator,
    *,
    seed: int = 0,
    k: int = 20,
    ks: Sequence[int] = (),
    protocol: Protocol = "auto",
    **options: Any,
) -> Iterator[Answer]:
    """What an evaluator says about some splits, one after the other.

    Args:
        model: Left as it was.
        task: Whose training split an evaluator learns from, and whose prompts a head.
        chosen: The splits, by name.
        evaluator: How logits are made.
        seed: Of the linear probe.
        k: Neighbours, for "knn".
        ks: Further numbers of them, whose values go beside ("at_k"); none beyond the bank.
        protocol: Of "knn": see :func:`~.knn.protocol_transform`.
        **options: ``batch_size``, ``device``, ``workers``; more of ``linear``.

    Raises:
        UnknownName: No such evaluator.
        DataError: It needs a task.
        ModelError: The model lacks what it needs.
    """
    check_evaluator(evaluator)
    if evaluator == "knn":
        bank = _whole(task, evaluator)
        wanted = sorted({k, *(q for q in ks if q <= len(bank.train))})
        way = protocol_transform(model, protocol, options.get("device"))
        dino = way == replace(DINO_KNN, mean=way.mean, std=way.std)
        beside: dict[str, Any] = {"k": k, "protocol": "dino" if dino else "model"}
        for by_k in knn_predictions(model, bank, chosen, ks=wanted, protocol=protocol, **options):
            if ks:
                beside["at_k"] = {str(q): value_of(said) for q, said in sorted(by_k.items())}
            yield by_k[k], dict(beside)
        return
    if evaluator == "linear":
        passed = {name: v for name, v in options.items() if name not in _PROBE}
        model, options = linear(model, _whole(task, evaluator), seed=seed, **options), passed
    elif evaluator == "zero_shot":
        model = zero_shot(model, _whole(task, evaluator))
    for shift in chosen.values():
        yield predict(model, shift, **options), {}


_PROBE = ("c_path", "max_iter", "patience", "cache_dir")
"""What ``linear`` takes and ``predict`` does not."""


def _whole(task: Task | None, evaluator: str) -> Task:
    if task is None:
        raise DataError(
            f"the evaluator {evaluator!r} needs a whole task, and got splits only",
            expected="a Task, with its training split, class names and prompts",
        )
    return task
