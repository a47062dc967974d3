"""Hand-made curves whose right choice is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from surefoot.errors import DataError, UnknownName
from surefoot.records import Curve, Score
from surefoot.select import MEAN, RULES, oracles, select, select_all

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def row(
    split: str, values: list[float], metric: str = "top1", half: float = 0.0
) -> tuple[Score, ...]:
    domain = "ID" if split in ("val", "test") else "OOD"
    kind = "bootstrap" if half else "none"
    return tuple(
        Score(metric, v, 100, v - half, v + half, kind, split, domain, alpha=a)
        for v, a in zip(values, ALPHAS, strict=True)
    )


def curve(**values: list[float]) -> Curve:
    return Curve("wise-ft(ft)", ALPHAS, {k: row(k, v) for k, v in values.items()})


def with_correct(counts: list[int], n: int = 100) -> Curve:
    """Nested: a model with fewer right has the first ones right."""
    correct = np.array([np.arange(n) < c for c in counts])
    scores = {
        "val": row("val", [c / n for c in counts]),
        "shift": row("shift", [0.9, 0.8, 0.7, 0.6, 0.5]),
    }
    return Curve("ft", ALPHAS, scores, {"val": correct})


def test_id_val_takes_the_best_and_of_equals_the_smallest_alpha() -> None:
    c = curve(val=[0.5, 0.8, 0.8, 0.7, 0.8])
    chosen = select(c, "id_val")
    assert (chosen.alpha, chosen.chosen_on) == (0.25, "val")
    assert "smallest of 3 equals" in chosen.reason


def test_one_se_takes_the_smallest_alpha_within_the_paired_error() -> None:
    """Nested answers: d is 0 or 1, so with m images lost se = sqrt(m/n (1 - m/n) / (n - 1)).

    For n = 100: m = 1 loses 0.01 with se 0.01 (within), m = 2 loses 0.02 with se 0.0141 (not).
    """
    assert select(with_correct([60, 78, 79, 80, 79]), "one_se").alpha == 0.5
    chosen = select(with_correct([60, 79, 79, 80, 79]), "one_se")
    assert chosen.alpha == 0.25
    assert "paired standard error" in chosen.reason
    assert "alpha 0.75" in chosen.reason


def test_one_se_keeps_the_best_where_everything_else_is_worse() -> None:
    chosen = select(with_correct([60, 61, 62, 70, 80]), "one_se")
    assert chosen.alpha == 1.0
    assert "no smaller alpha" in chosen.reason


def test_one_se_with_noise_is_wider_than_nested() -> None:
    """20 images lost and 18 won: loses 0.02 with se 0.062, so the smaller alpha is taken."""
    best = np.arange(100) < 80
    other = best.copy()
    other[:20] = False
    other[80:98] = True
    c = with_correct([10, 78, 20, 20, 80])
    c = Curve("ft", ALPHAS, c.scores, {"val": np.stack([~best, other, ~best, ~best, best])})
    assert select(c, "one_se").alpha == 0.25


def test_one_se_without_images_uses_the_scores_error_and_says_so() -> None:
    half = 1.959964 * 0.05
    c = Curve("ft", ALPHAS, {"val": row("val", [0.5, 0.74, 0.76, 0.8, 0.7], "macro_f1", half)})
    chosen = select(c, "one_se")
    assert chosen.alpha == 0.5
    assert "not paired" in chosen.reason
    # The correct answers of another metric would be the wrong pairing.
    d = Curve("ft", ALPHAS, c.scores, {"val": with_correct([50, 74, 76, 80, 70]).correct["val"]})
    assert select(d, "one_se").alpha == 0.5


def test_one_se_without_any_error_takes_equals_only() -> None:
    chosen = select(curve(val=[0.5, 0.8, 0.7, 0.8, 0.79]), "one_se")
    assert chosen.alpha == 0.25
    assert select(curve(val=[0.5, 0.79, 0.7, 0.8, 0.79]), "one_se").alpha == 0.75


def test_fixed() -> None:
    c = curve(val=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert select(c, "fixed").alpha == 0.5
    near = select(c, "fixed", fixed=0.3)
    assert near.alpha == 0.25
    assert "0.3" in near.reason
    assert "nearest on the grid is 0.25" in near.reason
    assert near.chosen_on == "nothing"


def test_oracle_and_regret() -> None:
    c = curve(
        val=[0.5, 0.6, 0.7, 0.8, 0.9],
        test=[0.5, 0.6, 0.9, 0.8, 0.7],
        a=[0.9, 0.8, 0.7, 0.6, 0.5],
        b=[0.1, 0.5, 0.4, 0.3, 0.2],
    )
    every = select_all(c)
    assert [s.rule for s in every] == list(RULES)
    chosen = {s.rule: s for s in every}
    assert chosen["oracle"].alpha == 0.25
    assert chosen["oracle"].chosen_on == "mean over shifts (test)"
    assert chosen["oracle"].reason.startswith("ORACLE")
    regret = chosen["id_val"].regret
    assert chosen["id_val"].alpha == 1.0
    assert regret == pytest.approx({"val": 0, "test": 0.2, "a": 0.4, "b": 0.3, MEAN: 0.3})
    for s in every:
        assert min(s.regret.values()) >= 0
    per_split = oracles(c)
    assert {k: v.alpha for k, v in per_split.items()} == {
        "test": 0.5,
        "a": 0.0,
        "b": 0.25,
        MEAN: 0.25,
    }
    assert per_split["a"].regret["a"] == 0


def test_without_shifts_the_oracle_looks_at_the_test_set() -> None:
    chosen = select(curve(val=[0, 0, 0, 0, 1], test=[0, 1, 0, 0, 0]), "oracle")
    assert (chosen.alpha, chosen.chosen_on) == (0.25, "test")


def test_less_is_better() -> None:
    c = curve(val=[0.5, 0.2, 0.3, 0.4, 0.5])
    chosen = select(c, "id_val", direction="min")
    assert chosen.alpha == 0.25
    assert select(c, "fixed", direction="min").regret["val"] == pytest.approx(0.1)


@pytest.mark.parametrize("metric", ["ece", "nll"])
def test_less_is_better_where_the_metric_says_so(metric: str) -> None:
    """A run with --metric nll must not choose the alpha of the worst likelihood."""
    scores = {"val": row("val", [0.5, 0.2, 0.3, 0.4, 0.5], metric)}
    scores["shift"] = row("shift", [0.5, 0.4, 0.1, 0.4, 0.5], metric)
    c = Curve("ft", ALPHAS, scores)
    assert select(c, "id_val").alpha == 0.25
    assert select(c, "oracle").alpha == 0.5
    assert select(c, "id_val").regret == pytest.approx({"val": 0, "shift": 0.3, MEAN: 0.3})
    assert ("20.0 %" in select(c, "id_val").reason) is (metric == "ece")


def test_a_curve_without_validation() -> None:
    c = curve(test=[0.1, 0.2, 0.3, 0.2, 0.1])
    assert [s.rule for s in select_all(c)] == ["fixed", "oracle"]
    with pytest.raises(DataError, match="needs scores of 'val'"):
        select(c, "one_se")
    with pytest.raises(DataError, match="'sketch'"):
        select(c, "oracle", on="sketch")


def test_a_rule_misspelt() -> None:
    with pytest.raises(UnknownName, match="one_se") as caught:
        select(curve(val=[0.0] * 5), "one-see")
    assert caught.value.near[0] == "one_se"


def test_a_missing_value_is_never_best() -> None:
    assert select(curve(val=[math.nan, 0.2, 0.3, 0.1, 0.2]), "id_val").alpha == 0.5
