"""The search for a learning rate: its own trial needs every class, whatever the images' order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.methods.lp_ft import LPFT
from surefoot.models.load import load
from surefoot.recipes import auto_lr
from surefoot.recipes.auto_lr import tune_lr, with_schedule
from surefoot.recipes.recipe import TuneSpec

from ..conftest import drawn_split


@pytest.mark.parametrize("few", [None, 2])
def test_ordered_images_do_not_stop_it(
    task: Task, monkeypatch: pytest.MonkeyPatch, few: int | None
) -> None:
    if few is not None:  # fewer than there are classes
        monkeypatch.setattr(auto_lr, "_FEW", few)
    train = drawn_split("train", 400, 0, use="train")
    order = np.argsort(train.require_labels(), kind="stable")  # two classes fill 256
    ordered = replace(task, train=train.take(order))
    method = with_schedule(LPFT(), epochs=1, batch_size=16)
    said: list[str] = []
    chosen = tune_lr(
        method, load("tiny-clip"), ordered, TuneSpec(lr=[1e-3], epochs=1), seed=0,
        run=RunContext(device="cpu"), say=said.append,
    )  # fmt: skip
    assert [s.lr for s in auto_lr.schedules(chosen)] == [1e-3]
    assert "about" in said[0]
