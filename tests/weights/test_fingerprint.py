"""One hash: stable against layout, sensitive to every bit."""

from __future__ import annotations

import hashlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from surefoot.weights import Weights, fingerprint


def plain(tensors: dict[str, torch.Tensor]) -> str:
    """The definition, written a second time and slowly."""
    text = b""
    for name in sorted(tensors):
        t = tensors[name]
        text += f"{name}\x1f{str(t.dtype)[6:]}\x1f{tuple(t.shape)}\x1e".encode()
        text += bytes(t.contiguous().view(-1).view(torch.uint8).tolist())
    return hashlib.sha256(text).hexdigest()


def weights() -> dict[str, torch.Tensor]:
    return {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(7), "c": torch.ones(3).half()}


def test_definition():
    assert fingerprint(weights()) == plain(weights())
    assert fingerprint({}) == hashlib.sha256(b"").hexdigest()


def test_a_module_has_the_fingerprint_of_its_weights():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert fingerprint(module) == fingerprint(Weights.of(module)) == plain(module.state_dict())
    assert Weights.of(module).fingerprint() == fingerprint(module)


def test_order_strides_and_sharing_do_not_matter():
    w = weights()
    turned = {"c": w["c"], "a": w["a"], "b": w["b"].t().contiguous().t()}
    assert not turned["b"].is_contiguous()
    assert fingerprint(turned) == fingerprint(w)
    x = torch.ones(3)
    assert fingerprint({"x": x, "y": x}) == fingerprint({"x": x, "y": x.clone()})


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {**w, "b": w["b"].reshape(3, 2)},
        lambda w: {**w, "c": w["c"].bfloat16()},
        lambda w: {**w, "extra": torch.ones(1)},
        lambda w: {"b": w["b"], "d": w["a"], "c": w["c"]},
        lambda w: {**w, "b": w["b"] * torch.tensor(-1.0)},
        lambda w: {**w, "b": torch.where(w["b"] == 0, -0.0, w["b"])},
    ],
)
def test_every_change_shows(change):
    assert fingerprint(change(weights())) != fingerprint(weights())


@given(st.integers(0, 5), st.integers(0, 31))
@settings(max_examples=30, deadline=None)
def test_every_bit_shows(place, bit):
    w = weights()
    w["b"].view(-1).view(torch.int32)[place] ^= (1 << bit) if bit < 31 else -(2**31)
    assert fingerprint(w) != fingerprint(weights())
