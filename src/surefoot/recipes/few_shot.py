"""Few-shot mode: a draw of k images per class for every seed, and the zero-shot candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..data.dataset import Task
from ..data.splitting import few_shot
from ..evals.evaluate import evaluate
from ..evals.zero_shot import pretrained_end
from ..models.model import Model
from ..records import Origin, Score
from ..runs import Run, Selection
from .recipe import Recipe

__all__ = ["drawn", "said_of_all", "start_or_end"]


def drawn(task: Task, recipe: Recipe, seed: int) -> Task:
    """The task of one seed: in few-shot mode k images per class, drawn by that seed.

    Raises:
        DataError: A class has fewer images in train or validation.
    """
    k = recipe.spec.data.few_shot
    return task if k is None else few_shot(task, k, seed)


def said_of_all(task: Task, recipe: Recipe) -> Task:
    """A member's task for the page of the study: few-shot images are other ones for each seed."""
    spec = recipe.spec
    if spec.data.few_shot is None or len(spec.seeds) == 1:
        return task
    note = f"the few-shot images are drawn anew for each of the {len(spec.seeds)} seeds"
    return replace(task, notes=(*task.notes, note))


def start_or_end(
    start: Model,
    task: Task,
    run: Run,
    tuned: Sequence[Score],
    origin: Origin,
    options: Mapping[str, Any],
) -> list[Score]:
    """Rows of the better of both on ID validation, selection "id_val"; ties go to the start.

    FLYP's few-shot protocol (arXiv 2212.00638, section 4) counts the zero-shot model among the
    candidates, so that tuning on a few images need not lose to leaving it. This is for models off
    a path; on one the pretrained end is a candidate anyway, at alpha = 0. What was chosen, and by
    how much, is kept as the run's selection: alpha 0 is the start, 1 the tuned model.

    Args:
        start: The pretrained model; one without a zero-shot head is no candidate.
        task: Of the run.
        run: Its folder, where the selection is written.
        tuned: The tuned model's rows.
        origin: Of the run's scores.
        options: Of every forward pass: batch size, device, workers.
    """
    begin = pretrained_end(start, task)
    if begin.head is None or begin.head.class_names != task.class_names:
        return []
    [(_, before)] = evaluate(begin, task, splits=["val"], **options)
    after = next(row for row in tuned if row.split == "val")
    stay = before.value >= after.value
    which = "the pretrained model" if stay else "the tuned model"
    reason = (
        f"{which}: ID validation {before.metric} {before.value:.4f} before and {after.value:.4f} "
        f"after tuning, on {after.n} images."
    )
    run.write_selections([Selection("id_val", 0.0 if stay else 1.0, "val", reason=reason)])
    if not stay:
        return [replace(row, selection="id_val") for row in tuned]
    origin = replace(origin, selection="id_val")
    return [row for _, row in evaluate(begin, task, origin=origin, **options)]
