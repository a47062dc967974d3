"""The head policy "text": at every alpha the mixed text tower writes the head (FLYP)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surefoot.data.dataset import Task
from surefoot.errors import WeightsError
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.base import as_dict
from surefoot.methods.flyp import FLYP
from surefoot.methods.ft import FineTune
from surefoot.methods.parse import method_from
from surefoot.methods.wise_ft import WiseFT
from surefoot.models.heads import zero_shot_head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.paths import Path, Prompts, sweep
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from .conftest import toy_model

QUICK = Schedule(epochs=1, batch_size=16, lr=1e-3)


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


@pytest.fixture
def tuned(clip: Model, task: Task) -> Model:
    return FLYP(schedule=QUICK).fit(clip, task)


def logits(model: Model, task: Task) -> np.ndarray:
    return predict(model, task.test).logits


def test_both_policies_agree_at_the_ends_and_differ_between(
    clip: Model, tuned: Model, task: Task
) -> None:
    mixed, written = (Path.between(clip, tuned, task, head=h) for h in ("auto", "text"))  # type: ignore[arg-type]
    for alpha in (0.0, 1.0):
        assert fingerprint(written.at(alpha)) == fingerprint(mixed.at(alpha))
    assert fingerprint(written.at(0.0)) == fingerprint(pretrained_end(clip, task))
    assert fingerprint(written.at(1.0)) == fingerprint(tuned)
    half = (mixed.at(0.5), written.at(0.5))
    assert fingerprint(half[0].encoder) == fingerprint(half[1].encoder)
    assert not torch.allclose(half[0].require_head().weight, half[1].require_head().weight)


def test_between_the_ends_it_is_the_zero_shot_head_of_the_mixed_tower(
    clip: Model, tuned: Model, task: Task
) -> None:
    path = Path.between(clip, tuned, task, head="text")
    for alpha in (0.2, 0.5, 0.999):
        model = path.at(alpha)
        expected = zero_shot_head(
            model, task.names_in_prompts, task.templates, class_names=task.class_names
        )
        assert torch.equal(model.require_head().weight, expected.weight)
    # Continuous into the end.
    np.testing.assert_allclose(logits(path.at(1 - 1e-6), task), logits(tuned, task), atol=1e-2)


def test_a_sweep_equals_the_plain_loop(clip: Model, tuned: Model, task: Task) -> None:
    path = Path.between(clip, tuned, task, head="text")
    seen = {}
    sweep(path, task, alphas=(0.0, 0.5, 1.0),
          on_predictions=lambda a, p: seen.update({(a, p.split): p.logits}))  # fmt: skip
    for alpha in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(seen[alpha, "test"], logits(path.at(alpha), task), atol=1e-4)


def test_a_start_without_head_gets_its_own(clip: Model, tuned: Model, task: Task) -> None:
    path = Path(clip, tuned, head="text", prompts=Prompts.of(task))
    assert fingerprint(path.at(0)) == fingerprint(pretrained_end(clip, task))


def test_what_does_not_fit_is_refused(clip: Model, tuned: Model, task: Task) -> None:
    with pytest.raises(WeightsError, match="needs the prompts of the task"):
        Path(clip, tuned, head="text")
    trained = FineTune(schedule=QUICK).fit(clip, task)
    with pytest.raises(WeightsError, match="head of the end is not what its text tower writes"):
        Path.between(clip, trained, task, head="text")
    with pytest.raises(WeightsError, match="needs a text tower in both ends"):
        Path(toy_model(), toy_model(seed=1), head="text", prompts=Prompts.of(task))


def test_wise_ft_takes_the_policy_and_it_goes_through_a_recipe(
    clip: Model, tuned: Model, task: Task
) -> None:
    method = WiseFT(inner=FLYP(schedule=QUICK), alpha=0.5, head="text")
    assert method_from(as_dict(method)) == method
    expected = Path.between(clip, tuned, task, head="text").at(0.5)
    assert fingerprint(method.fit(clip, task)) == fingerprint(expected)
