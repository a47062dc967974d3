"""What the papers promise of each method, on models small enough to check it exactly."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import AlphaError, ModelError, RecipeError
from surefoot.evals import zero_shot as zero_shot_heads
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.base import Method, as_dict
from surefoot.methods.ft import FineTune
from surefoot.methods.lp import LinearProbe, logspace
from surefoot.methods.lp_ft import LPFT
from surefoot.methods.parse import method_from
from surefoot.methods.wise_ft import WiseFT
from surefoot.methods.zero_shot import ZeroShot
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.paths import Path
from surefoot.registry import METHODS
from surefoot.testing import small_clip, small_task
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model

QUICK = Schedule(epochs=1, batch_size=16, lr=1e-3)
PROBE = LinearProbe(c_path=logspace(-3, 1, 5))
METHODS_ON_TEXT: dict[str, Method] = {
    "zero-shot": ZeroShot(),
    "lp": PROBE,
    "ft": FineTune(schedule=QUICK),
    "ft-random": FineTune(head="random", schedule=QUICK),
    "lp-ft": LPFT(probe=PROBE, tune=FineTune(head="keep", schedule=QUICK, eval_mode=True)),
    "wise-ft": WiseFT(inner=FineTune(schedule=QUICK), alpha=0.3),
}
METHODS_WITHOUT_TEXT: dict[str, Method] = {
    "lp": PROBE,
    "ft-zeros": FineTune(head="zeros", schedule=QUICK),
    "lp-ft": METHODS_ON_TEXT["lp-ft"],
    "wise-ft": WiseFT(inner=METHODS_ON_TEXT["lp-ft"], alpha=0.3),
}


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


def logits(model: Model, task: Task, split: str = "test") -> np.ndarray:
    return predict(model, task.scored()[split]).logits


@pytest.mark.parametrize("name", METHODS_ON_TEXT)
def test_the_start_is_left_untouched_and_the_seed_decides(
    name: str, clip: Model, task: Task
) -> None:
    before = fingerprint(clip)
    first = METHODS_ON_TEXT[name].fit(clip, task, seed=1)
    again = METHODS_ON_TEXT[name].fit(clip, task, seed=1)
    assert fingerprint(clip) == before
    assert clip.head is None
    assert fingerprint(first) == fingerprint(again)
    assert first.require_head().class_names == task.class_names
    assert not first.training
    assert all(p.requires_grad for p in first.parameters())


@pytest.mark.parametrize("name", METHODS_WITHOUT_TEXT)
def test_models_without_text(name: str, task: Task) -> None:
    tuned = METHODS_WITHOUT_TEXT[name].fit(toy_model(), task)
    assert tuned.require_head().weight.shape == (3, 12)


@pytest.mark.parametrize("method", METHODS_ON_TEXT.values(), ids=METHODS_ON_TEXT)
def test_a_method_goes_through_a_recipe_and_back(method: Method) -> None:
    assert method_from(as_dict(method)) == method


@pytest.mark.parametrize("name", METHODS.names())
def test_every_registered_method_names_its_paper(name: str) -> None:
    method = METHODS.get(name)
    assert method.name == name
    assert "arXiv" in method.paper
    assert "arXiv" in method.__doc__


def test_the_text_tower_stays_in_fine_tuning(clip: Model, task: Task) -> None:
    tuned = FineTune(schedule=QUICK).fit(clip, task)
    assert fingerprint(tuned.text) == fingerprint(clip.text)
    assert fingerprint(tuned.encoder) != fingerprint(clip.encoder)
    assert torch.equal(tuned.logit_scale, clip.logit_scale)


def test_the_probe_leaves_the_encoder_and_equals_scikit_learn(task: Task) -> None:
    from sklearn.linear_model import LogisticRegression

    model = toy_model()
    probed = LinearProbe(c_path=(0.1,)).fit(model, task)
    assert fingerprint(probed.encoder) == fingerprint(model.encoder)
    transform = model.spec.transform.eval()

    def features(split: Any) -> np.ndarray:
        images = torch.stack([transform(split.images[i]) for i in range(len(split))])
        with torch.no_grad():
            return model.features(images).numpy()

    # As LP-FT's code: the mean of all features is taken off, and they are divided by one sd.
    train = features(task.train)
    mean, sd = train.mean(), train.std()
    reference = LogisticRegression(C=0.1, max_iter=5000, tol=1e-8)
    reference.fit((train - mean) / sd, task.train.labels)
    expected = reference.decision_function((features(task.test) - mean) / sd)
    ours = logits(probed, task)
    # Logits are defined up to one constant per image.
    ours, expected = (x - x.mean(axis=1, keepdims=True) for x in (ours, expected))
    np.testing.assert_allclose(ours, expected, atol=5e-3)


def test_lp_ft_starts_where_the_probe_ends(clip: Model, task: Task) -> None:
    """At a learning rate of nearly nothing the second stage returns the probe's own logits."""
    still = Schedule(epochs=1, batch_size=16, lr=1e-30, optimizer="sgd", weight_decay=0.0)
    both = LPFT(probe=PROBE, tune=FineTune(head="keep", schedule=still, eval_mode=True))
    probed = PROBE.fit(clip, task)
    np.testing.assert_allclose(logits(both.fit(clip, task), task), logits(probed, task), atol=1e-6)


def test_lp_ft_keeps_batch_norm_statistics(task: Task) -> None:
    start = toy_model(batch_norm=True)
    tuned = METHODS_ON_TEXT["lp-ft"].fit(start, task)
    key = "layers.1.running_mean"
    assert torch.equal(tuned.encoder.state_dict()[key], start.encoder.state_dict()[key])


def test_lp_ft_refuses_another_head_in_its_second_stage() -> None:
    with pytest.raises(ModelError, match="random head"):
        LPFT(tune=FineTune(head="random"))


@pytest.mark.parametrize(("alpha", "which"), [(0.0, "start"), (1.0, "end")])
def test_wise_ft_gives_back_both_ends_bit_for_bit(
    alpha: float, which: str, clip: Model, task: Task
) -> None:
    inner = FineTune(schedule=QUICK)
    mixed = WiseFT(inner=inner, alpha=alpha).fit(clip, task, seed=2)
    ends = {"start": ZeroShot().fit(clip, task), "end": inner.fit(clip, task, seed=2)}
    assert fingerprint(mixed) == fingerprint(ends[which])


def test_wise_ft_is_the_formula(clip: Model, task: Task) -> None:
    tuned = FineTune(schedule=QUICK).fit(clip, task)
    start = pretrained_end(clip, task)
    mixed = Path.between(clip, tuned, task).at(0.3).state_dict()
    for name, theta0 in start.state_dict().items():
        expected = 0.7 * theta0.double() + 0.3 * tuned.state_dict()[name].double()
        torch.testing.assert_close(mixed[name].double(), expected, rtol=1e-5, atol=1e-7)


def test_wise_ft_without_a_text_tower_keeps_the_tuned_head(task: Task) -> None:
    start = toy_model()
    tuned = METHODS_WITHOUT_TEXT["ft-zeros"].fit(start, task)
    path = Path.between(start, tuned, task)
    at0 = path.at(0.0)
    assert torch.equal(at0.require_head().weight, tuned.require_head().weight)
    assert fingerprint(at0.encoder) == fingerprint(start.encoder)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_wise_ft_refuses_alpha_outside(alpha: float) -> None:
    with pytest.raises(AlphaError, match="alpha is"):
        WiseFT(alpha=alpha)


def test_a_zero_shot_head_needs_a_text_tower(task: Task) -> None:
    with pytest.raises(ModelError, match="no text tower"):
        FineTune(schedule=QUICK).fit(toy_model(), task)
    with pytest.raises(ModelError, match="no text tower"):
        ZeroShot().fit(toy_model(), task)


def test_the_zeros_head_gives_every_class_the_same_logit(task: Task) -> None:
    still = replace(QUICK, lr=1e-30, weight_decay=0.0)
    tuned = FineTune(head="zeros", schedule=still).fit(toy_model(), task)
    assert np.abs(logits(tuned, task)).max() < 1e-20


def test_the_random_head_follows_the_seed(task: Task) -> None:
    method = FineTune(head="random", schedule=QUICK)
    a, b = (method.fit(toy_model(), task, seed=s).require_head().weight for s in (0, 1))
    assert not torch.equal(a, b)


def test_test_sets_are_never_looked_at_in_fitting(clip: Model, task: Task) -> None:
    for method in METHODS_ON_TEXT.values():
        method.fit(clip, task)
    assert task.test.images.decoded == 0  # type: ignore[attr-defined]
    assert task.shifts[0].split.images.decoded == 0  # type: ignore[attr-defined]


def test_the_probe_is_fitted_once_in_one_context(clip: Model, task: Task) -> None:
    run = RunContext()
    PROBE.fit(clip, task, run=run)
    seen = task.train.images.decoded  # type: ignore[attr-defined]
    again = PROBE.fit(clip, task, run=run)
    assert task.train.images.decoded == seen  # type: ignore[attr-defined]
    assert fingerprint(again) == fingerprint(PROBE.fit(clip, task))


def test_recipes_name_every_problem_of_a_method_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        method_from({"name": "lp-ft", "prob": {}, "tune": {"schedule": {"epoch": 3, "lr": "fast"}}})
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "did you mean 'probe'?" in text
    assert "did you mean 'epochs'?" in text
    assert "not 'fast'" in text


def test_a_misspelt_method_is_met_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="wise-ft"):
        method_from("wiseft")


def test_a_partial_schedule_keeps_the_methods_own_defaults() -> None:
    method = method_from({"name": "lp-ft", "tune": {"schedule": {"epochs": 3}}})
    assert method.tune.schedule == replace(LPFT().tune.schedule, epochs=3)
    assert method.tune.eval_mode
    assert method.tune.head == "keep"


def test_a_zero_shot_head_is_written_once_and_anew_where_anything_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, clip = small_task(12), small_clip()
    monkeypatch.setattr(zero_shot_heads, "_HEADS", OrderedDict())
    written: list[int] = []
    honest = zero_shot_heads.zero_shot_head

    def counted(*given: Any, **more: Any) -> Any:
        written.append(1)
        return honest(*given, **more)

    monkeypatch.setattr(zero_shot_heads, "zero_shot_head", counted)
    first = zero_shot_heads.task_head(clip, task)
    again = zero_shot_heads.task_head(clip.clone(), task)
    assert len(written) == 1
    assert torch.equal(first.weight, again.weight)
    assert first.weight.data_ptr() != again.weight.data_ptr()
    with torch.no_grad():
        again.weight.add_(1)  # training it changes nobody else's
    assert torch.equal(zero_shot_heads.task_head(clip, task).weight, first.weight)

    zero_shot_heads.task_head(clip, replace(task, templates=("{}",)))
    zero_shot_heads.task_head(clip, replace(task, prompt_names=("a", "b", "c")))
    warmer = clip.clone()
    with torch.no_grad():
        warmer.logit_scale.add_(0.5)
    zero_shot_heads.task_head(warmer, task)
    tuned = clip.clone()
    with torch.no_grad():
        next(tuned.require_text("a head").parameters()).view(-1)[0] += 1e-6
    other = zero_shot_heads.task_head(tuned, task)
    assert len(written) == 5
    assert other.class_names == task.class_names
    assert len(zero_shot_heads._HEADS) == zero_shot_heads._HEADS_KEPT
