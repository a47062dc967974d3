"""TIES against the paper's three steps written out number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from surefoot.errors import WeightsError
from surefoot.weights import task_arithmetic, ties

from .test_combine import FLOATS, SEEDS, close, drawn, family, same


def plain_ties(
    start: np.ndarray, tuned: list[np.ndarray], density: float, scale: float
) -> np.ndarray:
    """The paper's algorithm 1 on flat vectors, as loops."""
    n = len(start)
    kept = max(1, int(density * n + 1e-9))
    trimmed = []
    for vector in tuned:
        delta = [float(y - x) for x, y in zip(start, vector, strict=True)]
        least = sorted((abs(d) for d in delta), reverse=True)[kept - 1]
        trimmed.append([d if abs(d) >= least else 0.0 for d in delta])
    out = []
    for at in range(n):
        column = [t[at] for t in trimmed]
        positive = sum(c for c in column if c > 0)
        negative = -sum(c for c in column if c < 0)
        sign = (positive > negative) - (positive < negative)
        agree = [c for c in column if c * sign > 0]
        out.append(start[at] + scale * (sum(agree) / len(agree) if agree else 0.0))
    return np.array(out)


def flat(weights: dict[str, Tensor]) -> np.ndarray:
    return np.concatenate([weights[k].double().numpy().reshape(-1) for k in "wbs"])


@given(SEEDS, st.integers(1, 4), st.floats(0.05, 1), st.floats(-2, 2))
@settings(max_examples=100, deadline=None)
def test_ties_is_the_papers_three_steps(seed, count, density, scale) -> None:
    start, tuned = drawn(seed), [drawn(seed + 1 + i) for i in range(count)]
    got = ties(start, tuned, density=density, scale=scale)
    expected = plain_ties(flat(start), [flat(t) for t in tuned], density, scale)
    np.testing.assert_allclose(flat(got), expected, rtol=1e-6, atol=1e-6)


@given(SEEDS, st.sampled_from([0.25, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_trimming_per_tensor_is_what_mergekit_publishes(seed, density) -> None:
    """Its formula: top-k of each tensor, sign of the sum, weighted sum over those that agree."""
    start, tuned = drawn(seed), [drawn(seed + 1 + i) for i in range(3)]
    got = ties(start, tuned, density=density, per_tensor=True)
    for name in "wb":
        x = start[name].numpy().reshape(-1)
        deltas = np.stack([t[name].numpy().reshape(-1) - x for t in tuned])
        for row in deltas:
            row[np.argsort(-np.abs(row))[max(1, int(density * len(x))) :]] = 0
        majority = np.where(deltas.sum(axis=0) >= 0, 1, -1)
        mask = np.sign(deltas) == majority
        divisor = mask.sum(axis=0)
        merged = x + (deltas * mask).sum(axis=0) / np.where(divisor == 0, 1, divisor)
        np.testing.assert_allclose(got[name].numpy().reshape(-1), merged, rtol=1e-5, atol=1e-6)


@given(SEEDS, st.floats(-1.5, 1.5), st.sampled_from(FLOATS))
@settings(max_examples=50, deadline=None)
def test_density_1_and_one_model_is_task_arithmetic(seed, scale, dtype) -> None:
    start, [tuned] = family(seed, 1, dtype)
    close(ties(start, [tuned], density=1, scale=scale), task_arithmetic(start, [tuned], [scale]), 1)


@given(SEEDS, st.integers(1, 3), st.floats(0.1, 1), st.sampled_from(FLOATS))
@settings(max_examples=40, deadline=None)
def test_equal_models_are_one_and_scale_0_is_the_start(seed, count, density, dtype) -> None:
    start, [tuned] = family(seed, 1, dtype)
    close(ties(start, [tuned] * count, density=density), ties(start, [tuned], density=density), 1)
    close(ties(start, [tuned] * count, density=density, scale=0.0), start, 1)


@given(SEEDS, st.floats(0.1, 1))
@settings(max_examples=40, deadline=None)
def test_mirrored_models_give_the_mirrored_merge(seed: int, density: float) -> None:
    zero = {k: torch.zeros_like(t) for k, t in drawn(seed).items()}
    tuned = [drawn(seed + i) for i in range(3)]
    mirrored = [{k: -t if t.is_floating_point() else t for k, t in m.items()} for m in tuned]
    there, back = (ties(zero, m, density=density) for m in (tuned, mirrored))
    close(there, {k: -t if t.is_floating_point() else t for k, t in back.items()}, 1)


def test_a_worked_example() -> None:
    """Kept at 0.5: [9, -8, 0, 0], [5, 0, 4, 0]: signs +, -, +; means 7, -8, 4."""
    start = {"w": torch.ones(4)}
    tuned = [{"w": 1 + torch.tensor([9.0, -8, 1, 2])}, {"w": 1 + torch.tensor([5.0, 3, 4, -2])}]
    assert ties(start, tuned, density=0.5)["w"].tolist() == [8, -7, 5, 1]
    assert ties(start, tuned, density=1)["w"].tolist() == [8, -7, 3.5, 1]


def test_the_trim_looks_at_the_whole_delta_unless_told_otherwise() -> None:
    start = {"big": torch.zeros(4), "small": torch.zeros(4)}
    tuned = {"big": torch.tensor([8.0, 7, 6, 5]), "small": torch.tensor([0.4, 0.3, 0.2, 0.1])}
    whole = ties(start, [tuned], density=0.5)
    assert whole["big"].tolist() == [8, 7, 6, 5]
    assert not whole["small"].any()
    each = ties(start, [tuned], density=0.5, per_tensor=True)
    assert each["big"].tolist() == [8, 7, 0, 0]
    assert (each["small"] > 0).tolist() == [True, True, False, False]


def test_magnitudes_on_the_threshold_are_all_kept() -> None:
    start, tuned = {"w": torch.zeros(4)}, {"w": torch.tensor([1.0, -1, 1, 0.5])}
    assert ties(start, [tuned], density=0.25)["w"].tolist() == [1, -1, 1, 0]


@pytest.mark.parametrize("density", [0.0, -0.1, 1.5, float("nan")])
def test_a_density_outside_is_refused(density: float) -> None:
    with pytest.raises(WeightsError, match="TIES of 1 models at density"):
        ties(drawn(0), [drawn(1)], density=density)


def test_no_model_is_refused() -> None:
    with pytest.raises(WeightsError, match="TIES of 0 models"):
        ties(drawn(0), [])


def test_tied_names_count_once_in_the_trim() -> None:
    start = {"w": torch.zeros(2), "v": torch.zeros(2)}
    tuned = {"w": torch.tensor([3.0, 1.0]), "v": torch.tensor([2.0, 0.5])}
    alone = ties(start, [tuned], density=0.5)
    start["tied"], tuned["tied"] = start["w"], tuned["w"]
    shared = ties(start, [tuned], density=0.5)
    assert same(alone, {k: shared[k] for k in alone})
