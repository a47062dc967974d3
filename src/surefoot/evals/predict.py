"""Two steps: predict stores logits, score derives numbers. Predictions are kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .. import processes
from ..data.dataset import Shift, Split, Task
from ..data.loading import make_loader
from ..errors import ClassMismatch, DataError, ModelError, UnknownName
from ..features import inference
from ..models.heads import Head
from ..models.model import Model
from ..predictions import Predictions
from ..records import Score
from ..registry import nearest
from .score import score

__all__ = ["EVALUATORS", "evaluate", "package", "predict", "predict_from_features", "score"]

Progress = Callable[[int, int], None]
Evaluator = Literal["head", "zero_shot", "linear", "knn"]
EVALUATORS: tuple[Evaluator, ...] = ("head", "zero_shot", "linear", "knn")


def as_shift(shift_or_split: Shift | Split) -> Shift:
    """A split is scored as it is: all classes, top-1."""
    if isinstance(shift_or_split, Shift):
        return shift_or_split
    return Shift(shift_or_split.name, shift_or_split)


def package(shift: Shift, logits: NDArray[np.float32]) -> Predictions:
    """Logits (n, classes) of a shift's images, in order, with all that a score needs.

    Raises:
        DataError: The split has no labels.
        ModelError: A logit is not finite.
    """
    split = shift.split
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        raise ModelError(
            f"{bad} of {len(logits)} images of {shift.name!r} have logits that are not finite",
            expected="finite numbers",
            fix="check the checkpoint (surefoot check) and the training's learning rate",
        )
    return Predictions(
        split=shift.name,
        domain=split.domain,
        logits=logits,
        labels=split.require_labels(),
        ids=tuple(split.images.id(i) for i in range(len(split))),
        class_names=split.class_names,
        metric=shift.metric,
        classes=shift.classes,
        groups=shift.groups,
        metadata=split.metadata,
        cluster=split.cluster,
        version=split.version,
        synthetic=split.synthetic,
        identities=split.identities,
    )


def _check_classes(head: Head, split: Split) -> None:
    if head.class_names != split.class_names:
        raise ClassMismatch(
            f"the head has {len(head.class_names)} classes "
            f"({', '.join(head.class_names[:6])}, ...), the split {split.name!r} has "
            f"{len(split.class_names)} ({', '.join(split.class_names[:6])}, ...)",
            expected="the same class names in the same order",
            fix="make a head for this task (zero-shot, lp), or a class map for the shift",
        )


def predict(
    model: Model,
    shift_or_split: Shift | Split,
    *,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Predictions:
    """Run a model with its head over every image of a split.

    Several processes look at a share each, and all get all logits.

    Args:
        model: With a head over the split's classes; left as it was.
        shift_or_split: What to look at; a shift brings its metric and its classes.
        batch_size: Images at once.
        device: Where to compute; where the model is when left out.
        workers: Processes that decode images.
        progress: Called with (images done, images in all), of this process.

    Raises:
        ModelError: The model has no head, or a logit is not finite.
        ClassMismatch: The head is for other classes.
        DataError: The split has no labels, or an image cannot be decoded.
    """
    shift = as_shift(shift_or_split)
    split, head = shift.split, model.require_head()
    split.require_labels()
    _check_classes(head, split)
    mine = processes.share(len(split))
    logits = np.empty((mine.stop - mine.start, len(head.class_names)), dtype=np.float32)
    done = 0
    with inference(model, device) as where:
        loader = make_loader(
            split,
            model.spec.transform.eval(),
            batches=processes.my_batches(len(split), batch_size),
            workers=workers,
            device=where,
        )
        for batch in loader:
            out = model(batch["image"])
            logits[batch["index"].numpy() - mine.start] = out.float().cpu().numpy()
            done += len(out)
            if progress is not None:
                progress(done, len(logits))
    return package(shift, processes.joined(logits, len(split)))


def predict_from_features(
    head: Head,
    features: NDArray[np.float32],
    shift_or_split: Shift | Split,
    *,
    batch_size: int = 8192,
) -> Predictions:
    """The same from features (n, d) that were extracted before, in the order of the split.

    Raises:
        ModelError: A logit is not finite.
        ClassMismatch: The head is for other classes.
        DataError: The features are not (images of the split, width of the head).
    """
    shift = as_shift(shift_or_split)
    _check_classes(head, shift.split)
    if features.shape != (len(shift.split), head.weight.shape[1]):
        raise DataError(
            f"features of shape {features.shape} for {shift.name!r}",
            expected=f"({len(shift.split)}, {head.weight.shape[1]}): images, width of the head",
        )
    logits = np.empty((len(features), len(head.class_names)), dtype=np.float32)
    where = head.weight.device
    with torch.inference_mode():
        for at in range(0, len(features), batch_size):
            block = np.array(features[at : at + batch_size], dtype=np.float32)
            out = head(torch.from_numpy(block).to(where))
            logits[at : at + batch_size] = out.float().cpu().numpy()
    return package(shift, logits)


def evaluate(
    model: Model,
    task_or_scored: Task | Mapping[str, Shift],
    *,
    evaluator: Evaluator = "head",
    splits: Collection[str] | None = None,
    metric: str | None = None,
    seed: int = 0,
    samples: int = 1000,
    **options: Any,
) -> list[tuple[Predictions, Score]]:
    """Predict and score every split of a task.

    Args:
        model: With a head for "head"; with a text tower for "zero_shot".
        task_or_scored: A task, or splits by name (only for "head").
        evaluator: How logits are made: "head", "zero_shot", "linear" or "knn".
        splits: Names to look at ("val", "test", shifts); all when left out.
        metric: Instead of each split's own.
        seed: Of the bootstrap and of the linear probe.
        samples: Resamples.
        **options: For :func:`predict`, ``linear`` or ``knn_predict``.

    Raises:
        UnknownName: No such evaluator or split.
        DataError: An evaluator other than "head" without a task.
    """
    if evaluator not in EVALUATORS:
        raise UnknownName("evaluator", evaluator, EVALUATORS, nearest(evaluator, EVALUATORS))
    is_task = isinstance(task_or_scored, Task)
    scored = task_or_scored.scored() if isinstance(task_or_scored, Task) else dict(task_or_scored)
    for name in splits or ():
        if name not in scored:
            raise UnknownName("split", name, list(scored), nearest(name, list(scored)))
    chosen = {k: v for k, v in scored.items() if splits is None or k in splits}
    if evaluator != "head" and not is_task:
        raise DataError(
            f"the evaluator {evaluator!r} needs a whole task, and got splits only",
            expected="a Task, with its training split, class names and prompts",
        )
    return [
        (p, replace(score(p, metric, seed=seed, samples=samples), evaluator=evaluator))
        for p in _predictions(model, task_or_scored, chosen, evaluator, seed, options)
    ]


def _predictions(
    model: Model,
    task: Any,
    chosen: Mapping[str, Shift],
    evaluator: Evaluator,
    seed: int,
    options: Mapping[str, Any],
) -> Iterator[Predictions]:
    # These three modules build on this one, so they are imported here.
    if evaluator == "knn":
        from .knn import knn_predictions

        yield from knn_predictions(model, task, chosen, **options)
        return
    if evaluator == "linear":
        from .linear import linear

        passed = {k: v for k, v in options.items() if k in ("batch_size", "device", "workers")}
        model, options = linear(model, task, seed=seed, **options), passed
    elif evaluator == "zero_shot":
        from .zero_shot import zero_shot

        model = zero_shot(model, task)
    for shift in chosen.values():
        yield predict(model, shift, **options)
