"""Soups, Model Stock, task arithmetic and Fisher averages, against plain loops and their laws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from surefoot.errors import WeightsError
from surefoot.weights import (
    fisher_merge,
    greedy_soup,
    lerp,
    mean,
    model_stock,
    stock_ratios,
    task_arithmetic,
    ties,
    uniform_soup,
)

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SEEDS = st.integers(0, 10_000)


def drawn(seed: int, dtype: torch.dtype = torch.float32, *, spread: float = 1.0) -> dict:
    """A small set of weights with a matrix, a vector, a scalar and an integer buffer."""
    g = torch.Generator().manual_seed(seed)
    shapes = {"w": (3, 4), "b": (5,), "s": ()}
    floats = {k: (spread * torch.randn(s, generator=g)).to(dtype) for k, s in shapes.items()}
    return {**floats, "n": torch.tensor(seed)}


def family(seed: int, count: int, dtype: torch.dtype = torch.float32) -> tuple[dict, list[dict]]:
    """A start, and tuned sets near it that have moved in like directions."""
    start, common = drawn(seed, dtype), drawn(seed + 1, dtype)
    tuned = []
    for i in range(count):
        own = drawn(seed + 2 + i, dtype)
        moved = {k: (start[k].double() + 0.3 * common[k].double() + 0.1 * own[k].double())
                 .to(dtype) for k in "wbs"}  # fmt: skip
        tuned.append({**moved, "n": torch.tensor(100 + i)})
    return start, tuned


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a
    )


def close(a: Mapping[str, Tensor], b: Mapping[str, Tensor], ulps: float = 4) -> None:
    for k in a:
        if a[k].is_floating_point():
            eps = torch.finfo(a[k].dtype).eps * ulps
            torch.testing.assert_close(a[k].double(), b[k].double(), rtol=eps, atol=eps)


def plain_stock(start: Tensor, tuned: Sequence[Tensor]) -> tuple[float, np.ndarray]:
    """Model Stock in numpy, pair by pair, as the paper and mergekit write it."""
    x = start.double().numpy().reshape(-1)
    deltas = [t.double().numpy().reshape(-1) - x for t in tuned]
    cosines = []
    for i in range(len(deltas)):
        for j in range(i):
            lengths = [math.sqrt(sum(d * d for d in deltas[k])) for k in (i, j)]
            dot = sum(p * q for p, q in zip(deltas[i], deltas[j], strict=True))
            cosines.append(dot / lengths[0] / lengths[1] if all(lengths) else 0.0)
    # Our reading: models that point apart leave the tensor at the start.
    n, cos = len(deltas), max(sum(cosines) / len(cosines), 0.0)
    t = n * cos / (1 + (n - 1) * cos)
    average = sum(x + d for d in deltas) / n
    return t, (t * average + (1 - t) * x).reshape(start.shape)


@given(SEEDS, st.integers(2, 4), st.sampled_from(FLOATS))
@settings(max_examples=60, deadline=None)
def test_model_stock_is_the_formula(seed: int, count: int, dtype: torch.dtype) -> None:
    start, tuned = family(seed, count, dtype)
    got, ratios = model_stock(start, tuned), stock_ratios(start, tuned)
    assert ratios.keys() == {"w", "b", "s"}
    for name in "wbs":
        t, expected = plain_stock(start[name], [m[name] for m in tuned])
        assert ratios[name] == pytest.approx(t, abs=1e-6)
        eps = 4 * torch.finfo(dtype).eps
        assert got[name].dtype == dtype
        np.testing.assert_allclose(got[name].double().numpy(), expected, rtol=eps, atol=eps)


def test_two_models_at_a_known_angle() -> None:
    """60 degrees: t = 2 cos / (1 + cos) = 2/3."""
    start = {"w": torch.zeros(2)}
    tuned = [{"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.5, math.sqrt(0.75)])}]
    assert stock_ratios(start, tuned)["w"] == pytest.approx(2 / 3)
    expected = 2 / 3 * (tuned[0]["w"] + tuned[1]["w"]) / 2
    torch.testing.assert_close(model_stock(start, tuned)["w"], expected)


def test_model_stock_stays_at_the_start_where_the_models_disagree() -> None:
    start = {"away": torch.zeros(2), "right": torch.ones(2), "still": torch.ones(2)}
    one = {"away": torch.tensor([1.0, 0.0]), "right": torch.tensor([2.0, 1.0]),
           "still": torch.ones(2)}  # fmt: skip
    two = {"away": torch.tensor([-1.0, 0.1]), "right": torch.tensor([1.0, 2.0]),
           "still": torch.tensor([1.0, 5.0])}  # fmt: skip
    assert same(model_stock(start, [one, two]), start)


@given(SEEDS, st.integers(2, 4), st.sampled_from(FLOATS))
@settings(max_examples=30, deadline=None)
def test_equal_models_come_back_bit_for_bit_from_model_stock_t_1(seed, count, dtype) -> None:
    start, (tuned, *_) = family(seed, 1, dtype)
    close(model_stock(start, [tuned] * count), tuned, 1)
    assert all(t == pytest.approx(1, abs=1e-9) or torch.equal(start[k], tuned[k])
               for k, t in stock_ratios(start, [tuned] * count).items())  # fmt: skip


@given(SEEDS, st.permutations(range(3)), st.sampled_from(FLOATS))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_models_does_not_show(seed, order, dtype) -> None:
    start, tuned = family(seed, 3, dtype)
    fishers = [{"w": drawn(seed + 50 + i)["w"].square()} for i in range(3)]
    turned, turned_fishers = [tuned[i] for i in order], [fishers[i] for i in order]
    merges = (
        lambda m, _: uniform_soup(m),
        lambda m, _: model_stock(start, m),
        lambda m, _: ties(start, m),
        lambda m, _: task_arithmetic(start, m, [0.3] * 3),
        lambda m, f: fisher_merge(m, f),
    )
    for merge in merges:
        close(merge(tuned, fishers), merge(turned, turned_fishers), 1)


@given(SEEDS, st.sampled_from(FLOATS))
@settings(max_examples=30, deadline=None)
def test_one_model_in_is_that_model_out(seed: int, dtype: torch.dtype) -> None:
    start, [tuned] = family(seed, 1, dtype)
    assert same(uniform_soup([tuned]), tuned)
    assert same(greedy_soup([tuned], lambda w: 0.5)[0], tuned)
    assert same(task_arithmetic(start, [tuned], [1]), tuned)
    assert same(fisher_merge([tuned], [{"w": torch.ones(3, 4)}]), tuned)
    close(ties(start, [tuned], density=1), tuned, 1)


@given(SEEDS, st.floats(-2, 2), st.sampled_from(FLOATS))
@settings(max_examples=60, deadline=None)
def test_task_arithmetic_against_numpy(seed: int, scale: float, dtype: torch.dtype) -> None:
    start, tuned = family(seed, 2, dtype)
    got = task_arithmetic(start, tuned, [scale, -0.5])
    for name in "wbs":
        x, y, z = (t[name].double().numpy() for t in (start, *tuned))
        eps = 4 * torch.finfo(dtype).eps
        np.testing.assert_allclose(got[name].double().numpy(), x + scale * (y - x) - 0.5 * (z - x),
                                   rtol=eps, atol=eps)  # fmt: skip
    assert got["n"] == tuned[-1]["n"]
    assert task_arithmetic(start, tuned, [scale, 1], integers="start")["n"] == start["n"]


@given(SEEDS, st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_one_task_vector_between_the_ends_is_wise_ft(seed: int, alpha: float) -> None:
    start, [tuned] = family(seed, 1)
    close(task_arithmetic(start, [tuned], [alpha]), lerp(start, tuned, alpha), 2)


@given(SEEDS, st.floats(0.1, 2), st.sampled_from(FLOATS))
@settings(max_examples=40, deadline=None)
def test_negation_then_addition_returns_the_start(seed, scale, dtype) -> None:
    start, [tuned] = family(seed, 1, dtype)
    forgot = task_arithmetic(start, [tuned], [-scale])
    # The same task vector, on top of the model that forgot it.
    shifted = {k: (forgot[k].double() + (tuned[k].double() - start[k].double())).to(dtype)
               if k != "n" else tuned[k] for k in start}  # fmt: skip
    close(task_arithmetic(forgot, [shifted], [scale]), start, 16)
    both = task_arithmetic(start, [tuned, tuned], [scale, -scale], integers="start")
    close(both, start, 1)
    assert same(task_arithmetic(start, [tuned], [0], integers="start"), start)


@given(SEEDS, st.lists(st.floats(0.1, 3), min_size=3, max_size=3), st.sampled_from(FLOATS))
@settings(max_examples=40, deadline=None)
def test_fisher_against_a_plain_loop(seed, weights, dtype) -> None:
    _, models = family(seed, 3, dtype)
    fishers = [{"w": drawn(seed + 9 + i)["w"].square()} for i in range(3)]
    got = fisher_merge(models, fishers, weights)
    for at in np.ndindex(3, 4):
        total = top = 0.0
        for model, fisher, weight in zip(models, fishers, weights, strict=True):
            total += weight * float(fisher["w"][at])
            top += weight * float(fisher["w"][at]) * float(model["w"][at])
        eps = 4 * torch.finfo(dtype).eps
        assert float(got["w"][at]) == pytest.approx(top / total, rel=eps, abs=eps)
    shares = [w / sum(weights) for w in weights]
    plain = sum(s * m["b"].double() for s, m in zip(shares, models, strict=True))
    close({"b": got["b"]}, {"b": plain})


@given(SEEDS, st.floats(1e-6, 1e6))
@settings(max_examples=30, deadline=None)
def test_equal_fishers_are_the_mean_whatever_their_size(seed: int, size: float) -> None:
    _, models = family(seed, 3)
    fisher = {"w": torch.full((3, 4), size), "b": drawn(seed)["b"].square()}
    close(fisher_merge(models, [fisher] * 3), mean(models))


def test_a_model_that_is_sure_of_a_number_decides_it() -> None:
    models = [{"w": torch.tensor([1.0, 1.0, 1.0])}, {"w": torch.tensor([3.0, 3.0, 3.0])}]
    fishers = [{"w": torch.tensor([0.0, 1.0, 0.0])}, {"w": torch.tensor([5.0, 0.0, 0.0])}]
    assert fisher_merge(models, fishers)["w"].tolist() == [3.0, 1.0, 2.0]
    tiny = [{"w": f["w"] * 1e-30} for f in fishers]
    assert fisher_merge(models, tiny)["w"].tolist() == [3.0, 1.0, 2.0]
    assert fisher_merge(models, tiny, floor=1.0)["w"].tolist() == [2.0, 2.0, 2.0]
    assert fisher_merge(models, fishers, [0, 1])["w"].tolist() == [3.0, 3.0, 3.0]


def test_the_greedy_soup_takes_what_helps_and_says_what() -> None:
    """Score: nearness to 1. Members 0.9, 0.0 and 1.4: alone 0.9 is best, with 1.4 it is worse."""
    models = [{"w": torch.tensor([v])} for v in (0.0, 0.9, 1.2, 1.4)]
    seen: list[float] = []

    def score(weights: Mapping[str, Tensor]) -> float:
        seen.append(float(weights["w"]))
        return -abs(float(weights["w"]) - 1)

    soup, chosen = greedy_soup(models, score)
    # 0.9, then (0.9 + 1.2) / 2 = 1.05 is better, (0.9 + 1.2 + 1.4) / 3 and with 0.0 are worse.
    assert chosen == (1, 2)
    torch.testing.assert_close(soup["w"], torch.tensor([1.05]))
    assert seen == pytest.approx([0.0, 0.9, 1.2, 1.4, 1.05, 3.5 / 3, 0.7])


def test_on_a_tie_the_candidate_joins_as_in_the_paper() -> None:
    models = [{"w": torch.tensor([float(v)])} for v in range(3)]
    assert greedy_soup(models, lambda _: 0.5)[1] == (0, 1, 2)


@pytest.mark.parametrize("integers", ["start", "end"])
def test_integers_come_from_the_named_end(integers: str) -> None:
    start, tuned = family(0, 2)
    expected = start["n"] if integers == "start" else tuned[-1]["n"]
    fishers = [{}, {}, {}]
    for out in (
        model_stock(start, tuned, integers=integers),
        ties(start, tuned, integers=integers),
        task_arithmetic(start, tuned, [0.0, 0.0], integers=integers),
        fisher_merge([start, *tuned], fishers, [0, 1, 0], integers=integers),
    ):
        assert out["n"] == expected
        assert out["n"].dtype == torch.int64


def test_shared_tensors_stay_shared_and_inputs_are_left_alone() -> None:
    start, tuned = family(3, 2)
    for each in (start, *tuned):
        each["tied"] = each["w"]
    before = [{k: t.clone() for k, t in each.items()} for each in (start, *tuned)]
    outs = (model_stock(start, tuned), ties(start, tuned), task_arithmetic(start, tuned, [1, 1]))
    for out in outs:
        assert out["tied"] is out["w"]
        assert out["w"].data_ptr() not in {t["w"].data_ptr() for t in (start, *tuned)}
    assert all(same(x, y) for x, y in zip(before, (start, *tuned), strict=True))


def test_stored_masks_with_infinities_are_copied() -> None:
    mask = torch.tensor([0.0, -math.inf])
    start, tuned = family(4, 2)
    for each in (start, *tuned):
        each["mask"] = mask.clone()
    for out in (
        model_stock(start, tuned),
        ties(start, tuned),
        task_arithmetic(start, tuned, [1, 1]),
    ):
        assert torch.equal(out["mask"], mask)


@pytest.mark.parametrize(
    "merge",
    [
        lambda a, b: uniform_soup([a, b]),
        lambda a, b: greedy_soup([a, b], lambda _: 0.0),
        lambda a, b: model_stock(a, [a, b]),
        lambda a, b: ties(a, [a, b]),
        lambda a, b: task_arithmetic(a, [b], [0.5]),
        lambda a, b: fisher_merge([a, b], [{}, {}]),
    ],
)
def test_everything_is_audited_first(merge) -> None:
    good = drawn(0)
    with pytest.raises(WeightsError, match="'w' has the shape"):
        merge(good, {**good, "w": torch.zeros(1, 4)})
    with pytest.raises(WeightsError, match="'b' holds 5 NaN"):
        merge(good, {**good, "b": torch.full((5,), math.nan)})
    with pytest.raises(WeightsError, match=r"'w' .* is in the first set only"):
        merge(good, {k: v for k, v in good.items() if k != "w"})


def test_a_result_that_overflows_is_refused() -> None:
    start, tuned = {"w": torch.zeros(2).half()}, {"w": torch.full((2,), 6e4).half()}
    with pytest.raises(WeightsError, match="overflows in 'w'"):
        task_arithmetic(start, [tuned, tuned], [1, 1])


def test_wrong_arguments_are_named() -> None:
    one = drawn(0)
    with pytest.raises(WeightsError, match="given 1 tuned model"):
        model_stock(one, [one])
    with pytest.raises(WeightsError, match="1 task vectors cannot be added"):
        task_arithmetic(one, [one], [1, 2])
    with pytest.raises(WeightsError, match=r"with the scales \[nan"):
        task_arithmetic(one, [one], [math.nan])
    with pytest.raises(WeightsError, match="no weights to combine"):
        greedy_soup([], lambda _: 0.0)
    with pytest.raises(WeightsError, match="score of a model is NaN"):
        greedy_soup([one], lambda _: math.nan)
    with pytest.raises(WeightsError, match="0 sets of weights"):
        uniform_soup([])
    with pytest.raises(WeightsError, match="2 models with 1 Fishers"):
        fisher_merge([one, one], [{}])
    with pytest.raises(WeightsError, match="Fisher 2 does not fit in 'w'"):
        fisher_merge([one, one], [{"w": torch.ones(3, 4)}, {}])
    with pytest.raises(WeightsError, match="Fisher 1 does not fit in 'b'"):
        fisher_merge([one], [{"b": -torch.ones(5)}])
    with pytest.raises(WeightsError, match="floor of the Fishers is -1"):
        fisher_merge([one], [{}], floor=-1)
