"""Optimisers against their papers, number by number: selective projection decay, AdamW."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.methods.base import Classify, as_dict
from surefoot.methods.ft import FineTune
from surefoot.methods.parse import method_from
from surefoot.models.heads import zeros_head
from surefoot.optim import SGDSPD, AdamSPD
from surefoot.train import Schedule, train
from surefoot.train.schedule import make_optimizer
from surefoot.weights.fingerprint import fingerprint

from .conftest import CLASSES, toy_model

SPD = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer="adam_spd", weight_decay=1.0)


def slow_adam_spd(
    start: list[float],
    gradients: list[list[float]],
    *,
    lr: float,
    projection: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[list[list[float]], list[bool]]:
    """Algorithm 1 in plain Python floats: the values after every step, and where it projected."""
    theta, first, second = list(start), [0.0] * len(start), [0.0] * len(start)
    values, projected = [], []
    for t, gradient in enumerate(gradients, 1):
        moved = []
        for i, g in enumerate(gradient):
            first[i] = betas[0] * first[i] + (1 - betas[0]) * g
            second[i] = betas[1] * second[i] + (1 - betas[1]) * g * g
            corrected = second[i] / (1 - betas[1] ** t)
            moved.append(
                theta[i] - lr * (first[i] / (1 - betas[0] ** t)) / (math.sqrt(corrected) + eps)
            )
        condition = -sum(g * (x - s) for g, x, s in zip(gradient, theta, start, strict=True))
        if condition < 0:
            now = math.sqrt(sum((x - s) ** 2 for x, s in zip(moved, start, strict=True)))
            before = math.sqrt(sum((x - s) ** 2 for x, s in zip(theta, start, strict=True)))
            ratio = min(max((now - before) / now, 0.0), 1.0) if now else 0.0
            moved = [x - projection * ratio * (x - s) for x, s in zip(moved, start, strict=True)]
        projected.append(condition < 0)
        theta = moved
        values.append(list(theta))
    return values, projected


@pytest.mark.parametrize("projection", [0.0, 0.5, 1.0, 2.5])
def test_adam_spd_is_the_papers_algorithm(projection: float) -> None:
    rng = np.random.default_rng(3)
    starts = {"a": rng.normal(size=7), "b": rng.normal(size=4)}
    # Gradients that turn round now and then, so that both sides of the condition are met.
    signs = np.sign(np.sin(np.arange(30) / 3.0))[:, None]
    gradients = {k: signs * rng.uniform(0.2, 1, (30, len(v))) for k, v in starts.items()}
    parameters = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in starts.items()}
    optimizer = AdamSPD(parameters.values(), lr=0.05, projection=projection)
    expected = {
        k: slow_adam_spd(list(starts[k]), gradients[k].tolist(), lr=0.05, projection=projection)
        for k in starts
    }
    for k in starts:
        assert {True, False} == set(expected[k][1])
    for t in range(30):
        for k, parameter in parameters.items():
            parameter.grad = torch.tensor(gradients[k][t])
        optimizer.step()
        for k, parameter in parameters.items():
            np.testing.assert_allclose(parameter.detach(), expected[k][0][t], rtol=0, atol=1e-12)


def test_without_projection_it_is_torchs_optimizer() -> None:
    for ours, torchs, settings in (
        (AdamSPD, torch.optim.Adam, {"lr": 0.1}),
        (SGDSPD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    ):
        values = []
        for kind, extra in ((ours, {"projection": 0.0}), (torchs, {})):
            parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
            optimizer: Any = kind([parameter], **settings, **extra)
            for step in range(6):
                parameter.grad = torch.tensor([1.0, 3.0]) * (-1) ** (step // 2)
                optimizer.step()
            values.append(parameter.detach().clone())
        assert torch.equal(*values)


def test_with_projection_1_a_disputed_tensor_goes_no_further() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = SGDSPD([parameter], lr=1.0, momentum=0.9, projection=1.0)
    parameter.grad = torch.tensor([-1.0, 0.0], dtype=torch.float64)
    optimizer.step()
    assert parameter.tolist() == [1.0, 0.0]
    # The gradient now points back, but momentum would carry it on to 1.8.
    parameter.grad = torch.tensor([0.1, 0.0], dtype=torch.float64)
    optimizer.step()
    np.testing.assert_allclose(parameter.tolist(), [1.0, 0.0], atol=1e-12)


def test_a_tensor_without_gradient_starts_when_it_has_one() -> None:
    late = torch.nn.Parameter(torch.tensor([5.0]))
    optimizer = AdamSPD([late], lr=0.1, projection=1.0)
    optimizer.step()
    assert not optimizer.state
    late.grad = torch.tensor([1.0])
    optimizer.step()
    assert optimizer.state[late]["spd_start"].item() == 5.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"projection": -1.0}, "projection is -1"), ({"projection": 1.0, "weight_decay": 0.1}, "SPD")],
)
def test_wrong_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdamSPD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, **settings)


def fitted(task: Task, schedule: Schedule, run: RunContext | None = None) -> Classify:
    model = toy_model()
    model.head = zeros_head(model, CLASSES)
    objective = Classify(model)
    train(objective, task.train, model.spec.transform.train(), schedule, run=run)
    return objective


def way(objective: Classify) -> float:
    start = toy_model().encoder.state_dict()
    now = objective.model.encoder.state_dict()
    return math.sqrt(sum(float((now[k] - start[k]).square().sum()) for k in start))


@pytest.mark.parametrize("optimizer", ["adam_spd", "sgd_spd"])
def test_the_loop_trains_with_it_and_stays_nearer(task: Task, optimizer: Any) -> None:
    strong = replace(SPD, optimizer=optimizer, epochs=6, lr=3e-2, weight_decay=2.0)
    assert 0 < way(fitted(task, strong)) < way(fitted(task, replace(strong, weight_decay=0.0)))


def test_it_resumes_with_the_start_it_had(task: Task, tmp_path: Path) -> None:
    whole = fitted(task, SPD)
    folder = RunContext(checkpoints=tmp_path, log_every=1000)
    model = toy_model()
    model.head = zeros_head(model, CLASSES)
    objective = Classify(model)

    def interrupt(step: int) -> None:
        if step == 5:  # in the second epoch of three steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(objective, task.train, model.spec.transform.train(), SPD, run=folder,
              after_step=interrupt)  # fmt: skip
    resumed = fitted(task, SPD, replace(folder, resume=True))
    assert fingerprint(resumed) == fingerprint(whole)


def test_it_goes_through_a_recipe() -> None:
    method = FineTune(schedule=SPD)
    assert method_from(as_dict(method)) == method


def slow_adamw(value: Any, gradients: list[Any], *, lr: float, decay: float) -> Any:
    """Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, in float64, one number at a time."""
    value, mean, square = value.copy(), np.zeros_like(value), np.zeros_like(value)
    for step, gradient in enumerate(gradients, 1):
        for at in np.ndindex(value.shape):
            mean[at] = 0.9 * mean[at] + 0.1 * gradient[at]
            square[at] = 0.999 * square[at] + 0.001 * gradient[at] ** 2
            step_size = mean[at] / (1 - 0.9**step)
            step_size /= np.sqrt(square[at] / (1 - 0.999**step)) + 1e-8
            value[at] -= lr * (step_size + decay * value[at])
    return value


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("turned", [False, True])
def test_the_schedules_adamw_is_the_papers(dtype: torch.dtype, turned: bool) -> None:
    """Also where a tensor lies in memory by columns, which a loop over numbers could get wrong."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 5)), rng.normal(size=(4, 3, 5))
    layer = torch.nn.Linear(5, 3, bias=False)
    values = torch.tensor(start, dtype=dtype)
    layer.weight = torch.nn.Parameter(values.T.contiguous().T if turned else values)
    optimizer = make_optimizer(layer, Schedule(lr=0.1, weight_decay=0.2, betas=(0.9, 0.999)))
    for gradient in gradients:
        for group in optimizer.param_groups:
            group["lr"] = 0.1
        (layer.weight * torch.tensor(gradient, dtype=dtype)).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    expected = slow_adamw(start, list(gradients), lr=0.1, decay=0.2)
    close = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(layer.weight.detach(), expected, rtol=0, atol=close)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adam_spd", "sgd_spd"])
def test_a_tensor_may_get_its_first_gradient_later_than_others(optimizer: Any) -> None:
    module = torch.nn.ParameterDict({k: torch.nn.Parameter(torch.ones(2)) for k in ("a", "b")})
    made = make_optimizer(module, Schedule(lr=0.1, optimizer=optimizer, weight_decay=0.0))
    moved = []
    for step in range(3):
        module["a"].grad = torch.ones(2)
        module["b"].grad = torch.ones(2) if step else None
        made.step()
        moved.append((module["a"][0].item(), module["b"][0].item()))
    assert moved[0][1] == 1.0 > moved[0][0]
    assert moved[2][1] == pytest.approx(moved[1][0])  # the same two steps, one later
