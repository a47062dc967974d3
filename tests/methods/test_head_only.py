"""The head alone: beside a plain loop, beside training through the images, and its path."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Shift, Task
from surefoot.errors import ModelError
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.features import extract
from surefoot.methods.fixed_images import train_on_fixed
from surefoot.methods.ft import FineTune
from surefoot.methods.head_only import HeadOnly
from surefoot.methods.partial import _Part
from surefoot.methods.wise_ft import WiseFT
from surefoot.testing import small_clip, small_task, small_vit
from surefoot.train import Schedule

SCHEDULE = Schedule(
    epochs=4, batch_size=1000, lr=0.05, warmup_steps=0, decay="cosine", weight_decay=0.1
)


@pytest.fixture(scope="module")
def task() -> Task:
    return small_task()


def test_it_is_adamw_on_the_head_as_a_plain_loop_writes_it(task: Task) -> None:
    """One batch an epoch, so that the order of images plays no part."""
    start = small_clip()
    plain = Schedule(epochs=5, batch_size=1000, lr=0.02, warmup_steps=0, decay="constant",
                     weight_decay=0.0, clip=None)  # fmt: skip
    tuned = HeadOnly(schedule=plain).fit(start, task)

    head = pretrained_end(start, task).require_head()
    features = torch.from_numpy(extract(start, task.train).copy())
    features = features / features.norm(dim=1, keepdim=True)
    labels = torch.from_numpy(task.train.require_labels())
    weight = head.weight.detach().clone().requires_grad_(True)
    bias = head.bias.detach().clone().requires_grad_(True)
    optimiser = torch.optim.AdamW([weight, bias], lr=0.02, weight_decay=0.0)
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(features @ weight.T + bias, labels).backward()
        optimiser.step()
    found = tuned.require_head()
    torch.testing.assert_close(found.weight, weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.bias, bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["zero_shot", "random"])
def test_features_give_what_images_give(task: Task, kind: Any) -> None:
    start = small_clip() if kind == "zero_shot" else small_vit()
    schedule = Schedule(epochs=2, batch_size=8, lr=0.01, warmup_steps=2)
    tuned = HeadOnly(head=kind, schedule=schedule).fit(start, task, seed=3)

    through = FineTune(head=kind).prepare(start, task, seed=3)
    through.encoder.requires_grad_(False)
    train_on_fixed(
        _Part(through), through, task, schedule, seed=3, run=RunContext(), eval_mode=False,
        store=False,
    )  # fmt: skip
    torch.testing.assert_close(
        tuned.require_head().weight, through.require_head().weight, rtol=1e-3, atol=1e-4
    )
    for name, value in start.encoder.state_dict().items():
        assert torch.equal(tuned.encoder.state_dict()[name], value), name


def test_the_log_holds_the_validation_of_the_model(task: Task) -> None:
    rows: list[Any] = []
    tuned = HeadOnly(schedule=SCHEDULE).fit(small_clip(), task, run=RunContext(log=rows.append))
    (last,) = [row for row in rows if row.get("epoch") == SCHEDULE.epochs]
    assert last["val"] == pytest.approx(predict(tuned, Shift("val", task.val)).correct().mean())
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]


def test_its_path_mixes_heads_only(task: Task) -> None:
    """WiSE-FT of a linear classifier: W(alpha) = (1 - alpha) W_zero-shot + alpha W_tuned."""
    start, method = small_clip(), HeadOnly(schedule=SCHEDULE)
    zero = pretrained_end(start, task).require_head()
    tuned = method.fit(start, task, seed=1).require_head()
    mixed = WiseFT(inner=method, alpha=0.25).fit(start, task, seed=1)
    torch.testing.assert_close(
        mixed.require_head().weight, 0.75 * zero.weight + 0.25 * tuned.weight
    )
    assert not torch.equal(zero.weight, tuned.weight)


def test_labels_and_what_it_needs(task: Task) -> None:
    assert HeadOnly().label() == "FT (head only)"
    assert HeadOnly(head="zeros").label() == "FT (head only, zeros)"
    with pytest.raises(ModelError, match="no text tower"):
        HeadOnly(schedule=SCHEDULE).fit(small_vit(), task)
