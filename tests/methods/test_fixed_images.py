"""Stored tokens of frozen blocks: the same weights for less work, and never where not so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.methods.base import Method
from surefoot.methods.fixed_images import stored_prefix
from surefoot.methods.ft import FineTune
from surefoot.methods.lora import LoRA
from surefoot.methods.partial import LastBlocks, _Part
from surefoot.models.blocks import block_names
from surefoot.models.model import Model
from surefoot.models.prefix import frozen_prefix
from surefoot.train import Schedule

from ..conftest import toy_model
from ..models.vits import KINDS, vit

QUICK = Schedule(epochs=2, batch_size=16, lr=1e-2, optimizer="sgd", warmup_steps=0)
TUNE = FineTune(head="random", schedule=QUICK)


def last(**fields: Any) -> LastBlocks:
    return LastBlocks(k=1, tune=TUNE, augment=False, **fields)


def fitted(method: Method, model: Model, task: Task, **context: Any) -> tuple[Model, list[str]]:
    rows: list[Any] = []
    tuned = method.fit(model, task, seed=3, run=RunContext(log=rows.append, **context))
    return tuned, [row["note"] for row in rows if "note" in row]


@pytest.mark.parametrize("kind", KINDS)
def test_stored_or_not_the_weights_are_the_same(kind: str, task: Task) -> None:
    model = vit(kind)
    stored, notes = fitted(last(), model, task)
    anew, none = fitted(last(store=False), model, task)
    assert any("frozen blocks run once over" in note for note in notes)
    assert none == []
    start = model.state_dict()
    moved = 0
    for name, tensor in stored.state_dict().items():
        torch.testing.assert_close(anew.state_dict()[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
        moved += name in start and not torch.equal(start[name], tensor)
    assert moved > 4
    assert not any("forward" in vars(m) for m in stored.modules())
    assert not any(m._forward_pre_hooks for m in stored.modules())


def test_frozen_blocks_run_once(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image passes the first block once in extraction, never in training."""
    model = vit(KINDS[0])
    kind = type(model.encoder.get_submodule(block_names(model.encoder)[0]))
    passes: dict[str, int] = {"frozen": 0}
    plain = kind.forward

    def counted(self: nn.Module, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if not any(p.requires_grad for p in self.parameters()):
            passes["frozen"] += len(x) if x.ndim == 3 else 0
        return plain(self, x, *args, **kwargs)

    monkeypatch.setattr(kind, "forward", counted)
    monkeypatch.setattr("surefoot.methods.fixed_images.validator", lambda *_: lambda: 0.0)
    fitted(last(), model, task)
    once = passes["frozen"]
    passes["frozen"] = 0
    fitted(last(store=False), model, task)
    frozen, n = len(block_names(model.encoder)) - 1, len(task.train)
    assert passes["frozen"] == frozen * n * QUICK.epochs
    assert frozen * n <= once <= frozen * (n + 6 * 4)  # the rest is the trial on four images


def test_lora_in_the_last_blocks(task: Task) -> None:
    pytest.importorskip("peft")
    model = vit(KINDS[0])
    method = LoRA(rank=2, last=1, head="random", schedule=QUICK, augment=False)
    tuned, notes = fitted(method, model, task)
    assert any("frozen blocks run once over" in note for note in notes)
    names = block_names(model.encoder)
    start = model.encoder.state_dict()
    moved = {n for n, t in tuned.encoder.state_dict().items() if not torch.equal(t, start[n])}
    assert moved
    assert all(n.startswith(names[-1]) for n in moved)
    with pytest.raises(ModelError, match="last 99 blocks"):
        LoRA(last=99, head="random").fit(model, task)
    with pytest.raises(ModelError, match="1 or more"):
        LoRA(last=0)


def test_a_cache_is_found_again_and_is_not_taken_for_other_weights(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    model = vit(KINDS[0])
    first, _ = fitted(last(), model, task)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    again, _ = fitted(last(), model, task)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    other = model.clone()
    with torch.no_grad():
        next(other.encoder.parameters()).add_(0.1)
    fitted(last(), other, task)
    assert len(list(tmp_path.glob("*.npy"))) == 2


class _Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x) if self.training else x


def part(model: Model) -> _Part:
    names = block_names(model.encoder)
    for name, parameter in model.encoder.named_parameters():
        parameter.requires_grad_(name.startswith(names[-1]))
    return _Part(model)


def test_random_frozen_layers_are_not_stored(task: Task) -> None:
    model = vit(KINDS[0])
    block: Any = model.encoder.get_submodule(block_names(model.encoder)[0])
    for name, child in block.named_children():
        if not list(child.parameters()):
            setattr(block, name, _Noisy())
    rows: list[Any] = []
    run = RunContext(log=rows.append)
    noisy = any(isinstance(m, _Noisy) for m in model.encoder.modules())
    found = stored_prefix(part(model), model, task.train, run, eval_mode=False)
    assert (found is None) == noisy
    assert stored_prefix(part(model), model, task.train, run, eval_mode=True) is not None


def test_networks_that_are_no_chain_of_blocks_compute_as_ever(task: Task) -> None:
    model = toy_model(batch_norm=True)
    tuned, notes = fitted(last(), model, task)
    anew, _ = fitted(last(store=False), model, task)
    for a, b in zip(tuned.state_dict().values(), anew.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)
    assert not any("run once" in note for note in notes) or len(block_names(model.encoder)) > 1


def test_too_little_is_frozen() -> None:
    model = vit(KINDS[0])
    model.requires_grad_(True)
    assert frozen_prefix(model) is None
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)
    prefix = frozen_prefix(model)
    assert prefix is not None
    assert prefix.block == block_names(model.encoder)[-1]


def test_a_full_disk_is_said(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 1))
    _, notes = fitted(last(), vit(KINDS[0]), task)
    assert any("computed anew: storing them takes" in note for note in notes)


def test_rows_are_the_tokens_of_their_images(task: Task) -> None:
    model = vit(KINDS[0])
    found = stored_prefix(part(model), model, task.train, RunContext(), eval_mode=True)
    assert found is not None
    _, split, transform = found
    prefix = frozen_prefix(model)
    assert prefix is not None
    image = model.spec.transform.eval()(task.train.images[5])[None]
    with torch.no_grad():
        expected = prefix.tokens(image)[0]
    torch.testing.assert_close(transform(split.images[5]), expected, rtol=1e-4, atol=1e-5)
    assert split.images.id(5) == task.train.images.id(5)
    assert np.array_equal(split.require_labels(), task.train.require_labels())
