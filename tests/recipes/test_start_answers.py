"""Every path of a study begins at one model: it is asked once, and the numbers are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.methods.base import pretrained_end
from surefoot.methods.ft import FineTune
from surefoot.models.model import Model
from surefoot.paths import Path, sweep
from surefoot.recipes.start_answers import StartAnswers
from surefoot.testing import small_clip, small_task
from surefoot.train import Schedule

QUICK = FineTune(schedule=Schedule(epochs=1, batch_size=12, lr=1e-3))


@pytest.fixture(scope="module")
def task() -> Task:
    return small_task(12)


@pytest.fixture(scope="module")
def ends(task: Task) -> tuple[Model, Model, Model]:
    """The pretrained end, and two tuned ones."""
    start = small_clip()
    begin = pretrained_end(start, task)
    return begin, QUICK.fit(start, task, seed=0), QUICK.fit(start, task, seed=1)


def walked(path: Path, task: Task, context: RunContext) -> tuple[Any, int, bool]:
    """The curve, images that the network saw, and whether the start's answers were known."""
    seen: list[tuple[int, int]] = []
    answers = StartAnswers(path, task, 8, context)
    known = answers.known()
    curve = sweep(
        path, task, alphas=(0.0, 0.5, 1.0), batch_size=8, on_predictions=answers.keep,
        at_start=known, progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen[-1][0] == seen[-1][1]
    return curve, seen[-1][1], known is not None


def test_the_second_path_does_not_ask_the_start_again(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, two = ends
    context = RunContext()
    _, first, known = walked(Path(begin, one), task, context)
    assert not known
    shared, second, known = walked(Path(begin, two), task, context)
    assert known
    assert second == first * 2 / 3
    alone, _, _ = walked(Path(begin, two), task, RunContext())
    assert shared.alphas == alone.alphas == (0.0, 0.5, 1.0)
    for split in alone.scores:
        assert shared.scores[split] == alone.scores[split]
        np.testing.assert_array_equal(shared.correct[split], alone.correct[split])


def test_another_start_task_or_batch_is_asked_anew(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, _ = ends
    context = RunContext()
    walked(Path(begin, one), task, context)
    assert StartAnswers(Path(begin, one), task, 8, context).known() is not None
    moved = begin.clone()
    with torch.no_grad():
        moved.require_head().bias[0] += 1e-3
    seen = {"transform": begin.spec.transform.changed(mean=(0.4,) * 3)}
    sized = Path(begin.with_spec(**seen), one.with_spec(**seen))
    few = replace(task, val=task.val.take(range(3)))
    others = [
        StartAnswers(Path(moved, one), task, 8, context),
        StartAnswers(sized, task, 8, context),
        StartAnswers(Path(begin, one), few, 8, context),
        StartAnswers(Path(begin, one), task, 4, context),
        StartAnswers(Path(begin, one), task, 8, RunContext()),
    ]
    assert [other.known() for other in others] == [None] * len(others)


def test_the_tuned_head_on_the_start_is_not_the_start(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, two = ends
    context = RunContext()
    walked(Path(begin, one, head="end"), task, context)
    assert StartAnswers(Path(begin, two, head="end"), task, 8, context).known() is None


def test_half_a_walk_is_not_taken_for_a_whole_one(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, _ = ends
    context, path = RunContext(), Path(begin, one)
    answers = StartAnswers(path, task, 8, context)
    sweep(path, {"val": task.scored()["val"]}, alphas=(0.0,), on_predictions=answers.keep)
    assert answers.known() is None
