"""The training loop: schedule, order, accumulation, memory, resume."""

from __future__ import annotations

import gc
import math
import multiprocessing.process
import weakref
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError, TrainingError
from surefoot.gradient_cache import WholeBatch, cached_backward, slices
from surefoot.losses import contrastive
from surefoot.methods.base import Classify
from surefoot.models.heads import random_head, zeros_head
from surefoot.testing.samples import small_vit
from surefoot.train import Schedule, learning_rate, train
from surefoot.train.distributed import distribute
from surefoot.train.epoch_log import time_left
from surefoot.train.schedule import epoch_order, make_optimizer

from .conftest import CLASSES, toy_model
from .launch import together

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


def test_nothing_of_a_training_stays(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimiser state is twice the model's size; it goes without a search for cycles."""
    kept: list[weakref.ref[Any]] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        distributed = distribute(*arguments, **options)
        kept.extend(map(weakref.ref, (distributed.optimizer, *distributed.optimizer.state)))
        return distributed

    monkeypatch.setattr("surefoot.train.loop.distribute", watched)
    gc.collect()
    gc.disable()
    try:
        module = fitted(task)
        kept += [weakref.ref(module), weakref.ref(next(module.parameters()))]
        del module
        assert len(kept) >= 3
        assert [one() for one in kept] == [None] * len(kept)
    finally:
        gc.enable()


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


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_start_once_and_change_nothing(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = multiprocessing.process.BaseProcess.start
    monkeypatch.setattr(
        multiprocessing.process.BaseProcess, "start", lambda p: started.append(p) or start(p)
    )
    schedule = replace(SHORT, epochs=3)
    asked: list[int] = []

    def validate() -> float:
        asked.append(len(started))
        return 0.5

    helped = fitted(task, schedule, run=RunContext(workers=2), validate=validate)
    assert asked == [2, 2, 2]
    assert same(helped, fitted(task, schedule, validate=lambda: 0.5))
    for worker in started:
        worker.join(timeout=10)
        assert not worker.is_alive()


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
    whole = epoch_order(45, schedule, seed=1, epoch=2, rank=0, world=1)
    shares = [epoch_order(45, schedule, seed=1, epoch=2, rank=r, world=3) for r in range(3)]
    for step, batch in enumerate(whole):
        joined = np.concatenate([share[step] for share in shares])
        assert joined.tolist() == batch.tolist()
    assert sorted(np.concatenate(whole).tolist()) == list(range(45))
    other = epoch_order(45, schedule, seed=1, epoch=3, rank=0, world=1)
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


def test_notes_and_epochs_are_told_to_people(task: Task) -> None:
    class Hungry(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            if len(batch["index"]) > 8:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(batch)

    told: list[str] = []
    run = RunContext(tell=told.append, stage="ft")
    schedule = Schedule(epochs=30, batch_size=16, lr=1e-3)
    rows = train(
        Hungry(objective().model), task.train, toy_model().spec.transform.train(), schedule,
        run=run, validate=lambda: 0.5,
    )  # fmt: skip
    assert told[0] == "ft: out of memory: micro-batch halved to 8, step repeated"
    assert told[1].startswith(
        f"ft: epoch 1 of 30, loss {rows[0]['loss']:.3f}, ID validation 50.0 %"
    )
    assert told[1].endswith(" left")
    assert told[-1].startswith("ft: epoch 30 of 30")
    assert "left" not in told[-1]
    # Seconds lie between two lines, so that short epochs do not flood a log.
    assert len(told) <= 3 + sum(r["seconds"] for r in rows) / 10
    shown: list[str] = []
    fitted(task, SHORT, run=RunContext(tell=shown.append, progress=True))
    assert shown == []


def test_the_time_left_is_said_as_people_say_it() -> None:
    said = [time_left(s) for s in (40.2, 89, 720, 12_000)]
    assert said == ["40 s", "89 s", "12 min", "3 h 20 min"]


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


class Pairs(WholeBatch):
    """A contrastive toy: images against rows of a table, with dropout and BatchNorm on request."""

    def __init__(self, *, dropout: float = 0.0, batch_norm: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.table = torch.nn.Parameter(torch.randn(3, 12))
        self.model = toy_model(batch_norm=batch_norm)
        self.dropout = torch.nn.Dropout(dropout)
        self.log_scale = torch.nn.Parameter(torch.tensor(1.0))
        self.with_graph: list[int] = []

    def embed(self, part: Any) -> tuple[torch.Tensor, ...]:
        if torch.is_grad_enabled():
            self.with_graph.append(len(part["index"]))
        features = self.model.features(part["image"])
        return self.dropout(features), features.square()

    def loss(self, embeddings: Any, batch: Any) -> torch.Tensor:
        one, two = embeddings
        texts = self.table[batch["label"]]
        return contrastive(one + 0.1 * two.mean(dim=1, keepdim=True), texts, self.log_scale.exp())


class Kept:
    """Counts the bytes that autograd holds for the backward pass."""

    def __init__(self) -> None:
        self.now = self.peak = 0

    def pack(self, tensor: torch.Tensor) -> Any:
        kept = self

        class Holder:
            value = tensor

            def __del__(self) -> None:
                kept.now -= tensor.numel() * tensor.element_size()

        self.now += tensor.numel() * tensor.element_size()
        self.peak = max(self.peak, self.now)
        return Holder()

    def measure(self, work: Any) -> int:
        with torch.autograd.graph.saved_tensors_hooks(self.pack, lambda holder: holder.value):
            work()
        return self.peak


def pairs_batch(n: int = 13) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "image": torch.randn(n, 3, 16, 16, generator=generator, dtype=torch.float64),
        "label": torch.arange(n) % 3,
        "index": torch.arange(n),
    }


def cached(module: Pairs, micro: int, n: int = 13) -> float:
    accelerator = RunContext(device="cpu").accelerator()
    return cached_backward(module, pairs_batch(n), micro=micro, size=n, accelerator=accelerator)


@pytest.mark.parametrize("micro", [1, 4, 12, 13, 64])
def test_gradient_caching_gives_the_gradients_of_the_whole_batch(micro: int) -> None:
    whole, parts = Pairs().double(), Pairs().double()
    expected = whole(pairs_batch())
    expected.backward()
    assert cached(parts, micro) == pytest.approx(float(expected.detach()), rel=1e-13)
    for (name, a), b in zip(whole.named_parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-10, atol=1e-14, msg=name)
    assert max(parts.with_graph) == min(micro, 13)


def test_gradient_caching_holds_the_activations_of_one_part() -> None:
    """Embedding 64 images in parts of 8 holds what 8 images hold; the loss holds what it did."""

    class Embedding(Pairs):
        def loss(self, embeddings: Any, batch: Any) -> torch.Tensor:
            return sum((e.mean() for e in embeddings), self.log_scale * 0)

    peaks = {
        (n, micro): Kept().measure(lambda n=n, micro=micro: cached(Embedding().double(), micro, n))
        for n, micro in ((8, 8), (64, 8), (64, 64))
    }
    assert peaks[64, 8] < 1.2 * peaks[8, 8]
    assert peaks[64, 64] > 6 * peaks[8, 8]


def test_accumulating_a_contrastive_loss_would_not() -> None:
    """What gradient caching is for: parts that do not see each other have other gradients."""
    whole, parts = Pairs().double(), Pairs().double()
    whole(pairs_batch()).backward()
    for part in slices(pairs_batch(), 4):
        (parts(part) * len(part["index"]) / 13).backward()
    assert not torch.allclose(whole.table.grad, parts.table.grad, rtol=1e-2)


def test_gradient_caching_repeats_dropout() -> None:
    """Against one pass with a graph over the same parts, drawing the same masks."""
    whole, parts = Pairs(dropout=0.4).double(), Pairs(dropout=0.4).double()
    with torch.random.fork_rng():
        torch.manual_seed(9)
        embedded = [whole.embed(part) for part in slices(pairs_batch(), 5)]
        joined = tuple(torch.cat(rows) for rows in zip(*embedded, strict=True))
        whole.loss(joined, pairs_batch()).backward()
        after = torch.get_rng_state()
        torch.manual_seed(9)
        cached(parts, 5)
        assert torch.equal(torch.get_rng_state(), after)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-10, atol=1e-14)


def test_gradient_caching_moves_batch_norm_once() -> None:
    whole, parts = (Pairs(batch_norm=True).double().train() for _ in range(2))
    with torch.no_grad():
        for part in slices(pairs_batch(), 5):
            whole.embed(part)
    cached(parts, 5)
    for a, b in zip(whole.buffers(), parts.buffers(), strict=True):
        torch.testing.assert_close(b, a)
    assert int(parts.model.encoder.layers[1].num_batches_tracked) == 3
    assert parts.model.encoder.layers[1].track_running_stats


def test_parts_that_do_not_train_are_left_alone() -> None:
    module = Pairs().double()
    module.model.requires_grad_(False)
    cached(module, 4)
    assert module.table.grad is not None
    assert all(p.grad is None for p in module.model.parameters())


def test_training_with_gradient_caching_is_training_with_the_whole_batch(task: Task) -> None:
    schedule = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer="sgd")
    parts = replace(schedule, micro_batch=5)
    a, b = fitted(task, schedule, module=Pairs()), fitted(task, parts, module=Pairs())
    assert same(a, b, tolerance=1e-5)
    assert not same(a, Pairs(), tolerance=1e-3)


def test_out_of_memory_halves_the_parts_of_a_cached_batch_too(task: Task) -> None:
    class Hungry(Pairs):
        def embed(self, part: Any) -> tuple[torch.Tensor, ...]:
            if torch.is_grad_enabled() and len(part["index"]) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().embed(part)

    rows: list[Any] = []
    schedule = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer="sgd")
    hungry = fitted(task, schedule, module=Hungry(), run=RunContext(log=rows.append))
    assert same(hungry, fitted(task, schedule, module=Pairs()), tolerance=1e-5)
    assert sum("halved" in r.get("note", "") for r in rows) == 2
    assert hungry.micro == 4


def test_a_cached_loss_that_is_not_finite_stops_the_run(task: Task) -> None:
    module = Pairs()
    module.log_scale.data.fill_(math.nan)
    with pytest.raises(TrainingError, match="loss is nan"):
        fitted(task, SHORT, module=module)


def test_a_device_is_not_asked_for_the_loss_of_each_step() -> None:
    """It would wait there, with nothing to do, until Python has read the number."""
    elsewhere: Any = SimpleNamespace(
        device=torch.device("cuda"),
        num_processes=1,
        autocast=nullcontext,
        backward=lambda loss: loss.backward(),
    )
    said = cached_backward(
        Pairs().double(), pairs_batch(), micro=13, size=13, accelerator=elsewhere
    )
    assert isinstance(said, torch.Tensor)
    assert not said.requires_grad
    assert float(said) == pytest.approx(cached(Pairs().double(), 13), rel=1e-13)


def test_gradients_are_taken_outside_autocast(task: Task) -> None:
    inside: list[bool] = []

    class Watched(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            inside.append(torch.is_autocast_enabled("cpu"))
            logits = self.model(batch["image"])
            logits.register_hook(lambda g: inside.append(torch.is_autocast_enabled("cpu")))
            return torch.nn.functional.cross_entropy(logits.float(), batch["label"])

    module = Watched(objective().model)
    fitted(task, replace(SHORT, epochs=1), module=module, run=RunContext(precision="bf16"))
    assert len(inside) > 2
    assert inside == [True, False] * (len(inside) // 2)


def test_every_image_has_its_own_draw_in_every_epoch(task: Task) -> None:
    seen: dict[int, list[int]] = {}

    class Watching(Classify):
        def forward(self, batch: Any) -> torch.Tensor:
            for index, draw in zip(batch["index"].tolist(), batch["draw"].tolist(), strict=True):
                seen.setdefault(index, []).append(draw)
            return super().forward(batch)

    fitted(task, SHORT, module=Watching(objective().model), seed=5)
    first = {index: tuple(draws) for index, draws in seen.items()}
    assert len({draw for draws in first.values() for draw in draws}) == 2 * len(task.train)
    assert min(draw for draws in first.values() for draw in draws) >= 0
    seen.clear()
    other = replace(SHORT, batch_size=7, micro_batch=3)
    fitted(task, other, module=Watching(objective().model), seed=5)
    assert {index: tuple(draws) for index, draws in seen.items()} == first


def test_after_step_is_told_every_step(task: Task) -> None:
    steps: list[int] = []
    fitted(task, SHORT, after_step=steps.append)
    assert steps == [1, 2, 3, 4, 5, 6]


def test_layer_decay_slows_the_lower_layers(task: Task) -> None:
    """One step of plain SGD: every layer has moved by its own learning rate times its gradient."""
    n = len(task.train)
    schedule = Schedule(
        epochs=1, batch_size=n, lr=0.1, optimizer="sgd", weight_decay=0.0, momentum=0.0,
        warmup_steps=0, clip=None, layer_decay=0.5,
    )  # fmt: skip

    def classifier() -> Classify:
        model = toy_model()
        model.head = random_head(model, CLASSES, seed=0)
        return Classify(model)

    slow, plain = classifier(), classifier()
    transform = slow.model.spec.transform.eval()
    train(slow, task.train, transform, schedule)
    train(plain, task.train, transform, replace(schedule, layer_decay=1.0))
    start = classifier().state_dict()
    factors = {"encoder.layers.0": 0.25, "encoder.layers.4": 0.5, "head": 1.0}
    for name, value in plain.state_dict().items():
        layer = name.removeprefix("model.").rsplit(".", 1)[0]
        moved, slowly = value - start[name], slow.state_dict()[name] - start[name]
        assert moved.abs().max() > 0
        torch.testing.assert_close(slowly, factors[layer] * moved, rtol=1e-3, atol=1e-7)


def test_layer_decay_needs_layers(task: Task) -> None:
    class Bare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, batch: Any) -> torch.Tensor:
            return self.weight.square()

    schedule = replace(SHORT, layer_decay=0.7)
    with pytest.raises(ModelError, match="Bare holds no Model"):
        train(Bare(), task.train, toy_model().spec.transform.eval(), schedule)


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.5, math.nan])
def test_layer_decay_is_a_share(decay: float) -> None:
    with pytest.raises(ValueError, match="layer_decay"):
        Schedule(layer_decay=decay)


TWO = """
import os, sys
import torch
from surefoot.context import RunContext
from surefoot.gradient_cache import WholeBatch
from surefoot.methods.base import Classify
from surefoot.methods.gradual import _Opening
from surefoot.models.heads import random_head
from surefoot.train import Schedule, train
from tests.conftest import CLASSES, drawn_split, toy_model
from tests.test_train import Pairs

split = drawn_split("train", 33, 0, use="train")
schedule = Schedule(
    epochs=2, batch_size=16, lr=0.05, optimizer="sgd", micro_batch=3, warmup_steps=0
)
world = int(os.environ.get("WORLD_SIZE", "1"))
assert RunContext(device="cpu").accelerator().num_processes == world
weights = {}
for name in ("pairs", "opening", "plain"):
    model = toy_model()
    model.head = random_head(model, CLASSES, seed=0)
    objective = {
        "pairs": lambda: Pairs(),
        "opening": lambda: _Opening(model, steps=4, label_smoothing=0.0),
        "plain": lambda: Classify(model),
    }[name]()
    run = RunContext(device="cpu")
    after = getattr(objective, "count", None)
    train(objective, split, model.spec.transform.eval(), schedule, run=run, after_step=after)
    weights |= {f"{name}.{k}": v for k, v in objective.state_dict().items()}
if os.environ.get("RANK", "0") == "0":
    torch.save(weights, sys.argv[1])
"""


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """33 images by 16: the second process has no image in the last batch."""
    for world in (1, 2):
        said = together(world, ["-c", TWO, str(tmp_path / f"{world}.pt")])
        assert [code for code, _ in said] == [0] * world, said
    one, two = (torch.load(tmp_path / f"{w}.pt", weights_only=True) for w in (1, 2))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", ["plain", "pairs"])
def test_a_compiled_step_gives_the_same_weights_under_the_same_names(
    task: Task, kind: str, tmp_path: Path
) -> None:
    """Through torch.compile's capture; code is generated on devices that gain by it."""
    found = []
    for compiled in (False, True):
        module = objective() if kind == "plain" else Pairs()
        run = RunContext(
            compile=compiled, compile_backend="eager", checkpoints=tmp_path / str(compiled)
        )
        fitted(task, replace(SHORT, micro_batch=8), module=module, run=run)
        found.append(module.state_dict())
    assert list(found[0]) == list(found[1])
    for name, tensor in found[0].items():
        torch.testing.assert_close(found[1][name], tensor)
    kept = torch.load(tmp_path / "True" / "train.pt", weights_only=True)["objective"]
    assert list(kept) == list(found[0])
    assert "embed" not in vars(module)


def test_channels_last_is_a_layout_not_a_result(task: Task) -> None:
    gentle = replace(SHORT, optimizer="sgd", lr=1e-3)  # Adam would blow rounding up
    models = [
        fitted(task, gentle, run=RunContext(channels_last=last), module=objective(batch_norm=True))
        for last in (False, True)
    ]
    for a, b in zip(*(m.state_dict().values() for m in models), strict=True):
        assert b.is_contiguous()
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "adam_spd", "sgd_spd"])
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_decay_of_matrices_leaves_norms_and_biases(optimizer: Any, layer_decay: float) -> None:
    schedule = Schedule(optimizer=optimizer, weight_decay=0.3, decayed="matrices",
                        layer_decay=layer_decay)  # fmt: skip
    model = small_vit() if layer_decay < 1 else toy_model()
    made = make_optimizer(model, schedule)
    pull = "projection" if optimizer.endswith("spd") else "weight_decay"
    seen = [p for g in made.param_groups for p in g["params"]]
    assert len(seen) == len(set(map(id, seen))) == len(list(model.parameters()))
    for group in made.param_groups:
        assert {p.ndim > 1 for p in group["params"]} == {group[pull] == 0.3}
        assert group[pull] in (0.0, 0.3)
    every = make_optimizer(model, replace(schedule, decayed="all"))
    assert {group[pull] for group in every.param_groups} == {0.3}


def test_a_bias_without_gradient_stays_where_it_is() -> None:
    layer = torch.nn.Linear(3, 2)
    before = {n: p.detach().clone() for n, p in layer.named_parameters()}
    made = make_optimizer(layer, Schedule(lr=0.1, weight_decay=0.5, decayed="matrices"))
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.step()
    torch.testing.assert_close(layer.weight, before["weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(layer.bias, before["bias"])
