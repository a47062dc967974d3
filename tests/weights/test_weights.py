"""Weights as a value: operators, modules, and what must fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from surefoot.errors import WeightsError
from surefoot.weights import Weights


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5)
        self.out.weight = self.embed.weight
        self.norm = nn.BatchNorm1d(3)


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_of_copies_and_load_into_puts_back():
    module = net()
    kept = Weights.of(module)
    with torch.no_grad():
        module[0].weight.zero_()
    assert kept["0.weight"].abs().sum() > 0, "training must not reach a value taken before"
    kept.load_into(module)
    assert Weights.of(module) == kept
    assert Weights.of(net(1)) != kept


def test_it_is_a_mapping_and_says_what_it_is():
    w = Weights.of(net())
    assert list(w) == list(net().state_dict())
    assert len(w) == 9
    assert repr(w) == "Weights(9 tensors, 43 numbers)"
    assert not any(t.requires_grad for t in w.values())
    with pytest.raises(TypeError):
        w["0.weight"] = torch.zeros(1)  # type: ignore[index]
    with pytest.raises(TypeError, match="unhashable"):
        hash(w)
    net().load_state_dict(dict(w))


def test_operators_are_those_of_the_papers():
    start, tuned = Weights.of(net(0)), Weights.of(net(1))
    vector = tuned - start
    torch.testing.assert_close((start + vector)["0.weight"], tuned["0.weight"])
    halfway = start + 0.5 * vector
    torch.testing.assert_close(halfway["2.bias"], start.lerp(tuned, 0.5)["2.bias"])
    assert (-vector) == vector * -1.0
    assert vector * np.float32(2) == 2 * vector
    assert start.lerp(tuned, 0) == start
    assert start.lerp(tuned, 1) == tuned


def test_norm_and_dot_count_floating_tensors_in_double():
    w = Weights({"a": torch.tensor([3.0, 4.0]).half(), "n": torch.tensor(100)})
    v = Weights({"a": torch.tensor([1.0, 2.0]).half(), "n": torch.tensor(5)})
    assert w.norm() == 5
    assert w.dot(v) == 11
    big = Weights({"a": torch.full((1000,), 1e4).half()})
    assert big.norm() == pytest.approx(1e4 * math.sqrt(1000), rel=1e-3)
    assert (w - v).norm() ** 2 == pytest.approx(w.norm() ** 2 + v.norm() ** 2 - 2 * w.dot(v))


def test_select_and_to():
    w = Weights({"encoder.a": torch.ones(2), "encoder.n": torch.tensor(1), "head.a": torch.ones(3)})
    assert list(w.select("encoder.")) == ["encoder.a", "encoder.n"]
    assert list(w.select("encoder.", strip=True)) == ["a", "n"]
    half = w.to(torch.float16)
    assert half["head.a"].dtype == torch.float16
    assert half["encoder.n"].dtype == torch.int64
    with pytest.raises(WeightsError, match="overflows in it"):
        Weights({"x": torch.tensor([1e6])}).to(torch.float16)


def test_half_precision_is_scaled_in_float32():
    w = Weights({"x": torch.tensor([1.0, 3.0]).bfloat16()})
    assert torch.equal((w * (1 / 3))["x"], (torch.tensor([1.0, 3.0]) * (1 / 3)).bfloat16())


def test_tied_tensors_stay_tied_and_must_agree():
    module = Tied()
    w = Weights.of(module)
    for tied in (w, 2 * w):
        assert tied["embed.weight"].data_ptr() == tied["out.weight"].data_ptr()
    w.load_into(Tied())
    split = Weights({**w, "out.weight": w["out.weight"] + 1})
    with pytest.raises(WeightsError, match=r"'out\.weight' and 'embed\.weight' are one tensor"):
        split.load_into(module)


def test_load_into_lists_every_problem_and_writes_nothing():
    module = net()
    before = Weights.of(module)
    wrong = {**before, "0.weight": torch.zeros(1, 3), "new": torch.ones(1)}
    wrong["2.bias"] = torch.zeros(2, dtype=torch.int64)
    del wrong["0.bias"]
    with pytest.raises(WeightsError) as caught:
        Weights(wrong).load_into(module)
    for part in (
        "'0.weight' has the shape (1, 3), the module wants (4, 3)",
        "'0.bias' is in the module only",
        "'new' is in the weights only",
        "'2.bias' is torch.int64",
    ):
        assert part in str(caught.value)
    assert Weights.of(module) == before


def test_load_into_parts_and_other_dtypes():
    source, module = Weights.of(net(1)), net(0)
    old = Weights.of(module)
    Weights({**source.select("0."), "new": torch.ones(1)}).load_into(module, strict=False)
    assert torch.equal(module[0].weight, source["0.weight"])
    assert torch.equal(module[2].weight, old["2.weight"])
    half = net(0).half()
    source.load_into(half)
    assert torch.equal(half[0].weight, source["0.weight"].half())


def test_equality_is_bit_for_bit():
    zero, negative = Weights({"x": torch.tensor([0.0])}), Weights({"x": torch.tensor([-0.0])})
    assert zero != negative
    nan = Weights({"x": torch.tensor([math.nan])})
    assert nan == Weights({"x": torch.tensor([math.nan])})
    assert zero != Weights({"x": torch.tensor([0.0]).double()})
    assert zero != {"x": torch.tensor([0.0])}


def test_bad_operands():
    w = Weights({"x": torch.ones(2)})
    with pytest.raises(TypeError):
        w + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        w * "2"  # type: ignore[operator]
    with pytest.raises(WeightsError, match="multiplied by nan"):
        w * math.nan
    with pytest.raises(WeightsError, match="'x' has the shape"):
        w - Weights({"x": torch.ones(3)})
    with pytest.raises(WeightsError, match="holds NaN"):
        2 * Weights({"x": torch.tensor([math.nan])})
    with pytest.raises(WeightsError, match="'epoch' is a int"):
        Weights({"epoch": 3})  # type: ignore[dict-item]


def test_a_mask_of_infinities_goes_through_arithmetic_unchanged():
    mask = torch.tensor([0.0, -math.inf])
    a = Weights({"m": mask, "w": torch.ones(1)})
    b = Weights({"m": mask.clone(), "w": torch.zeros(1)})
    assert torch.equal((b + 0.5 * (a - b))["m"], mask)


def test_empty_tensors_of_numpy_are_compared_and_hashed():
    one, other = (Weights({"n": t}) for t in (torch.from_numpy(np.empty(0, np.float16)),
                                              torch.empty(0, dtype=torch.float16)))  # fmt: skip
    assert one == other
    assert one.fingerprint() == other.fingerprint()
