"""Problem, pretrained features and losses, against what the definitions say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from surefoot.errors import DataError
from surefoot.theory import Network, Setting, draw_problem

SMALL = Setting(d=20, k=3, m=7, n=15, eps=(0.0, 0.1, 0.5), seeds=2)


def feature_distance(one, other):
    """The smallest ||B - U B'||_2 over rotations U; B and B' (k, d) with orthonormal rows.

    It is sqrt(2 - 2 s), s the smallest singular value of B B'^T: the U of the polar decomposition
    reaches it, and the singular vector of s shows that none does better.
    """
    smallest = np.linalg.svd(one @ other.T, compute_uv=False)[-1]
    return math.sqrt(max(2 - 2 * float(smallest), 0.0))


@pytest.fixture(scope="module")
def problem():
    return draw_problem(Setting(), 0)


def test_the_draw_is_what_the_paper_asks_for(problem):
    both = np.vstack([problem.true_features, problem.away])
    assert both.shape == (20, 100)
    np.testing.assert_allclose(both @ both.T, np.eye(20), atol=1e-12)
    np.testing.assert_allclose(problem.basis.T @ problem.basis, np.eye(30), atol=1e-12)
    assert np.linalg.norm(problem.true_head) == pytest.approx(1)
    assert np.linalg.matrix_rank(problem.inputs) == 30
    assert problem.inputs.shape == (60, 100)
    assert problem.outside(problem.inputs[:10]) < 1e-12
    np.testing.assert_allclose(
        problem.w_star @ problem.inputs[3],
        problem.true_head @ (problem.true_features @ problem.inputs[3]),
    )


def test_the_first_head_has_variance_one_over_k():
    heads = np.array([draw_problem(SMALL, s).head for s in range(600)])
    assert heads.var() == pytest.approx(1 / SMALL.k, rel=0.12)
    assert abs(heads.mean()) < 0.05


def test_seeds_are_repeatable_and_different():
    one, again, other = (draw_problem(SMALL, s) for s in (4, 4, 5))
    np.testing.assert_array_equal(one.inputs, again.inputs)
    assert np.abs(one.inputs - other.inputs).max() > 0.1


@given(eps=st.floats(0, 1), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_pretrained_features_are_exactly_eps_away(eps, seed):
    problem = draw_problem(SMALL, seed)
    features = problem.pretrained(eps)
    np.testing.assert_allclose(features @ features.T, np.eye(SMALL.k), atol=1e-12)
    assert np.linalg.norm(features - problem.true_features, 2) == pytest.approx(eps, abs=1e-9)
    assert feature_distance(features, problem.true_features) == pytest.approx(eps, abs=1e-7)


def test_no_rotation_comes_nearer_than_the_feature_distance():
    rng = np.random.default_rng(0)
    one, other = (np.linalg.qr(rng.standard_normal((20, 3)))[0].T for _ in range(2))
    least = feature_distance(one, other)
    turns = ortho_group.rvs(3, size=3000, random_state=1)
    found = np.linalg.norm(one - turns @ other, 2, axis=(1, 2))
    left, _, right = np.linalg.svd(one @ other.T)
    assert np.linalg.norm(one - left @ right @ other, 2) == pytest.approx(least)
    assert found.min() >= least
    assert found.min() < 1.15 * least
    assert feature_distance(turns[0] @ one, one) == pytest.approx(0, abs=1e-7)


def test_losses_are_the_expectations_they_stand_for(problem):
    rng = np.random.default_rng(3)
    w = rng.standard_normal(100) / 10
    inside = rng.standard_normal((40_000, 30)) @ problem.basis.T
    anywhere = rng.standard_normal((40_000, 100))
    for loss, inputs in ((problem.id_loss, inside), (problem.ood_loss, anywhere)):
        measured = np.mean((inputs @ (w - problem.w_star)) ** 2)
        assert loss(w) == pytest.approx(measured, rel=0.04)
    plain = sum((x @ w - x @ problem.w_star) ** 2 for x in problem.inputs) / 60
    assert problem.train_loss(w) == pytest.approx(plain)
    assert problem.ood_loss(np.zeros(100)) == pytest.approx(1)
    assert problem.ood_loss(Network(problem.true_head, problem.true_features).w) == 0


@pytest.mark.parametrize("sizes", [{"k": 30}, {"m": 90}, {"n": 30}, {"k": 0}, {"m": 10}, {"d": 40}])
def test_sizes_outside_the_theory_are_refused(sizes):
    with pytest.raises(DataError, match="outside the theory") as caught:
        Setting(**sizes)
    assert "k < m < d - k, and n > m" in str(caught.value)


@pytest.mark.parametrize("eps", [(0.1,), (0.0, 0.1), (0.3, 0.1), (0.1, 0.1), (-0.1, 0.1, 0.2),
                                 (0.1, 1.5), ()])  # fmt: skip
def test_unusable_eps_are_refused(eps):
    with pytest.raises(DataError, match="at least two of them above 0"):
        Setting(eps=eps)


def test_no_seed_is_refused():
    with pytest.raises(DataError, match="at least 1"):
        Setting(seeds=0)
