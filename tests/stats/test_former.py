"""Names of before warn for one release, and give what took their place."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot import stats

A, B = np.arange(400) % 4 > 0, np.arange(400) % 3 > 0
UNITS = np.arange(400) // 10


def old(name: str, *args: object, **options: object) -> object:
    with pytest.warns(DeprecationWarning, match=f"surefoot.stats.{name} "):
        return getattr(stats, name)(*args, **options)


def test_comparisons() -> None:
    found = stats.compare({"": A}, {"": B}, {"": UNITS}, about="models")
    assert str(old("paired_difference", A, B, clusters=UNITS)) == str(found)
    both = np.stack([A, ~A]), np.stack([B, A])
    crossed = stats.compare({"0": both[0]}, {"0": both[1]})
    again = old("crossed_difference", [both[0] * 1.0 - both[1]])
    assert str(again) == str(crossed)
    assert old("ties", {"a": A, "b": B}).tied == stats.rank({"a": {"": A}, "b": {"": B}}).tied


def test_means() -> None:
    mean, interval = old("combine_mean", [A, B], paired=True)
    same = {"0": np.arange(400), "1": np.arange(400)}
    assert (mean, interval) == (
        (A.mean() + B.mean()) / 2, stats.interval_of_mean({"0": A, "1": B}, same)
    )  # fmt: skip
    assert old("combine_mean", [A, B], clusters=[UNITS, None])[1].kind == "korn-graubard"
    assert old("cluster_bootstrap", B, UNITS) == stats.interval_of_mean({"": B}, {"": UNITS})


def test_resamples() -> None:
    def share(drawn: np.ndarray) -> float:
        return float(B @ drawn / drawn.sum())

    plain = old("bootstrap", share, 400)
    half = 1.96 * B.std() / 20
    assert (plain.low, plain.high) == pytest.approx((B.mean() - half, B.mean() + half), abs=0.01)
    assert old("cluster_bootstrap", share, np.arange(400) // 2).kind == "bootstrap"
    assert not old("bootstrap", lambda drawn: 1.0, 5)


def test_distances_and_types() -> None:
    x = np.linspace(0.4, 0.9, 30)
    ends = (0.65, 0.02), (0.6, 0.02)
    assert old("distance_interval", x, x - 0.2, *ends) == stats.robustness_interval(
        x, x - 0.2, *ends
    )
    with pytest.warns(DeprecationWarning, match="is now surefoot.stats.Ranking"):
        assert stats.Ties is stats.Ranking
