"""Intervals against known values; Holm, means over seeds and the baseline line by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from surefoot.errors import DataError
from surefoot.stats import (
    Interval,
    bound_of_mean,
    clopper_pearson,
    fit_baseline,
    holm,
    logit,
    mean_interval_over_seeds,
    paired_se,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # published tables and R's binom.test
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (8, 10, 0.4439, 0.9748),
        (50, 100, 0.3983, 0.6017),
        (1, 1000, 0.0000253, 0.00556),
    ],
)
def test_clopper_pearson_known(k: int, n: int, low: float, high: float) -> None:
    interval = clopper_pearson(k, n)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)
    assert interval.kind == "clopper-pearson"


@given(st.integers(1, 300), st.data())
@settings(max_examples=40, deadline=None)
def test_clopper_pearson_is_scipys_exact(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    ours = clopper_pearson(k, n)
    theirs = sp.binomtest(k, n).proportion_ci(0.95, "exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


@pytest.mark.parametrize("p", [0.03, 0.5, 0.9])
def test_clopper_pearson_covers_at_least_95_percent(p: float) -> None:
    n = 40
    inside = [clopper_pearson(k, n).low <= p <= clopper_pearson(k, n).high for k in range(n + 1)]
    assert sp.binom.pmf(np.arange(n + 1), n, p)[inside].sum() >= 0.95


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_no_proportion(k: int, n: int) -> None:
    with pytest.raises(DataError, match=f"{k} of {n} is no proportion"):
        clopper_pearson(k, n)


def test_paired_se_by_hand() -> None:
    a, b = np.array([1, 1, 0, 1], bool), np.array([0, 1, 1, 0], bool)
    d = np.array([1, 0, -1, 1.0])
    assert paired_se(a, b) == pytest.approx(math.sqrt(((d - d.mean()) ** 2).sum() / 3 / 4))
    assert paired_se(a, a) == 0
    assert paired_se([True], [False]) == math.inf


def test_pairs_need_the_same_images() -> None:
    with pytest.raises(DataError, match=r"\(3,\) and \(2,\)"):
        paired_se([True] * 3, [False] * 2)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None)
def test_holm_lies_between_raw_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    raw = np.array(p)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_mean_over_seeds() -> None:
    found = mean_interval_over_seeds([0.5, 0.6, 0.7])
    half = sp.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert found.mean == pytest.approx(0.6)
    assert found.standard_deviation == pytest.approx(0.1)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.6 - half, 0.6 + half))
    assert not mean_interval_over_seeds([0.5]).interval
    with pytest.raises(DataError, match="no seed"):
        mean_interval_over_seeds([])


def test_logit_is_finite_at_the_ends() -> None:
    assert np.isfinite(logit([0.0, 1.0])).all()
    assert logit(1.0, n=100) == pytest.approx(math.log(0.995 / 0.005))
    assert logit(0.5) == 0
    with pytest.raises(DataError, match="fractions"):
        logit(76.3)


def test_baseline_line_finds_a_planted_line() -> None:
    x = np.linspace(0.3, 0.9, 7)
    y = 1 / (1 + np.exp(-(0.8 * np.log(x / (1 - x)) - 1.1)))
    line = fit_baseline(x, y)
    assert (line.slope, line.intercept, line.r2, line.n) == pytest.approx((0.8, -1.1, 1.0, 7))
    assert line.predict(x) == pytest.approx(y)
    assert line.effective_robustness(x, y + 0.05) == pytest.approx(np.full(7, 0.05))
    with pytest.raises(DataError, match="at least two models"):
        fit_baseline([0.5, 0.5], [0.1, 0.2])


def test_a_line_serves_models_that_are_better_than_its_own() -> None:
    """No accuracy of the table is near 1; a model's is, and is not drawn in to the table's."""
    x = np.linspace(0.3, 0.8, 9)
    line = fit_baseline(x, x)
    assert line.predict(0.97) == pytest.approx(0.97)


def test_a_bound_of_a_mean_takes_numbers_for_the_same_images() -> None:
    own = clopper_pearson(60, 100)
    one = bound_of_mean([[0.6, 0.6, 0.6]], [[own] * 3])
    assert (one.low, one.high, one.kind) == (own.low, own.high, "bound")
    values = [[0.5], [0.6], [0.7]]
    seeds = bound_of_mean(values, [[own]] * 3)
    spread = sp.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert seeds.high - 0.6 == pytest.approx(math.hypot(own.high - 0.6, spread))
    none = Interval.none("one unit")
    assert bound_of_mean(values, [[own], [none], [own]]).reason == "one unit"
