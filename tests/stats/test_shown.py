"""Intervals of means, shares, extremes and metrics: by hand, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.errors import DataError
from surefoot.metrics import (
    ECE,
    MACRO_F1,
    METRICS,
    NLL,
    PER_CLASS,
    TOP1,
    WORST_GROUP,
    difference_interval,
    interval,
    pseudo_values,
)
from surefoot.records import Curve, Score
from surefoot.select import regret_interval
from surefoot.stats import (
    Interval,
    clopper_pearson,
    compare,
    fit_baseline,
    highest,
    interval_of_mean,
    lowest,
    robustness_difference,
    robustness_interval,
)


def answers(seed: int, n: int = 300, classes: int = 6) -> dict[str, np.ndarray]:
    g = np.random.default_rng(seed)
    label = g.integers(0, classes, n)
    said = np.where(g.random(n) < 0.7, label, g.integers(0, classes + 1, n))
    return {"label": label, "predicted": said}


def test_one_split_of_images_is_clopper_pearson() -> None:
    x = np.arange(40) < 31
    assert interval_of_mean({"t": x}) == clopper_pearson(31, 40)


def test_units_that_do_not_matter_give_nearly_the_same() -> None:
    x = np.random.default_rng(0).random(2000) < 0.8
    plain = interval_of_mean({"t": x})
    units = interval_of_mean({"t": x}, {"t": np.arange(2000) // 5})
    assert units.kind == "korn-graubard"
    assert units.high - units.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_units_that_differ_widen_it() -> None:
    unit = np.repeat(np.arange(12), 50)
    x = np.random.default_rng(1).random(600) < np.linspace(0.3, 0.95, 12)[unit]
    plain, units = interval_of_mean({"t": x}), interval_of_mean({"t": x}, {"t": unit})
    assert units.high - units.low > 2 * (plain.high - plain.low)


def test_all_right_counts_the_units() -> None:
    found = interval_of_mean({"t": np.ones(600)}, {"t": np.repeat(np.arange(6), 100)})
    assert found.low == pytest.approx(clopper_pearson(6, 6).low)
    assert found.high == 1.0


def test_units_that_are_all_alike_are_no_certainty() -> None:
    """Their spread is rounding; it left an interval of no width."""
    right = np.tile([1, 1, 1, 0], 40)
    found = interval_of_mean({"t": right}, {"t": np.repeat(np.arange(10), 16)})
    assert found.high - found.low > 0.3
    assert found.low < 0.75 < found.high


def test_one_unit_and_one_seed_say_why_not() -> None:
    x = np.random.default_rng(2).random(50) < 0.5
    assert "one unit" in interval_of_mean({"t": x}, {"t": ["a"] * 50}).reason
    assert "one seed" in interval_of_mean({"t": x, "u": x}, seeds_drawn=True).reason


def test_the_same_images_under_three_corruptions_are_the_units() -> None:
    x = np.random.default_rng(3).random(500) < 0.7
    ids = np.arange(500)
    copies = interval_of_mean(dict.fromkeys("xyz", x), dict.fromkeys("xyz", ids))
    once = interval_of_mean({"x": x})
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.03)


@pytest.mark.parametrize("metric", [PER_CLASS, MACRO_F1], ids=lambda m: m.name)
def test_pseudo_values_are_those_of_the_jackknife(metric: object) -> None:
    assert metric in (PER_CLASS, MACRO_F1)
    chosen = PER_CLASS if metric is PER_CLASS else MACRO_F1
    columns = answers(4, 60)
    whole, by_hand = chosen.reduce(columns, np.ones(60)), []
    for i in range(60):
        weights = np.ones(60)
        weights[i] = 0
        by_hand.append(60 * whole - 59 * chosen.reduce(columns, weights))
    assert pseudo_values(chosen, columns) == pytest.approx(by_hand)


def test_a_metric_that_is_no_mean_has_no_pseudo_values() -> None:
    with pytest.raises(DataError, match="no smooth function"):
        pseudo_values(ECE, {"value": np.ones(3)})
    assert pseudo_values(TOP1, {"value": np.array([1.0, 0.0])}).tolist() == [1.0, 0.0]


def test_thin_classes_give_no_interval() -> None:
    g = np.random.default_rng(5)
    label = np.concatenate([np.zeros(200, int), np.arange(1, 40)])
    columns = {"label": label, "predicted": np.where(g.random(239) < 0.8, label, 0)}
    for metric in (PER_CLASS, MACRO_F1):
        assert "fewer than 5 images" in interval(metric, [columns]).reason
        assert "fewer than 5 images" in difference_interval(metric, [columns], [columns]).reason


def test_the_worst_group_is_bounded_by_the_groups_own() -> None:
    right = np.concatenate([np.arange(50) < k for k in (20, 40, 45)]).astype(float)
    columns = {"value": right, "group": np.repeat([0, 1, 2], 50), "counts": np.ones(150, bool)}
    found = interval(WORST_GROUP, [columns])
    assert found.kind == "bonferroni"
    assert found.low == clopper_pearson(20, 50).low
    assert found.high == clopper_pearson(20, 50, 1 - 0.05 / 3).high
    columns["counts"] = np.repeat([False, True, True], 50)
    assert interval(WORST_GROUP, [columns]).low == clopper_pearson(40, 50).low
    alone = interval(WORST_GROUP, [columns], np.repeat(["a", "b", "c"], 50))
    assert "one unit" in alone.reason


def test_the_least_and_the_greatest_mirror_each_other() -> None:
    pairs = [(Interval(i / 10, i / 10 + 0.1, "t"), Interval(i / 10 - 0.05, i / 10 + 0.2, "t"))
             for i in (1, 4, 6)]  # fmt: skip
    assert (lowest(pairs).low, lowest(pairs).high) == pytest.approx((0.1, 0.3))
    assert (highest(pairs).low, highest(pairs).high) == pytest.approx((0.55, 0.7))
    assert lowest([*pairs, (Interval.none("because"), Interval.none())]).reason == "because"


def test_ece_holds_its_own_value_and_says_nothing_of_other_seeds() -> None:
    g = np.random.default_rng(6)
    c = g.uniform(0.2, 1, 800)
    bins = np.clip(np.ceil(c * 15).astype(int) - 1, 0, 14)
    columns = {"confidence": c, "value": (g.random(800) < c).astype(float), "bin": bins}
    value, found = ECE.reduce(columns, np.ones(800)), interval(ECE, [columns])
    assert found.kind == "bias-bound"
    assert found.low == 0.0  # calibrated: what was measured is chance
    assert 0.01 < value < found.high
    far = {**columns, "value": (g.random(800) < 0.3 * c).astype(float)}
    off = interval(ECE, [far])
    assert off.low > 0.2
    assert difference_interval(ECE, [far], [columns]).low > 0.2
    assert "other seeds" in interval(ECE, [columns, far], seeds_drawn=True).reason
    assert "one unit" in interval(ECE, [columns], ["a"] * 800).reason


def test_likelihoods_that_a_few_images_make_have_no_interval() -> None:
    value = np.full(300, 1e-3)
    value[:2] = 9.0
    assert "a few images make most of it" in interval(NLL, [{"value": value}]).reason
    pair = difference_interval(NLL, [{"value": value}], [{"value": np.full(300, 1e-3)}])
    assert "a few images make most of it" in pair.reason
    plain = interval(NLL, [{"value": np.random.default_rng(7).gamma(1, 1, 300)}])
    assert plain.kind == "t"
    assert 0 < plain.low < 1 < plain.high


def test_a_metric_of_unknown_form_has_no_interval() -> None:
    strange = type(ECE)("strange", "max", False, lambda p, _: {}, lambda c, w: 0.0)
    assert "strange" in interval(strange, [{"value": np.ones(9)}]).reason
    assert {"top1", "pm10", "ece"} <= set(METRICS.names())


def path(right: np.ndarray, shifts: int = 1) -> Curve:
    alphas = tuple(np.linspace(0, 1, len(right)).tolist())
    names = [f"s{i}" for i in range(shifts)]
    rows = tuple(Score("top1", float(r.mean()), 0, 0, 0, "none", "s", "OOD", alpha=a)
                 for a, r in zip(alphas, right, strict=True))  # fmt: skip
    return Curve("ft", alphas, dict.fromkeys(names, rows), dict.fromkeys(names, right))


def test_regret_is_bounded_by_the_differences() -> None:
    g = np.random.default_rng(9)
    base = g.random(1000) < 0.7
    right = np.stack([base, base | (np.arange(1000) % 20 == 0), base & (g.random(1000) < 0.9)])
    found = regret_interval(path(right), 1.0, "s0")
    true = right.mean(axis=1)
    assert found.kind == "bonferroni"
    assert found.low < true.max() - true[2] < found.high
    assert regret_interval(path(right), 0.5, "s0").low == 0.0
    several = regret_interval(path(right, 3), 1.0, "mean over shifts")
    assert several.high < found.high
    assert "no image-by-image" in regret_interval(Curve("ft", (0.0, 1.0), {}, {}), 0.0, "s").reason


def test_a_zero_under_shift_is_half_an_image() -> None:
    x = np.linspace(0.5, 0.8, 12)
    y = 1 / (1 + np.exp(-(2 * np.log(x / (1 - x)) - 4)))
    y[5] = 0.0  # the model that the set was chosen against
    known, guessed = fit_baseline(x, y, n=(50_000, 7_500)), fit_baseline(x, y)
    assert guessed.r2 > 0.5
    assert known.r2 < guessed.r2
    far = np.log(0.5 / 7_500 / (1 - 0.5 / 7_500))
    line = np.polyfit(
        np.log(x / (1 - x)), np.where(y > 0, np.log(np.maximum(y, 1e-9) / (1 - y)), far), 1
    )
    assert known.slope == pytest.approx(line[0])
    assert np.isfinite(known.predict([0.0, 1.0])).all()


def test_few_baseline_models_have_no_interval() -> None:
    g = np.random.default_rng(10)
    x = g.uniform(0.5, 0.9, 40)
    y = 1 / (1 + np.exp(-(np.log(x / (1 - x)) - 1 + g.normal(0, 0.1, 40))))
    found = robustness_interval(x, y, (0.8, 0.01), (0.7, 0.01))
    value = float(fit_baseline(x, y).effective_robustness(0.8, 0.7))
    assert found.low < value < found.high
    assert (found.low + found.high) / 2 == pytest.approx(value)
    assert "9 models" in robustness_interval(x[:9], y[:9], (0.8, 0.01), (0.7, 0.01)).reason


def test_a_difference_of_effective_robustness_is_that_of_its_parts() -> None:
    g = np.random.default_rng(11)
    line = fit_baseline([0.5, 0.6, 0.7, 0.8], [0.2, 0.31, 0.4, 0.55])
    home, away = g.random(3000) < 0.75, g.random(2000) < 0.5
    ours = (home, away | (g.random(2000) < 0.2))
    found = robustness_difference(line, ours, (home, away))
    plain = compare({"ood": ours[1]}, {"ood": away})
    assert (found.low + found.high) / 2 == pytest.approx(plain.difference)
    assert found.high - found.low == pytest.approx(
        plain.interval.high - plain.interval.low, rel=0.03
    )
    better = (home | (g.random(3000) < 0.2), away)
    lower = robustness_difference(line, better, (home, away))
    value = line.effective_robustness([v.mean() for v in (better[0], home)], [0.5, 0.5])
    assert (lower.low + lower.high) / 2 == pytest.approx(value[0] - value[1])
    assert lower.high < 0


def test_numbers_that_are_all_the_same_show_no_error() -> None:
    """A likelihood of a model that answers nothing: no interval of no width."""
    for units in (None, {"t": np.arange(200) // 20}):
        found = interval_of_mean({"t": np.full(200, 2.3)}, units)
        assert found.kind == "none"
        assert found.reason == "all have the same value, which shows no error"
        gap = compare({"t": np.full(200, 2.3)}, {"t": np.full(200, 1.1)}, units)
        assert (gap.interval.kind, gap.p, gap.better) == ("none", 1.0, 0)


def test_numbers_that_are_not_finite_are_refused() -> None:
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="not finite"):
            interval_of_mean({"t": [1.0, bad, 0.0]})
        with pytest.raises(DataError, match="not finite"):
            compare({"t": [1.0, 0.0]}, {"t": [0.0, bad]})


def test_a_whole_number_is_one_unit_however_a_table_wrote_it() -> None:
    rows = {"a": [1, 0, 1], "b": [1, 0, 0]}
    zero = {k: [0, 0, 0] for k in rows}
    units = {"a": np.array([1, 2, 3]), "b": np.array([1.0, 2.0, 3.0])}
    assert compare(rows, zero, units).units == 3
    units["b"] = np.array([1.0, 2.0, 3.5])
    assert compare(rows, zero, units).units == 4
