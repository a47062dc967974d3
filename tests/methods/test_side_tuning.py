"""Side-tuning: the base stays bit for bit, the side learns, and the whole is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.evals.predict import predict
from surefoot.methods.base import as_dict
from surefoot.methods.parse import method_from
from surefoot.methods.side_tuning import SideTuning
from surefoot.methods.uniform_soup import UniformSoup
from surefoot.methods.wise_ft import WiseFT
from surefoot.models.heads import random_head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.pairs import beside
from surefoot.models.save import load_saved, save_model
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import CLASSES
from ..models.vits import features, pixels, vit

QUICK = Schedule(epochs=2, batch_size=16, lr=1e-2, weight_decay=0.0)
METHOD = SideTuning(head="random", schedule=QUICK)


@pytest.fixture(scope="module")
def start() -> Model:
    return vit("test_vit")


@pytest.mark.parametrize("side", ["small", "copy"])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_it_starts_as_the_base(start: Model, side: str, share: float) -> None:
    model = beside(start, side, share=share, seed=0)  # type: ignore[arg-type]
    times = share if side == "small" else 1.0
    torch.testing.assert_close(features(model), times * features(start))


def test_features_are_the_blend(start: Model) -> None:
    model = beside(start, "copy", share=0.3, seed=0)
    with torch.no_grad():
        for parameter in model.encoder.side.parameters():  # type: ignore[union-attr]
            parameter.mul_(1.1)
        side = model.encoder.side(pixels())  # type: ignore[operator]
    torch.testing.assert_close(features(model), 0.3 * features(start) + 0.7 * side)


@pytest.mark.parametrize("side", ["small", "copy"])
def test_the_base_stays_and_the_rest_learns(start: Model, task: Task, side: str) -> None:
    before = fingerprint(start)
    method = replace(METHOD, side=side)  # type: ignore[arg-type]
    tuned = method.fit(start, task, seed=1)
    fresh = beside(start, side, share=0.5, seed=1)  # type: ignore[arg-type]
    assert fingerprint(start) == before
    assert fingerprint(tuned.encoder.base) == fingerprint(start.encoder)  # type: ignore[arg-type]
    assert fingerprint(tuned.encoder.side) != fingerprint(fresh.encoder.side)  # type: ignore[arg-type]
    assert tuned.encoder.blend != fresh.encoder.blend
    fixed = replace(method, learn_share=False).fit(start, task, seed=1)
    assert torch.equal(fixed.encoder.blend, fresh.encoder.blend)  # type: ignore[arg-type]
    assert predict(tuned, task.test).logits.shape == (30, 3)


def test_it_learns(start: Model, task: Task) -> None:
    rows: list[Mapping[str, Any]] = []
    method = replace(METHOD, head="zeros", schedule=replace(QUICK, epochs=8, lr=3e-3))
    method.fit(start, task, run=RunContext(log=rows.append))
    losses = [row["loss"] for row in rows if "seconds" in row]
    assert losses[-1] < 0.9 * losses[0]


def test_a_kept_head_is_a_copy(start: Model, task: Task) -> None:
    headed = start.with_head(random_head(start, CLASSES, seed=0))
    before = fingerprint(headed)
    tuned = replace(METHOD, head="keep").fit(headed, task)
    assert fingerprint(headed) == before
    assert fingerprint(tuned.require_head()) != fingerprint(headed.require_head())


@pytest.mark.parametrize("side", ["small", "copy"])
def test_it_is_saved_whole(start: Model, task: Task, tmp_path: Path, side: str) -> None:
    tuned = replace(METHOD, side=side).fit(start, task)  # type: ignore[arg-type]
    save_model(tuned, tmp_path / "m.safetensors")
    again = load_saved(tmp_path / "m.safetensors")
    assert fingerprint(again) == fingerprint(tuned)
    np.testing.assert_array_equal(
        predict(again, task.test).logits, predict(tuned, task.test).logits
    )


def test_its_text_tower_is_left_out_and_its_zero_shot_head_serves(task: Task) -> None:
    clip = load("tiny-clip")
    tuned = SideTuning(schedule=replace(QUICK, epochs=1)).fit(clip, task)
    assert tuned.text is None
    assert tuned.require_head().normalize


def test_no_path_leads_to_it(task: Task) -> None:
    assert not SideTuning.on_path
    for mix in (WiseFT, UniformSoup):
        with pytest.raises(ModelError, match="no path of weights leads to what side-tuning makes"):
            mix(inner=METHOD)


def test_wrong_fields(start: Model) -> None:
    with pytest.raises(ModelError, match="share is 1"):
        SideTuning(share=1.0)
    with pytest.raises(ModelError, match="side network 'large'"):
        beside(start, "large", share=0.5, seed=0)  # type: ignore[arg-type]


def test_it_goes_through_a_recipe() -> None:
    assert method_from(as_dict(METHOD)) == METHOD
