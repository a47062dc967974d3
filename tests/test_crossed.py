"""Differences over seeds and images: against simulation, and the cases that can be known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as sp

from surefoot.errors import DataError
from surefoot.stats import crossed_difference


def simulated(
    rng: np.random.Generator, seeds: int, images: int, seed_sd: float, mean: float
) -> np.ndarray:
    """Differences (seeds, images) with a true mean, seeds and images both random."""
    by_seed = rng.normal(0, seed_sd, seeds)[:, None]
    by_image = rng.normal(0, 0.3, images)[None]
    return mean + by_seed + by_image + rng.normal(0, 0.2, (seeds, images))


@pytest.mark.parametrize("seed_sd", [0.0, 0.02, 0.1])
def test_the_interval_covers_the_truth(seed_sd: float) -> None:
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(600):
        found = crossed_difference([simulated(rng, 5, 200, seed_sd, 0.04)])
        inside += found.interval.low <= 0.04 <= found.interval.high
    # 95 % asked; conservative, so never clearly below (three standard errors of 600 draws).
    assert inside / 600 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 600)
    assert inside / 600 <= 0.999


def test_without_noise_between_seeds_it_is_the_paired_t_interval_over_images() -> None:
    row = np.random.default_rng(0).integers(-1, 2, 300).astype(float)
    found = crossed_difference([np.stack([row, row, row])])
    half = sp.t.ppf(0.975, 299) * row.std(ddof=1) / np.sqrt(300)
    assert found.difference == pytest.approx(row.mean())
    assert found.interval.high - found.interval.low == pytest.approx(2 * half)
    assert found.per_seed == pytest.approx([row.mean()] * 3)


def test_with_many_images_it_is_the_t_interval_over_seeds() -> None:
    means = np.array([0.01, 0.03, 0.02, 0.05])
    found = crossed_difference([np.repeat(means[:, None], 50, axis=1)])
    half = sp.t.ppf(0.975, 3) * means.std(ddof=1) / 2
    assert found.interval.low == pytest.approx(means.mean() - half)
    assert found.dof == pytest.approx(3)


def test_images_that_hang_together_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 15)
    row = np.sign(rng.normal(0, 1, 20))[groups][None] * np.ones((3, 1))
    loose = crossed_difference([row])
    tied = crossed_difference([row], [groups])
    assert tied.standard_error > 2 * loose.standard_error
    assert tied.difference == loose.difference


def test_splits_weigh_the_same_whatever_their_size() -> None:
    found = crossed_difference([np.full((2, 10), 0.1), np.full((2, 1000), 0.3)])
    assert found.difference == pytest.approx(0.2)


def test_one_sided_p_agrees_with_the_interval() -> None:
    rng = np.random.default_rng(3)
    for mean in (-0.05, 0.0, 0.03, 0.06):
        found = crossed_difference([simulated(rng, 4, 150, 0.02, mean)])
        for bound in (-0.02, 0.0, 0.04):
            assert (found.p_above(bound) < 0.025) == (found.interval.low > bound)
            assert (found.p_below(bound) < 0.025) == (found.interval.high < bound)
        assert found.p_above() + found.p_below() == pytest.approx(1)


def test_one_image_says_nothing() -> None:
    found = crossed_difference([np.array([[1.0], [1.0]])])
    assert not found.interval
    assert found.p_above() == found.p_below() == 1.0


@pytest.mark.parametrize(
    "rows", [[], [np.zeros((0, 3))], [np.zeros((2, 3)), np.zeros((3, 3))]], ids=str
)
def test_what_cannot_be_compared_is_refused(rows: list[np.ndarray]) -> None:
    with pytest.raises(DataError, match="cannot compare"):
        crossed_difference(rows)


def test_units_that_all_say_the_same_tell_as_much_as_there_are_of_them():
    """Exactly: a truth 0.01 away shows in none of n units with probability 0.99 to the n."""
    many, few = (crossed_difference([np.zeros((3, n))]) for n in (400, 20))
    assert many.p_above(-0.01) == pytest.approx(0.99**400)
    assert many.p_above(0.0) == 1.0
    assert few.p_above(-0.01) > 0.8
    assert few.interval.high == pytest.approx(1 - 0.025 ** (1 / 20))
    clusters = np.arange(400) % 2
    assert crossed_difference([np.zeros((3, 400))], [clusters]).interval.high > 0.8
