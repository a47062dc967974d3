"""What only a GPU shows; skipped without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.data.loading import make_loader
from surefoot.evals.knn import knn
from surefoot.evals.zero_shot import task_head
from surefoot.methods.base import Classify
from surefoot.methods.flyp import ImagesAndPrompts, both_towers
from surefoot.methods.flyp_ce import _ImagesAndClasses
from surefoot.models.heads import Head
from surefoot.models.model import Model, ModelSpec
from surefoot.models.open_clip import towers as open_clip_loading
from surefoot.paths import Path, sweep
from surefoot.testing.samples import small_clip
from surefoot.train import Schedule, train
from surefoot.train.checkpoint import Training
from surefoot.train.distributed import distribute
from surefoot.train.loop import backward, update
from surefoot.transforms import TransformSpec
from surefoot.weights import lerp, ties
from surefoot.weights.fingerprint import fingerprint

from .conftest import toy_model
from .models import clips

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),  # by inductor
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"),
]

TEMPLATES = ("a photo of a {}.", "a drawing of a {}", "{}")


@pytest.fixture
def prompted(task: Task) -> Task:
    return replace(task, templates=TEMPLATES)


@pytest.fixture
def never_waits() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


def open_clips() -> Model:
    """A small one of open_clip's own classes; tiny-clip's text tower asks how long texts are."""
    builder = {"kind": "open_clip", "arch": clips.NAME, "config": clips.CONFIG}
    size = (clips.VISION["image_size"],) * 2
    spec = ModelSpec(
        name="small", source="test", builder=builder, normalize=True, saw_text=True,
        transform=TransformSpec(size=size, mean=(0.5,) * 3, std=(0.5,) * 3),
    )  # fmt: skip
    whole = clips.clip(quick_gelu=False)
    return open_clip_loading.split(whole, builder).model(spec)


def objective_of(name: str, task: Task, model: Model) -> torch.nn.Module:
    if name == "classify":
        with_head = both_towers(model, task)
        return Classify(with_head_of(with_head, task))
    towers = both_towers(model, task)
    if name == "flyp-ce":
        return _ImagesAndClasses(towers, task, "random", 0.0)
    use: Any = "average" if name == "flyp-average" else "random"
    return ImagesAndPrompts(towers, task, templates=use, multi_positive=name == "flyp-average")


def with_head_of(model: Model, task: Task) -> Model:
    model.head = task_head(model, task)
    return model.requires_grad_(True)


@pytest.mark.usefixtures("never_waits")
@pytest.mark.parametrize("micro", [None, 4])
@pytest.mark.parametrize("name", ["classify", "flyp", "flyp-average", "flyp-ce"])
def test_a_step_never_makes_the_device_wait(name: str, micro: int | None, prompted: Task) -> None:
    """Asking for a number of the device drains its queue; it idles until there is work again."""
    objective = objective_of(name, prompted, open_clips()).cuda().train()
    schedule = Schedule(epochs=1, batch_size=12, lr=1e-4, warmup_steps=0, micro_batch=micro)
    run = RunContext(device="cuda")
    accelerator = run.accelerator()
    distributed = distribute(objective, schedule, accelerator, run, watched=False)
    loop = Training(distributed, schedule, run, micro or 12, 1200)
    size = objective.model.spec.transform.size
    host = {
        "label": torch.arange(12) % 3,
        "index": torch.arange(12),
        "draw": torch.arange(12) * 7,
    }
    batch = {k: v.cuda() for k, v in host.items()}
    batch["image"] = torch.randn(12, 3, *size, device="cuda")
    for step in range(3):
        if step == 1:
            torch.cuda.set_sync_debug_mode("error")
        loss = backward(loop, batch, 12, host=host)
        update(loop)
    torch.cuda.set_sync_debug_mode("default")
    assert np.isfinite(float(loss))


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_training_goes_as_on_the_cpu(precision: Any, prompted: Task) -> None:
    losses = {}
    for device in ("cpu", "cuda"):
        objective = objective_of("flyp", prompted, small_clip())
        run = RunContext(device=device, precision="fp32" if device == "cpu" else precision)
        schedule = Schedule(epochs=3, batch_size=15, lr=1e-3, clip=None)
        transform = objective.model.spec.transform.train()
        rows = train(objective, prompted.train, transform, schedule, run=run)
        losses[device] = [row["loss"] for row in rows]
    bound = 1e-3 if precision == "fp32" else 3e-2
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=bound)
    assert losses["cuda"][-1] < losses["cuda"][0]


@pytest.mark.filterwarnings("ignore")  # inductor's advice on TF32, among others
def test_compiled_training_ends_where_plain_training_does(task: Task) -> None:
    ends = {}
    for compiled in ("auto", True):
        model = with_head_of(both_towers(small_clip(), task), task)
        run = RunContext(device="cuda", precision="fp32", compile=compiled)
        schedule = Schedule(epochs=1, batch_size=15, lr=1e-3, optimizer="sgd", weight_decay=0.0)
        train(Classify(model), task.train, model.spec.transform.eval(), schedule, run=run)
        ends[compiled] = {k: v.cpu() for k, v in model.state_dict().items()}
    for name, value in ends["auto"].items():
        torch.testing.assert_close(ends[True][name], value, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_mixing_has_the_same_bits_on_every_device(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (
        {k: torch.randn(n, 37, generator=generator).to(dtype) for k, n in (("w", 300), ("v", 5))}
        for _ in range(2)
    )
    there = [{k: v.cuda() for k, v in s.items()} for s in (a, b)]
    for alpha in (0.0, 0.1, 0.3, 0.5, 0.77, 1.0):
        found, plain = lerp(*there, alpha), lerp(a, b, alpha)
        for name, value in plain.items():
            assert torch.equal(found[name].cpu(), value), (name, alpha)


@pytest.mark.parametrize("per_tensor", [False, True])
def test_ties_agrees_over_devices(per_tensor: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    start, *tuned = (
        {k: torch.randn(n, 53, generator=generator) for k, n in (("w", 400), ("v", 7))}
        for _ in range(4)
    )
    found = ties(
        {k: v.cuda() for k, v in start.items()},
        [{k: v.cuda() for k, v in t.items()} for t in tuned],
        density=0.2,
        per_tensor=per_tensor,
    )
    for name, value in ties(start, tuned, density=0.2, per_tensor=per_tensor).items():
        torch.testing.assert_close(found[name].cpu(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_images_have_the_same_bits_on_every_device(mode: str, task: Task) -> None:
    transform = getattr(TransformSpec(size=(12, 12), resize=14), mode)()
    batches = [
        list(make_loader(task.train, transform, batch_size=20, seed=1, device=device))
        for device in ("cpu", "cuda")
    ]
    for near, far in zip(*batches, strict=True):
        assert far["image"].is_cuda
        assert torch.equal(near["image"], far["image"].cpu())


def test_a_sweep_says_what_the_cpu_says(task: Task) -> None:
    start, end = toy_model(seed=0), toy_model(seed=1)
    for model in (start, end):
        weight = torch.randn(3, 12, generator=torch.Generator().manual_seed(3))
        model.head = Head(weight, normalize=False, class_names=task.class_names)
    before = fingerprint(start), fingerprint(end)
    curves = [
        sweep(Path(start, end), task.scored(), alphas=(0.0, 0.3, 0.7, 1.0), device=device)
        for device in ("cpu", "cuda")
    ]
    for shift in task.scored():
        np.testing.assert_allclose(*(c.values(shift) for c in curves), atol=0.04)
    assert (fingerprint(start), fingerprint(end)) == before


def test_knn_votes_as_on_the_cpu() -> None:
    rng = np.random.default_rng(0)
    bank, queries = (rng.standard_normal((n, 32)).astype(np.float32) for n in (500, 60))
    labels = rng.integers(0, 5, 500)
    votes = [
        knn(bank, labels, queries, classes=5, ks=(5, 20), device=torch.device(device))
        for device in ("cpu", "cuda")
    ]
    for k in (5, 20):
        np.testing.assert_allclose(votes[1][k], votes[0][k], rtol=1e-4, atol=1e-5)
