"""Searches and schedules: ties, ends of a grid, methods that cannot start, all said at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.data.dataset import Task
from surefoot.evals.linear import fit_linear
from surefoot.methods import FLYP, FineTune
from surefoot.models.model import Model
from surefoot.recipes.inventory import take_inventory

from .builders import refusal

RNG = np.random.default_rng(0)


def easy(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes far apart: every C is right on validation."""
    labels = np.arange(n) % 2
    noise = RNG.normal(size=(n, 3))
    return (noise + 9.0 * labels[:, None]).astype(np.float32), labels.astype(np.int64)


def test_a_tie_on_validation_is_broken_by_likelihood() -> None:
    (x, y), (vx, vy) = easy(40), easy(16)
    fit = fit_linear(x, y, classes=2, val_features=vx, val_labels=vy, c_path=(1e-7, 1e-3, 1.0))
    tied = [row for row in fit.table if row["val"] == 1.0]
    assert len(tied) > 1
    assert fit.c == min(tied, key=lambda row: row["val_nll"])["c"]
    assert fit.c > 1e-7


@pytest.mark.parametrize(("batch", "told"), [(512, True), (2, False)])
def test_a_schedule_of_few_steps_is_told(task: Task, model: Model, batch: int, told: bool) -> None:
    method = FineTune(epochs=10, batch_size=batch)
    notes = [str(n) for n in take_inventory(task, model, methods=[method]).notes]
    assert any("steps in 10 epochs" in n for n in notes) is told


def test_a_method_that_needs_text_says_so_beforehand(task: Task, model: Model) -> None:
    refusal("text", lambda: FLYP().check(model, task))


def test_a_class_without_training_images_is_named(task: Task) -> None:
    labels = task.train.require_labels()
    lacking = replace(task, train=task.train.take(np.flatnonzero(labels != 2)))
    found = take_inventory(lacking)
    assert found.splits[0].classes == 2
    assert "2 of 3 classes" in found.splits[0].line(3)
