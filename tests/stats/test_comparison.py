"""compare and rank: cases that can be known by hand, and what they refuse to be certain of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from surefoot.errors import DataError
from surefoot.stats import compare, rank
from surefoot.stats.paired import sign_flips
from surefoot.stats.spread import rows_of, spread


def rights(seed: int, n: int = 400, differ: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    a = g.random(n) < 0.8
    return a, a ^ (g.random(n) < differ)


def test_two_units_that_agree_are_no_certainty() -> None:
    found = compare({"t": [1, 1]}, {"t": [0, 0]}, {"t": ["x", "y"]})
    assert (found.difference, found.p, found.better) == (1.0, 0.5, 0)
    assert (found.interval.low, found.interval.high) == (-1.0, 1.0)
    many = compare({"t": np.ones(400)}, {"t": np.zeros(400)}, {"t": np.repeat(["x", "y"], 200)})
    assert (many.p, many.better) == (0.5, 0)
    assert many.interval.low <= 0
    assert "2 units are too few to call anything better, whatever they say." in many.says


def test_one_split_and_seed_is_mcnemars_test() -> None:
    """Exact p; the interval of Bonett and Price (2012), around the plain estimate."""
    for seed in range(5):
        a, b = rights(seed)
        only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
        found = compare({"t": a}, {"t": b})
        assert found.p >= sp.binomtest(only_a, only_a + only_b).pvalue - 1e-12
        assert found.difference == pytest.approx((only_a - only_b) / 400)
        p, q = (only_a + 1) / 402, (only_b + 1) / 402
        half = 1.96 * np.sqrt((p + q - (p - q) ** 2) / 402)
        assert found.interval.low == pytest.approx(p - q - half, abs=1e-3)
        assert found.interval.high == pytest.approx(p - q + half, abs=1e-3)
        assert found.about == "models"
        assert "One seed cannot tell how much another training would differ." in found.says
        assert set(found.limits) < set(found.says)


def test_mcnemar_by_hand() -> None:
    """9 images only a has right, 2 only b: p = 2 * P(X <= 2), X ~ Binomial(11, 1/2)."""
    a = np.array([1] * 9 + [0] * 2 + [1] * 30 + [0] * 9, bool)
    b = np.array([0] * 9 + [1] * 2 + [1] * 30 + [0] * 9, bool)
    test, back = compare({"t": a}, {"t": b}), compare({"t": b}, {"t": a})
    assert test.p == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert test.difference == -back.difference == pytest.approx(7 / 50)
    assert test.interval.low <= 0 < 7 / 50 < test.interval.high  # p > 0.05: zero is taken in
    assert back.interval.low == pytest.approx(-test.interval.high)
    same = compare({"t": a}, {"t": a})
    assert (same.difference, same.p) == (0.0, 1.0)
    assert same.interval.low < 0 < same.interval.high


def test_over_units_it_is_the_t_test_of_their_means() -> None:
    g = np.random.default_rng(6)
    units = np.repeat(np.arange(6), 40)
    b = g.random(240) < 0.5
    a = np.where(units < 3, True, b)  # better, but in half of the units only
    plain, robust = compare({"t": a}, {"t": b}), compare({"t": a}, {"t": b}, {"t": units})
    assert plain.p < 1e-6 < 0.01 < robust.p
    means = (a.astype(float) - b).reshape(6, 40).mean(axis=1)
    assert robust.standard_error == pytest.approx(means.std(ddof=1) / np.sqrt(6), rel=0.02)
    assert robust.better == 0


def test_splits_weigh_the_same_whatever_their_size() -> None:
    a = {"x": np.arange(10) < 1, "y": np.arange(1000) < 300}
    assert compare(a, {k: np.zeros(len(v)) for k, v in a.items()}).difference == pytest.approx(0.2)


def test_one_sided_p_agrees_with_the_interval() -> None:
    g = np.random.default_rng(3)
    for gain in (-0.1, 0.0, 0.06, 0.15):
        b = g.random((4, 300)) < 0.6
        a = np.where(g.random((4, 300)) < abs(gain), gain > 0, b)
        found = compare({"t": a}, {"t": b})
        for bound in (-0.02, 0.0, 0.04):
            assert (found.p_above(bound) < 0.025) == (found.interval.low > bound)
            assert (found.p_below(bound) < 0.025) == (found.interval.high < bound)
        assert found.p_above() + found.p_below() == pytest.approx(1)


def test_one_image_says_nothing() -> None:
    found = compare({"t": [[1.0], [1.0]]}, {"t": [[0.0], [0.0]]})
    assert not found.interval
    assert found.p_above(-0.5) == found.p_below(0.5) == 1.0


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 40), st.sampled_from([0.01, 0.2]))
@settings(max_examples=60, deadline=None)
def test_the_interval_leaves_out_zero_where_p_is_small(
    seed: int, seeds: int, units: int, differ: float
) -> None:
    g = np.random.default_rng(seed)
    a = g.random((seeds, 200)) < 0.8
    b = a ^ (g.random((seeds, 200)) < differ) & (g.random((seeds, 200)) < 0.7)
    found = compare({"t": a}, {"t": b}, {"t": g.integers(0, units, 200)})
    if found.interval:
        outside = not found.interval.low <= 0 <= found.interval.high
        assert outside == (found.p < 0.05) == bool(found.better)
        assert found.interval.low <= found.difference <= found.interval.high
    else:
        assert found.better == 0
        assert found.interval.reason
    back = compare({"t": b}, {"t": a}, {"t": np.zeros(200)})
    assert back.better == 0  # one unit


def test_the_same_images_three_times_say_no_more_than_once() -> None:
    a, b = rights(1)
    ids = np.arange(400)
    once = compare({"x": a}, {"x": b}, {"x": ids})
    names = ("x", "y", "z")
    copies = compare(*(dict.fromkeys(names, v) for v in (a, b, ids)))
    assert copies.units == 400
    assert copies.standard_error == pytest.approx(once.standard_error)
    apart = compare(dict.fromkeys(names, a), dict.fromkeys(names, b))
    assert apart.units == 1200
    assert apart.standard_error == pytest.approx(once.standard_error / np.sqrt(3), rel=0.02)
    assert set(copies.splits) == set(names)
    assert copies.splits["y"].p == pytest.approx(once.p)


def test_units_are_joined_over_splits() -> None:
    g = np.random.default_rng(2)
    who = np.repeat([f"designer {i}" for i in range(10)], 20)
    liked = dict(zip(np.unique(who), g.random(10) < 0.5, strict=True))
    a = np.array([liked[w] for w in who])
    b = np.zeros(200)
    joined = compare({"x": a, "y": a}, {"x": b, "y": b}, {"x": who, "y": who})
    other = np.char.add(who, " again")
    apart = compare({"x": a, "y": a}, {"x": b, "y": b}, {"x": who, "y": other})
    assert (joined.units, apart.units) == (10, 20)
    assert joined.standard_error > 1.3 * apart.standard_error


def test_methods_need_more_than_one_seed() -> None:
    a, b = rights(3, differ=0.3)
    found = compare({"t": a}, {"t": b}, about="methods")
    assert (found.p, found.better) == (1.0, 0)
    assert found.interval.reason == "one seed cannot tell how much another training would differ"
    assert found.p_above(-0.5) == 1.0
    assert compare({"t": np.ones(400)}, {"t": np.zeros(400)}).better == 1


def test_seeds_that_do_not_differ_leave_the_images_error() -> None:
    a, b = rights(4)
    one = compare({"t": a}, {"t": b})
    five = compare({"t": np.stack([a] * 5)}, {"t": b})
    assert (five.seeds, five.about) == (5, "methods")
    assert five.standard_error == pytest.approx(one.standard_error)
    assert five.interval.high == pytest.approx(one.interval.high)


def test_seeds_that_differ_decide() -> None:
    means = np.array([0.3, 0.5, 0.4])
    a = np.array([np.arange(1000) < 1000 * m for m in means])
    found = compare({"t": a}, {"t": np.zeros(1000)})
    seeds = sp.t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert found.interval.high - found.difference >= 0.9 * seeds
    fixed = compare({"t": a}, {"t": np.zeros(1000)}, about="models")
    assert fixed.interval.high - fixed.interval.low < 0.1


def test_half_and_tail_are_one_and_the_same() -> None:
    g = np.random.default_rng(5)
    found = spread(rows_of([g.integers(-1, 2, (3, 300))]), seeds_drawn=True)
    for level in (0.5, 0.9, 0.99):
        assert found.tail(found.half(level)) == pytest.approx((1 - level) / 2, rel=1e-4)
    assert found.tail(0.05) + found.tail(-0.05) == pytest.approx(1)


def test_equal_units_have_g_minus_one_degrees_of_freedom() -> None:
    g = np.random.default_rng(6)
    d, units = g.integers(-1, 2, 120), np.repeat(np.arange(12), 10)
    found = spread(rows_of([d], [units]), seeds_drawn=False)
    means = d.reshape(12, 10).mean(axis=1)
    assert found.unit_dof == pytest.approx(11)
    assert found.standard_error == pytest.approx(means.std(ddof=1) / np.sqrt(12))
    lopsided = spread(rows_of([d], [np.maximum(units, 8)]), seeds_drawn=False)
    assert lopsided.units == 4
    assert lopsided.unit_dof < 2 < lopsided.units - 1


def test_the_pieces_add_up_as_in_a_two_way_analysis_of_variance() -> None:
    g = np.random.default_rng(7)
    d = g.normal(size=(4, 50))
    found = spread(rows_of([d]), seeds_drawn=True)
    rest = d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()
    assert found.of_units == pytest.approx(d.mean(axis=0).var(ddof=1) / 50)
    assert found.of_seeds == pytest.approx(d.mean(axis=1).var(ddof=1) / 4)
    assert found.of_both == pytest.approx((rest**2).sum() / (3 * 49) / 200)
    twice = d.mean(axis=0).var(ddof=1) / 50 + d.mean(axis=1).var(ddof=1) / 4
    assert found.standard_error <= np.sqrt(twice)  # what both do together is counted once


def test_few_units_that_differ_bound_nothing() -> None:
    a = np.zeros(1300)
    a[:3] = 1  # three images of the first of 13 units
    found = compare({"t": a}, {"t": np.zeros(1300)}, {"t": np.repeat(np.arange(13), 100)})
    assert (found.differing, found.units) == (1, 13)
    assert found.interval.reason == "only 1 of 13 units differ"
    assert (found.p, found.better) == (1.0, 0)


def test_sign_flips_by_hand() -> None:
    assert sign_flips([1, 1, 1, 0, 0]) == pytest.approx(0.25)
    assert sign_flips([3, 2, 1]) == pytest.approx(0.25)
    assert sign_flips([3, 2, -1]) == pytest.approx(0.5)
    assert sign_flips([0, 0]) == 1.0
    assert sign_flips(np.arange(1, 14)) is None
    assert sign_flips([1] * 9 + [-1] * 2) == pytest.approx(2 * (1 + 11 + 55) / 2**11)


def test_rank_tests_every_pair() -> None:
    g = np.random.default_rng(8)
    best = g.random(800) < 0.8
    near = best.copy()
    near[:4] = ~near[:4]
    far = best & (g.random(800) < 0.85)
    models = {"far": far, "near": near, "best": best | near}
    found = rank({k: {"t": v} for k, v in models.items()})
    assert (found.best, found.tied) == ("best", ("near", "best"))
    assert found.better("best", "far") == -found.better("far", "best") == 1
    assert found.better("near", "best") == 0
    assert len(found.pairs) == 3
    assert found.p_to_best("far") == found.p["far", "best"] < 0.001
    assert found.p_to_best("best") is None
    assert rank({"one": {"t": far}}).tied == ("one",)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="no model"):
        rank({})
    with pytest.raises(DataError, match="same splits"):
        compare({"x": [1]}, {"y": [1]})
    with pytest.raises(DataError, match="same splits"):
        compare({}, {})
    with pytest.raises(DataError, match=r"\(1, 3\) and \(1, 2\)"):
        compare({"x": [1, 0, 1]}, {"x": [1, 0]})
    with pytest.raises(DataError, match=r"\(3, 2\) and \(2, 2\)"):
        compare({"x": np.ones((3, 2))}, {"x": np.ones((2, 2))})
    with pytest.raises(DataError, match="one per image"):
        compare({"x": [1, 0]}, {"x": [1, 0]}, {"x": ["a"]})
    with pytest.raises(DataError, match="seeds, images"):
        compare({"x": np.ones((2, 3)), "y": np.ones(4)}, {"x": np.ones(3), "y": np.ones(4)})
