"""The training loop: schedule, order, accumulation, memory, resume."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import TrainingError
from surefoot.methods.base import Classify
from surefoot.models.heads import zeros_head
from surefoot.train import Schedule, _order, learning_rate, train

from .conftest import CLASSES, toy_model

SHORT = Schedule(epochs=2, batch_size=16, lr=1e-2, weight_decay=0.01)


def objective(*, batch_norm: bool = False) -> Classify:
    model = toy_model(batch_norm=batch_norm)
    model.head = zeros_head(model, CLASSES)
    return Classify(model)


def fitted(task: Task, schedule: Schedule = SHORT, **options: Any) -> Classify:
    module = options.pop("module", None) or objective()
    transform = module.model.spec.transform.train()
    train(module, task.train, transform, schedule, run=options.pop("run", None), **options)
    return module


def same(a: torch.nn.Module, b: torch.nn.Module, *, tolerance: float = 0.0) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.allclose(x, y, rtol=tolerance, atol=tolerance) for x, y in pairs)


def test_it_learns(task: Task) -> None:
    schedule = Schedule(epochs=12, batch_size=16, lr=1e-2, weight_decay=0.0)
    rows = train(module := objective(), task.train, module.model.spec.transform.train(), schedule)
    assert rows[-1]["loss"] < 0.6 * math.log(3)
    assert [r["epoch"] for r in rows] == list(range(1, 13))
    assert all(r["images_per_second"] > 0 and r["data_wait_seconds"] >= 0 for r in rows)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(task: Task) -> None:
    assert same(fitted(task, seed=3), fitted(task, seed=3))
    assert not same(fitted(task, seed=3), fitted(task, seed=4))


def test_the_callers_random_state_is_left_alone(task: Task) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    fitted(task)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_accumulation_does_not_change_the_result(task: Task, optimizer: Any) -> None:
    whole = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer=optimizer)
    parts = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer=optimizer, micro_batch=5)
    assert same(fitted(task, whole), fitted(task, parts), tolerance=1e-5)


def test_one_sgd_step_is_the_textbooks(task: Task) -> None:
    """Against plain autograd on the whole set as one batch."""
    n = len(task.train)
    schedule = Schedule(
        epochs=1,
        batch_size=n,
        lr=0.1,
        optimizer="sgd",
        weight_decay=0.0,
        momentum=0.0,
        warmup_steps=0,
        clip=None,
    )
    module, plain = objective(), objective()
    transform = module.model.spec.transform.eval()
    train(module, task.train, transform, schedule)
    images = torch.stack([transform(task.train.images[i]) for i in range(n)])
    labels = torch.from_numpy(task.train.require_labels())
    torch.nn.functional.cross_entropy(plain.model(images), labels).backward()
    for p in plain.parameters():
        p.data -= 0.1 * p.grad
    assert same(module, plain, tolerance=1e-6)


def test_every_image_is_seen_once_an_epoch_by_any_number_of_processes() -> None:
    schedule = Schedule(batch_size=16)
    whole = _order(45, schedule, seed=1, epoch=2, rank=0, world=1)
    shares = [_order(45, schedule, seed=1, epoch=2, rank=r, world=3) for r in range(3)]
    for step, batch in enumerate(whole):
        joined = np.concatenate([share[step] for share in shares])
        assert joined.tolist() == batch.tolist()
    assert sorted(np.concatenate(whole).tolist()) == list(range(45))
    other = _order(45, schedule, seed=1, epoch=3, rank=0, world=1)
    assert np.concatenate(other).tolist() != np.concatenate(whole).tolist()


@given(epochs=st.integers(1, 30), per_epoch=st.integers(1, 50), warmup=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_learning_rate_warms_up_then_falls(epochs: int, per_epoch: int, warmup: int) -> None:
    total = epochs * per_epoch
    schedule = Schedule(lr=0.3, epochs=epochs, warmup_steps=warmup)
    rates = [learning_rate(schedule, s, total=total, per_epoch=per_epoch) for s in range(total)]
    peak = min(warmup, total)
    assert all(0 <= r <= 0.3 + 1e-12 for r in rates)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if warmup < total:
        assert rates[warmup] == pytest.approx(0.3)


def test_cosine_per_epoch_is_constant_within_an_epoch() -> None:
    schedule = Schedule(lr=1.0, epochs=4, warmup_steps=0, decay="cosine_epoch")
    rates = [learning_rate(schedule, s, total=20, per_epoch=5) for s in range(20)]
    assert len(set(rates)) == 4
    assert rates[5] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


def test_a_killed_run_resumes_to_the_same_weights(task: Task, tmp_path: Path) -> None:
    schedule = Schedule(epochs=4, batch_size=16, lr=1e-2)
    whole = fitted(task, schedule)

    class Killed(Exception):
        pass

    calls = []

    def die_in_the_third_epoch() -> float:
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return 0.0

    first = RunContext(checkpoints=tmp_path)
    with pytest.raises(Killed):
        fitted(task, schedule, run=first, validate=die_in_the_third_epoch)
    again = RunContext(checkpoints=tmp_path, resume=True)
    resumed = fitted(task, schedule, run=again)
    assert same(whole, resumed)


def test_a_checkpoint_of_another_training_is_refused(task: Task, tmp_path: Path) -> None:
    fitted(task, SHORT, run=RunContext(checkpoints=tmp_path))
    other = Schedule(epochs=2, batch_size=16, lr=5e-3)
    with pytest.raises(TrainingError, match="another training"):
        fitted(task, other, run=RunContext(checkpoints=tmp_path, resume=True))


def test_out_of_memory_halves_the_micro_batch_and_repeats_the_step(task: Task) -> None:
    class Hungry(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            if len(batch["index"]) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(batch)

    rows: list[Any] = []
    hungry = Hungry(objective().model)
    fitted(task, SHORT, module=hungry, run=RunContext(log=rows.append))
    assert same(hungry, fitted(task, SHORT), tolerance=1e-5)
    notes = [r["note"] for r in rows if "note" in r]
    assert notes == [
        "out of memory: micro-batch halved to 8, step repeated",
        "out of memory: micro-batch halved to 4, step repeated",
    ]


def test_no_memory_for_one_image_says_so(task: Task) -> None:
    class Starved(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes")

    with pytest.raises(TrainingError, match="one image per forward pass"):
        fitted(task, SHORT, module=Starved(objective().model))


def test_other_runtime_errors_are_not_taken_for_memory(task: Task) -> None:
    class Broken(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        fitted(task, SHORT, module=Broken(objective().model))


def test_a_loss_that_is_not_finite_stops_the_run(task: Task) -> None:
    module = objective()
    module.model.head.bias.data[0] = math.nan
    with pytest.raises(TrainingError, match="loss is nan"):
        fitted(task, SHORT, module=module)


def test_eval_mode_freezes_batch_norm_statistics(task: Task) -> None:
    frozen = fitted(task, SHORT, module=objective(batch_norm=True), eval_mode=True)
    moved = fitted(task, SHORT, module=objective(batch_norm=True))
    start = objective(batch_norm=True).state_dict()["model.encoder.layers.1.running_mean"]
    assert torch.equal(frozen.state_dict()["model.encoder.layers.1.running_mean"], start)
    assert not torch.equal(moved.state_dict()["model.encoder.layers.1.running_mean"], start)


def test_nothing_to_train_says_so(task: Task) -> None:
    module = objective()
    module.requires_grad_(False)
    with pytest.raises(TrainingError, match="nothing is left to train"):
        fitted(task, SHORT, module=module)


@pytest.mark.parametrize("field", ["epochs", "batch_size", "lr", "micro_batch"])
def test_schedules_refuse_zero(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Schedule(**{field: 0})
