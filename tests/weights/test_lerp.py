"""The arithmetic on weights, against float64 and against its own laws."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from surefoot.errors import AlphaError, WeightsError
from surefoot.weights import add, check_alpha, difference, lerp, mean, weighted_mean

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
EPS = {d: torch.finfo(d).eps for d in FLOATS}
ALPHAS = st.floats(0, 1)
TENSORS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 3), st.integers(1, 4)),
    elements=st.floats(-6e4, 6e4, width=16, allow_subnormal=True),
)


def pair(array: np.ndarray, seed: int, dtype: torch.dtype) -> tuple[dict, dict]:
    """Two sets of one shape; the second holds the first's numbers in another order and sign."""
    order = np.random.default_rng(seed).permutation(array.size)
    x = torch.from_numpy(array).to(dtype)
    y = torch.from_numpy(-array.reshape(-1)[order].reshape(array.shape) / 3).to(dtype)
    return {"w": x, "n": torch.tensor(3)}, {"w": y, "n": torch.tensor(8)}


def bits(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    return {k: t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            for k, t in tensors.items()}  # fmt: skip


@given(TENSORS, st.integers(0, 9), st.sampled_from(FLOATS), st.sampled_from(["start", "end"]))
@settings(max_examples=60, deadline=None)
def test_the_ends_come_back_bit_for_bit(array, seed, dtype, integers):
    a, b = pair(array, seed, dtype)
    assert bits(lerp(a, b, 0.0, integers=integers)) == bits(a)
    assert bits(lerp(a, b, 1, integers=integers)) == bits(b)


@pytest.mark.parametrize("dtype", FLOATS)
def test_negative_zero_and_subnormals_survive_at_the_ends(dtype):
    odd = torch.tensor([-0.0, 0.0, torch.finfo(dtype).smallest_normal / 2, -1.0], dtype=dtype)
    a, b = {"w": odd}, {"w": odd.flip(0)}
    assert bits(lerp(a, b, 0)) == bits(a)
    assert bits(lerp(a, b, 1)) == bits(b)
    assert math.copysign(1, lerp(a, b, 0)["w"][0].item()) == -1


@given(TENSORS, st.integers(0, 9), st.sampled_from(FLOATS), ALPHAS)
@settings(max_examples=150, deadline=None)
def test_error_against_double_precision_is_about_one_ulp(array, seed, dtype, alpha):
    a, b = pair(array, seed, dtype)
    got = lerp(a, b, alpha)["w"]
    x, y = a["w"].double(), b["w"].double()
    exact = x + alpha * (y - x)
    ulp = EPS[dtype] * torch.maximum(x.abs(), y.abs()) + torch.finfo(dtype).tiny
    # float64 is compared with itself, and float32 sees alpha rounded to float32.
    allowed = 2.0 if dtype in (torch.float64, torch.float32) else 1.0
    assert got.dtype == dtype
    assert ((got.double() - exact).abs() <= allowed * ulp).all()


@given(TENSORS, st.integers(0, 9), ALPHAS)
@settings(max_examples=60, deadline=None)
def test_walking_backwards_is_the_same_path(array, seed, alpha):
    a, b = pair(array, seed, torch.float32)
    there, back = lerp(a, b, alpha)["w"], lerp(b, a, 1 - alpha)["w"]
    torch.testing.assert_close(there, back, rtol=1e-5, atol=1e-6 * 6e4)


@given(TENSORS, st.integers(0, 9), ALPHAS, ALPHAS)
@settings(max_examples=60, deadline=None)
def test_lerp_is_linear_in_alpha(array, seed, one, other):
    a, b = pair(array, seed, torch.float64)
    middle = lerp(a, b, (one + other) / 2)["w"]
    average = mean([lerp(a, b, one), lerp(a, b, other)])["w"]
    torch.testing.assert_close(middle, average, rtol=1e-12, atol=1e-9)


@given(TENSORS, st.sampled_from(FLOATS), ALPHAS)
@settings(max_examples=40, deadline=None)
def test_what_training_did_not_touch_stays_bit_for_bit(array, dtype, alpha):
    a = {"frozen": torch.from_numpy(array).to(dtype)}
    assert bits(lerp(a, {"frozen": a["frozen"].clone()}, alpha)) == bits(a)


@given(TENSORS, st.integers(0, 9), st.sampled_from(FLOATS))
@settings(max_examples=40, deadline=None)
def test_mean_does_not_depend_on_the_order(array, seed, dtype):
    a, b = pair(array, seed, dtype)
    c = {"w": a["w"] / 7, "n": torch.tensor(1)}
    assert torch.equal(mean([a, b])["w"], mean([b, a])["w"])
    forth, back = mean([a, b, c])["w"].double(), mean([c, b, a])["w"].double()
    fine = a["w"].double().abs() + b["w"].double().abs() + torch.finfo(dtype).tiny
    assert ((forth - back).abs() <= EPS[dtype] * fine).all()


def test_the_weighted_mean_of_two_is_the_lerp():
    a, b = {"w": torch.randn(5, 4)}, {"w": torch.randn(5, 4)}
    got = weighted_mean([a, b], [3, 1])
    torch.testing.assert_close(got["w"], lerp(a, b, 0.25)["w"])
    half = {k: t.half() for k, t in a.items()}
    assert mean([half, half, half])["w"].dtype == torch.float16


@given(TENSORS, st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_start_plus_task_vector_is_the_end(array, seed):
    a, b = pair(array, seed, torch.float64)
    torch.testing.assert_close(add(a, difference(b, a))["w"], b["w"], rtol=1e-12, atol=1e-9)


def test_integers_are_chosen_never_averaged():
    a = {"n": torch.tensor(10), "b": torch.tensor([True, False]), "w": torch.zeros(1)}
    b = {"n": torch.tensor(21), "b": torch.tensor([False, False]), "w": torch.ones(1)}
    assert lerp(a, b, 0.5)["n"].item() == 21
    assert lerp(a, b, 0.5, integers="start")["n"].item() == 10
    assert lerp(a, b, 0.5)["b"].tolist() == [False, False]
    assert lerp(a, b, 0.5)["n"].dtype == torch.int64
    assert mean([a, b])["n"].item() == 10
    assert add(a, b)["n"].item() == 10
    assert lerp(a, b, 0, integers="end")["n"].item() == 10, "alpha 0 is the start, whole"


def test_nothing_is_shared_with_the_inputs():
    a, b = {"w": torch.zeros(3), "n": torch.tensor(1)}, {"w": torch.ones(3), "n": torch.tensor(2)}
    for alpha in (0, 0.5, 1):
        out = lerp(a, b, alpha)
        out["w"].fill_(9)
        out["n"].fill_(9)
    assert a["w"].sum() == 0
    assert b["w"].sum() == 3
    assert (a["n"], b["n"]) == (1, 2)


def test_tied_and_non_contiguous_tensors():
    shared, other = torch.randn(4, 6), torch.randn(4, 6)
    a = {"emb": shared, "out": shared, "t": torch.randn(6, 4).t()}
    b = {"emb": other, "out": other, "t": torch.randn(4, 6)}
    out = lerp(a, b, 0.3)
    assert out["emb"] is out["out"], "tied at both ends stays tied"
    torch.testing.assert_close(out["t"], 0.7 * a["t"] + 0.3 * b["t"])
    assert out["t"].is_contiguous()
    untied = lerp(a, {**b, "out": other + 1}, 0.5)
    assert not torch.equal(untied["emb"], untied["out"])


def test_half_precision_is_computed_in_float32():
    # 60000 - (-60000) overflows in float16; the mixed value does not.
    a, b = {"w": torch.tensor([6e4]).half()}, {"w": torch.tensor([-6e4]).half()}
    assert lerp(a, b, 0.5)["w"].item() == 0
    # In bfloat16 256 + 1 is 256 again; the sum of three must not lose the ones.
    three = [{"w": torch.tensor([v]).bfloat16()} for v in (256.0, 1.0, 1.0)]
    assert mean(three)["w"].item() == torch.tensor(86.0).bfloat16().item()


@pytest.mark.parametrize("alpha", [-0.01, 1.01, 7, float("nan"), float("inf"), -float("inf")])
def test_alpha_outside_the_path_is_refused(alpha):
    a = {"w": torch.zeros(2)}
    with pytest.raises(AlphaError, match="alpha is"):
        lerp(a, a, alpha)
    if math.isfinite(alpha):
        assert check_alpha(alpha, extrapolate=True) == alpha
    else:
        with pytest.raises(AlphaError, match="alpha is"):
            check_alpha(alpha, extrapolate=True)


def test_extrapolation_goes_on_in_a_straight_line():
    a, b = {"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])}
    assert lerp(a, b, 2, extrapolate=True)["w"].item() == 5
    assert lerp(a, b, -1, extrapolate=True)["w"].item() == -1


def test_an_overflow_is_an_error_not_an_infinity():
    a, b = {"w": torch.tensor([6e4]).half()}, {"w": torch.tensor([-6e4]).half()}
    with pytest.raises(WeightsError, match="overflows in 'w'"):
        lerp(a, b, -1, extrapolate=True)
    with pytest.raises(WeightsError, match="overflows in 'w'"):
        difference(a, b)


def test_a_stored_mask_of_infinities_is_copied():
    mask = torch.tensor([[0.0, -math.inf], [0.0, 0.0]])
    a = {"mask": mask, "w": torch.zeros(2)}
    b = {"mask": mask.clone(), "w": torch.ones(2)}
    for out in (lerp(a, b, 0.5), difference(a, b), mean([a, b])):
        assert torch.equal(out["mask"], mask)


def test_broadcasting_is_refused_as_public_code_does_not():
    with pytest.raises(WeightsError, match=r"'w' has the shape \(1, 3\) in the start and \(4, 3\)"):
        lerp({"w": torch.zeros(1, 3)}, {"w": torch.zeros(4, 3)}, 0.5)


@pytest.mark.parametrize("coefficients", [[1.0], [0.0, 0.0], [1.0, -1.0], [1.0, math.nan]])
def test_useless_coefficients_are_refused(coefficients):
    sets = [{"w": torch.zeros(2)}, {"w": torch.ones(2)}]
    with pytest.raises(WeightsError, match="cannot be averaged"):
        weighted_mean(sets, coefficients)
    with pytest.raises(WeightsError, match="0 sets of weights"):
        mean([])


def test_each_set_of_a_mean_is_checked():
    sets = [{"w": torch.zeros(2)}, {"w": torch.ones(2)}, {"w": torch.tensor([1.0, math.nan])}]
    with pytest.raises(WeightsError, match="1 NaN in set 3"):
        mean(sets)
