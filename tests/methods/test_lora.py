"""LoRA: identity at first, low rank, merged into an ordinary checkpoint."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import MissingDependency, ModelError
from surefoot.evals.predict import predict
from surefoot.methods.base import as_dict
from surefoot.methods.lora import LoRA
from surefoot.methods.parse import method_from
from surefoot.methods.wise_ft import WiseFT
from surefoot.models.adapters.lora import wrap
from surefoot.models.model import Model
from surefoot.models.save import load_saved, save_model
from surefoot.paths import Path
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model
from ..models.vits import KINDS, features, timm_spec, vit

QUICK = Schedule(epochs=2, batch_size=16, lr=1e-2, weight_decay=0.01)
METHOD = LoRA(rank=2, head="random", schedule=QUICK)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_place = pytest.mark.parametrize("places", ["attention", "all"])


def stirred(model: Model, places: str, *, rank: int = 2):  # type: ignore[no-untyped-def]
    """A model's copy with LoRA whose B is not zero, and the handle."""
    other = model.clone()
    lora = wrap(other.encoder, rank=rank, scale=1.5, places=places, seed=3)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in other.encoder.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return other, lora


@each_kind
@each_place
def test_at_first_it_computes_what_the_model_did(kind: str, places: str) -> None:
    model = vit(kind)
    expected = features(model)
    other = model.clone()
    lora = wrap(other.encoder, rank=2, scale=2.0, places=places, seed=0)  # type: ignore[arg-type]
    torch.testing.assert_close(features(other), expected, rtol=0, atol=1e-5)
    trained = [n for n, p in other.encoder.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in n for n in trained)
    lora.merge()
    assert fingerprint(other) == fingerprint(model)
    assert torch.equal(features(other), expected)


@each_kind
@each_place
def test_merged_and_unmerged_outputs_agree(kind: str, places: str) -> None:
    model = vit(kind)
    other, lora = stirred(model, places)
    unmerged = features(other)
    lora.merge()
    assert float((unmerged - features(model)).abs().max()) > 1e-3
    torch.testing.assert_close(features(other), unmerged, rtol=1e-4, atol=1e-4)
    assert list(other.state_dict()) == list(model.state_dict())
    assert [type(m) for m in other.modules()] == [type(m) for m in model.modules()]


@each_kind
@each_place
def test_the_update_is_the_papers_and_sits_where_it_says(kind: str, places: str) -> None:
    model = vit(kind)
    other, lora = stirred(model, places)
    factors = {n: p.detach().clone() for n, p in other.encoder.named_parameters() if "lora_" in n}
    lora.merge()
    before, after = model.encoder.state_dict(), other.encoder.state_dict()
    moved = {k: after[k] - before[k] for k in before if not torch.equal(after[k], before[k])}
    expected = {}
    for name, a in factors.items():
        if "lora_A" in name:
            layer = name.split(".lora_A")[0]
            expected[layer] = 1.5 * factors[name.replace("lora_A", "lora_B")] @ a
    rename = {"qkv": "in_proj_weight", "proj": "out_proj.weight"} if kind == "open_clip" else {}
    for layer, delta in expected.items():
        parent, _, leaf = layer.rpartition(".")
        own = f"{parent}.{rename[leaf]}" if leaf in rename else f"{layer}.weight"
        torch.testing.assert_close(moved.pop(own), delta, rtol=1e-4, atol=1e-5)
    assert moved == {}
    per_block = 2 if places == "attention" else 4
    blocks = sum(type(m).__name__ in ("Block", "ResidualAttentionBlock") for m in model.modules())
    assert len(expected) == per_block * blocks


@each_kind
def test_a_fit_changes_nothing_but_those_weights_by_rank_2(kind: str, task: Task) -> None:
    start = vit(kind)
    task = replace(task, train=task.train.take(range(16)), val=task.val.take(range(6)))
    tuned = replace(METHOD, schedule=replace(QUICK, epochs=1)).fit(start, task, seed=1)
    before, after = start.encoder.state_dict(), tuned.encoder.state_dict()
    assert list(before) == list(after)
    moved = [k for k in before if not torch.equal(before[k], after[k])]
    assert moved
    for name in moved:
        assert "attn" in name
        singular = torch.linalg.svdvals((after[name] - before[name]).double())
        assert int((singular > 1e-5 * singular[0]).sum()) <= 2, name
    assert all(p.requires_grad for p in tuned.parameters())
    assert not tuned.training


def test_training_goes_on_after_validation_and_learns(task: Task) -> None:
    """A forward pass without gradients between two epochs must leave the layers trainable."""
    rows: list[Mapping[str, Any]] = []
    longer = replace(QUICK, epochs=4)
    LoRA(rank=4, head="zeros", schedule=longer).fit(
        vit("open_clip"), task, run=RunContext(log=rows.append)
    )
    losses = [row["loss"] for row in rows if "seconds" in row]
    assert len(losses) == 4
    assert losses[-1] < losses[0] < 1.01 * math.log(3)


def test_interpolating_is_scaling_the_update(task: Task) -> None:
    start = vit("test_vit")
    tuned = METHOD.fit(start, task)
    path = Path.between(start, tuned, task)
    assert fingerprint(path.at(0.0).encoder) == fingerprint(start.encoder)
    assert fingerprint(path.at(1.0)) == fingerprint(tuned)
    a, b, half = (m.encoder.state_dict() for m in (start, tuned, path.at(0.5)))
    for key in a:
        torch.testing.assert_close(half[key], a[key] + 0.5 * (b[key] - a[key]))
    again = WiseFT(inner=METHOD, alpha=0.5).fit(start, task)
    assert fingerprint(again) == fingerprint(path.at(0.5))


def test_it_saves_as_a_plain_checkpoint(task: Task, tmp_path) -> None:  # type: ignore[no-untyped-def]
    tuned = METHOD.fit(vit("test_vit"), task)
    assert "LoRA of rank 2" in tuned.spec.notes[-1]
    assert tuned.spec.builder == timm_spec().builder
    save_model(tuned, tmp_path / "m.safetensors")
    again = load_saved(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        predict(again, task.test).logits, predict(tuned, task.test).logits
    )


def test_global_random_numbers_are_left_alone() -> None:
    state = torch.get_rng_state()
    wrap(vit("tiny-dino").encoder, rank=1, scale=1.0, places="attention", seed=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_it_cannot_wrap_is_said(task: Task) -> None:
    with pytest.raises(ModelError, match="no transformer blocks"):
        METHOD.fit(toy_model(), task)
    strange = vit("test_vit")

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k = nn.Linear(4, 4), nn.Linear(4, 4)

    strange.encoder.blocks[1].attn = Attention()  # type: ignore[union-attr,index]
    with pytest.raises(ModelError, match="linear layers that LoRA cannot reach"):
        METHOD.fit(strange, task)
    for bad, message in (({"rank": 0}, "rank of LoRA is 0"), ({"scale": 0.0}, "scale of LoRA")):
        with pytest.raises(ModelError, match=message):
            LoRA(**bad)  # type: ignore[arg-type]


def test_without_peft_it_says_what_to_install(task: Task, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependency, match="LoRA needs the package 'peft'"):
        METHOD.fit(vit("test_vit"), task)


def test_it_goes_through_a_recipe() -> None:
    assert method_from(as_dict(METHOD)) == METHOD
