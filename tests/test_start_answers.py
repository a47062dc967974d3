"""Every path of a study begins at one model: it is asked once, and the numbers are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.ft import FineTune
from surefoot.models.model import Model
from surefoot.paths import Path, sweep
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


def walked(path: Path, task: Task, context: RunContext, batch_size: int = 8) -> tuple[Any, int]:
    """The curve, and images that the network saw."""
    seen: list[tuple[int, int]] = []
    curve = sweep(
        path, task, alphas=(0.0, 0.5, 1.0), batch_size=batch_size, memo=context.memo,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen[-1][0] == seen[-1][1]
    return curve, seen[-1][1]


def asked(path: Path, task: Task, context: RunContext, batch_size: int = 8) -> bool:
    """Whether the start is asked, of the three positions."""
    _, seen = walked(path, task, context, batch_size)
    images = sum(len(s.split) for s in task.scored().values())
    assert seen in (2 * images, 3 * images)
    return seen == 3 * images


def test_the_second_path_does_not_ask_the_start_again(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, two = ends
    context = RunContext()
    _, first = walked(Path(begin, one), task, context)
    shared, second = walked(Path(begin, two), task, context)
    assert second == first * 2 / 3
    alone, third = walked(Path(begin, two), task, RunContext())
    assert third == first
    assert shared.alphas == alone.alphas == (0.0, 0.5, 1.0)
    for split in alone.scores:
        assert shared.scores[split] == alone.scores[split]
        np.testing.assert_array_equal(shared.correct[split], alone.correct[split])


def test_neighbours_of_the_start_are_found_once(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, two = ends
    context = RunContext()
    done: list[tuple[int, int]] = []
    curves = [
        sweep(Path(begin, end), task, evaluator="knn", alphas=(0.0, 1.0), k=3, ks=(1,),
              device="cpu", memo=memo, progress=lambda *seen: done.append(seen))
        for end, memo in ((one, context.memo), (two, context.memo), (two, None))
    ]  # fmt: skip
    assert done == [(1, 2), (2, 2), (1, 1), (1, 2), (2, 2)]
    assert curves[1].scores == curves[2].scores
    other = sweep(Path(begin, two), task, evaluator="knn", alphas=(0.0, 1.0), k=1, ks=(1,),
                  device="cpu", memo=context.memo)  # fmt: skip
    assert other.scores["test"][0].extra["k"] == 1


def test_another_start_task_or_batch_is_asked_anew(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, _ = ends
    context = RunContext()
    assert asked(Path(begin, one), task, context)
    assert not asked(Path(begin, one), task, context)
    moved = begin.clone()
    with torch.no_grad():
        moved.require_head().bias[0] += 1e-3
    seen = {"transform": begin.spec.transform.changed(mean=(0.4,) * 3)}
    sized = Path(begin.with_spec(**seen), one.with_spec(**seen))
    few = replace(task, val=task.val.take(range(3)))
    assert asked(Path(moved, one), task, context)
    assert asked(sized, task, context)
    assert asked(Path(begin, one), few, context)
    assert asked(Path(begin, one), task, context, batch_size=4)
    assert asked(Path(begin, one), task, RunContext())


def test_the_tuned_head_on_the_start_is_not_the_start(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, two = ends
    context = RunContext()
    assert asked(Path(begin, one, head="end"), task, context)
    assert asked(Path(begin, two, head="end"), task, context)


def test_half_a_walk_is_not_taken_for_a_whole_one(
    task: Task, ends: tuple[Model, Model, Model]
) -> None:
    begin, one, _ = ends
    context, path = RunContext(), Path(begin, one)
    val = {"val": task.scored()["val"]}
    sweep(path, val, alphas=(0.0,), batch_size=8, memo=context.memo)
    assert asked(path, task, context)

    def stopped(alpha: float, said: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(path, task, alphas=(0.0,), batch_size=4, memo=context.memo, on_predictions=stopped)
    assert asked(path, task, context, batch_size=4)
