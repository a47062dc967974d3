"""Intervals against known values and by simulation; paired tests against scipy and sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from surefoot.errors import DataError
from surefoot.stats import (
    bootstrap,
    clopper_pearson,
    cluster_bootstrap,
    combine_mean,
    distance_interval,
    fit_baseline,
    holm,
    logit,
    mean_interval_over_seeds,
    paired_difference,
    paired_se,
    ties,
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


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    x = np.random.default_rng(0).normal(3, 2, 400)
    interval = bootstrap(lambda w: float(w @ x / w.sum()), 400, samples=2000)
    half = 1.96 * x.std() / 20
    assert interval.low == pytest.approx(x.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(x.mean() + half, abs=0.03)
    assert interval == bootstrap(lambda w: float(w @ x / w.sum()), 400, samples=2000)


def test_bootstrap_where_the_statistic_is_mostly_missing() -> None:
    interval = bootstrap(lambda w: math.nan if w[0] else 1.0, 5)
    assert not interval
    assert math.isnan(interval.low)


def test_bootstrap_without_samples_gives_none() -> None:
    assert not bootstrap(lambda w: 1.0, 5, samples=0)


def test_no_spread_among_resamples_is_no_certainty() -> None:
    right = np.ones(30)
    assert not bootstrap(lambda w: float(w @ right / w.sum()), 30)


def test_cluster_bootstrap_of_a_mean_equals_that_of_the_statistic() -> None:
    g = np.random.default_rng(1)
    x, clusters = g.random(120), g.integers(0, 9, 120).astype(str)
    fast = cluster_bootstrap(x, clusters, seed=4)
    slow = cluster_bootstrap(lambda w: float(w @ x / w.sum()), clusters, seed=4)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))
    assert fast.kind == "cluster-bootstrap"


def test_cluster_interval_is_wider_than_the_plain_one_where_clusters_differ() -> None:
    g = np.random.default_rng(2)
    clusters = np.repeat(np.arange(12), 50)
    rates = g.uniform(0.3, 0.9, 12)
    correct = g.random(600) < rates[clusters]
    around = cluster_bootstrap(correct, clusters)
    plain = clopper_pearson(int(correct.sum()), 600)
    assert around.high - around.low > 1.5 * (plain.high - plain.low)


def test_two_clusters_say_almost_nothing_and_one_says_none() -> None:
    correct = np.array([1] * 60 + [0] * 40 + [1] * 80 + [0] * 20, dtype=bool)
    two = cluster_bootstrap(correct, np.repeat([0, 1], 100))
    assert (two.low, two.high) == (0.0, 1.0)
    assert not cluster_bootstrap(correct, np.zeros(200))
    assert not cluster_bootstrap(np.ones(200, dtype=bool), np.repeat([0, 1], 100))


@pytest.mark.parametrize("groups", [4, 8, 25])
def test_cluster_interval_covers(groups: int) -> None:
    """Nominal 95 %; clusters of unequal size whose rates vary; the plain interval covers < 70 %."""
    g = np.random.default_rng(groups)
    truth, trials = 0.6, 300
    inside = plain_inside = 0
    for trial in range(trials):
        sizes = g.integers(30, 60, groups)
        codes = np.repeat(np.arange(groups), sizes)
        correct = g.random(len(codes)) < g.beta(3.0, 2.0, groups)[codes]
        around = cluster_bootstrap(correct, codes, samples=300, seed=trial)
        plain = clopper_pearson(int(correct.sum()), len(correct))
        inside += around.low <= truth <= around.high
        plain_inside += plain.low <= truth <= plain.high
    assert inside / trials > 0.91
    assert plain_inside / trials < 0.70


def test_cluster_labels_must_fit() -> None:
    with pytest.raises(DataError, match="one per image"):
        paired_difference([True, False], [True, True], clusters=[1, 2, 3])


def test_paired_se_by_hand() -> None:
    a, b = np.array([1, 1, 0, 1], bool), np.array([0, 1, 1, 0], bool)
    d = np.array([1, 0, -1, 1.0])
    assert paired_se(a, b) == pytest.approx(math.sqrt(((d - d.mean()) ** 2).sum() / 3 / 4))
    assert paired_se(a, a) == 0
    assert paired_se([True], [False]) == math.inf


def test_mcnemar_by_hand() -> None:
    """9 images only a has right, 2 only b: p = 2 * P(X <= 2), X ~ Binomial(11, 1/2)."""
    a = np.array([1] * 9 + [0] * 2 + [1] * 30 + [0] * 9, bool)
    b = np.array([0] * 9 + [1] * 2 + [1] * 30 + [0] * 9, bool)
    test = paired_difference(a, b)
    assert test.p == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert test.difference == pytest.approx(7 / 50)
    assert test.interval.low < 7 / 50 < test.interval.high
    back = paired_difference(b, a)
    assert back.difference == -test.difference
    assert back.interval.low == pytest.approx(-test.interval.high)


def test_identical_models_have_p_1_and_no_difference() -> None:
    a = np.arange(50) % 3 == 0
    test = paired_difference(a, a)
    assert (test.difference, test.p) == (0.0, 1.0)
    assert test.interval.low < 0 < test.interval.high


def test_paired_interval_covers() -> None:
    g = np.random.default_rng(5)
    inside = 0
    for _ in range(600):
        kind = g.choice(4, size=80, p=[0.55, 0.17, 0.08, 0.2])
        test = paired_difference((kind == 0) | (kind == 1), (kind == 0) | (kind == 2))
        inside += test.interval.low <= 0.09 <= test.interval.high
    assert 0.925 < inside / 600 < 0.985


def test_paired_over_clusters() -> None:
    g = np.random.default_rng(6)
    clusters = np.repeat(np.arange(6), 40)
    b = g.random(240) < 0.5
    a = np.where(clusters < 3, True, b)  # better, but in half of the clusters only
    plain, robust = paired_difference(a, b), paired_difference(a, b, clusters=clusters)
    assert plain.p < 1e-6 < 0.01 < robust.p
    assert robust.standard_error > 2 * plain.standard_error
    assert robust.clusters == 6
    means = (a.astype(float) - b).reshape(6, 40).mean(axis=1)
    assert robust.standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(6))
    assert robust.p == pytest.approx(sp.ttest_1samp(means, 0).pvalue)


def test_one_cluster_cannot_tell() -> None:
    test = paired_difference([True] * 9, [False] * 9, clusters=[0] * 9)
    assert test.p == 1.0
    assert not test.interval


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


def test_ties() -> None:
    g = np.random.default_rng(7)
    best = g.random(500) < 0.8
    near = best.copy()
    near[:3] = ~near[:3]
    far = best & (g.random(500) < 0.8)
    found = ties({"far": far, "near": near, "best": best | near})
    assert found.best == "best"
    assert found.tied == ("near", "best")
    assert found.p["far"] < 0.001 < 0.05 < found.p["near"]
    assert ties({"one": best}).tied == ("one",)
    with pytest.raises(DataError, match="no model"):
        ties({})


def test_mean_over_seeds() -> None:
    found = mean_interval_over_seeds([0.5, 0.6, 0.7])
    half = sp.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert found.mean == pytest.approx(0.6)
    assert found.standard_deviation == pytest.approx(0.1)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.6 - half, 0.6 + half))
    assert not mean_interval_over_seeds([0.5]).interval
    with pytest.raises(DataError, match="no seed"):
        mean_interval_over_seeds([])


def test_mean_over_independent_shifts() -> None:
    g = np.random.default_rng(8)
    a, b = g.random(300) < 0.9, g.random(1000) < 0.4
    mean, interval = combine_mean([a, b], samples=4000)
    assert mean == pytest.approx((a.mean() + b.mean()) / 2)
    half = 1.96 * math.sqrt(a.var() / 300 + b.var() / 1000) / 2
    assert interval.low == pytest.approx(mean - half, abs=0.003)
    assert interval.high == pytest.approx(mean + half, abs=0.003)


def test_mean_over_shifts_of_the_same_images_is_wider() -> None:
    a = np.random.default_rng(9).random(400) < 0.6
    _, paired = combine_mean([a, a, a], paired=True)
    _, apart = combine_mean([a, a, a])
    assert paired.high - paired.low == pytest.approx(
        math.sqrt(3) * (apart.high - apart.low), rel=0.1
    )
    with pytest.raises(DataError, match="400, 9"):
        combine_mean([a, a[:9]], paired=True)


def test_mean_over_shifts_with_clusters() -> None:
    g = np.random.default_rng(10)
    clusters = np.repeat(np.arange(10), 30)
    a = g.random(300) < g.uniform(0.2, 0.9, 10)[clusters]
    _, plain = combine_mean([a, a])
    _, around = combine_mean([a, a], clusters=[clusters, clusters])
    assert around.kind == "cluster-bootstrap"
    assert around.high - around.low > 1.5 * (plain.high - plain.low)
    _, none = combine_mean([a, a], clusters=[clusters, np.zeros(300)])
    assert not none
    with pytest.raises(DataError, match="needs images"):
        combine_mean([])


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


def test_the_interval_of_a_distance_holds_the_distance_and_grows_with_doubt() -> None:
    g = np.random.default_rng(0)
    x = g.uniform(0.5, 0.9, 60)
    y = 1 / (1 + np.exp(-(np.log(x / (1 - x)) - 1 + g.normal(0, 0.1, 60))))
    value = float(fit_baseline(x, y).effective_robustness(0.8, 0.7))
    sure = distance_interval(x, y, (0.8, 0.001), (0.7, 0.001), samples=200)
    doubtful = distance_interval(x, y, (0.8, 0.001), (0.7, 0.02), samples=200)
    assert sure.low < value < sure.high
    assert doubtful.high - doubtful.low > 2 * (sure.high - sure.low)
    assert distance_interval(x, y, (0.8, 0.001), (0.7, 0.001), samples=200) == sure
    with pytest.raises(DataError, match="different ID accuracy"):
        distance_interval([0.5, 0.5], [0.4, 0.3], (0.8, 0.01), (0.7, 0.01))
