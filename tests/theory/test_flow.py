"""Gradient flow against tiny Euler steps written a second time, and what it must conserve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import LSODA, RK45
from scipy.linalg import expm

from surefoot.errors import TrainingError
from surefoot.theory import (
    Network,
    Setting,
    Tolerance,
    draw_problem,
    ft_floor,
    gradient_flow,
    lp_flow,
    lp_limit,
)
from surefoot.theory.flow import velocity

SMALL = Setting(d=20, k=3, m=7, n=30)


@pytest.fixture(scope="module")
def problem():
    return draw_problem(SMALL, 1)


@pytest.fixture(scope="module")
def start(problem):
    return Network(problem.head, problem.pretrained(0.3))


def loss(problem, v, features):
    """The training loss, written from the paper: predictions minus labels, squared."""
    labels = problem.inputs @ problem.true_features.T @ problem.true_head
    return np.mean((problem.inputs @ features.T @ v - labels) ** 2)


def euler(problem, start, time, steps):
    """(v, B) after ``steps`` plain gradient steps of size time / steps; inputs, not moments."""
    v, features = start.v.copy(), start.features.copy()
    labels = problem.inputs @ problem.true_features.T @ problem.true_head
    for _ in range(steps):
        off = problem.inputs @ (features.T @ v) - labels
        pull = 2 * problem.inputs.T @ off / len(labels)
        v, features = (
            v - time / steps * features @ pull,
            features - time / steps * v[:, None] * pull[None, :],
        )
    return Network(v, features)


def test_velocity_is_minus_the_gradient(problem, start):
    dv, db = velocity(problem, start.v, start.features)
    h = 1e-6
    for i in range(3):
        step = np.zeros(3)
        step[i] = h
        up, down = (loss(problem, start.v + s * step, start.features) for s in (1, -1))
        assert dv[i] == pytest.approx(-(up - down) / (2 * h), abs=1e-7)
    for i, j in ((0, 0), (1, 7), (2, 19)):
        step = np.zeros((3, 20))
        step[i, j] = h
        up, down = (loss(problem, start.v, start.features + s * step) for s in (1, -1))
        assert db[i, j] == pytest.approx(-(up - down) / (2 * h), abs=1e-7)


def test_the_flow_is_the_limit_of_tiny_euler_steps(problem, start):
    times = [0.05, 0.5, 2.0]
    flow = gradient_flow(problem, start, times)
    for i, time in enumerate(times):
        coarse = euler(problem, start, time, 8000)
        fine = euler(problem, start, time, 16000)
        # Euler's error is linear in the step: twice the fine minus the coarse has it gone.
        for curve, of in ((flow.ood, problem.ood_loss), (flow.id, problem.id_loss)):
            limit = 2 * of(fine.w) - of(coarse.w)
            assert curve[i] == pytest.approx(limit, rel=2e-6, abs=1e-8)
            assert abs(of(fine.w) - curve[i]) < abs(of(coarse.w) - curve[i])


@pytest.mark.parametrize("solver", [RK45, LSODA])
def test_neither_solver_nor_step_matters(problem, start, solver):
    times = np.logspace(-2, 2, 15)
    one = gradient_flow(problem, start, times)
    tight = gradient_flow(problem, start, times, tolerance=Tolerance(1e-12, 1e-14))
    coarse = Tolerance(relative=1e-8, absolute=1e-11, fitted=1e-13)
    other = gradient_flow(problem, start, times, tolerance=coarse, solver=solver)
    np.testing.assert_allclose(one.ood, tight.ood, rtol=1e-8)
    np.testing.assert_allclose(one.ood, other.ood, rtol=1e-5)
    assert one.lowest == pytest.approx(other.lowest, rel=1e-5)
    assert tight.steps > one.steps


def test_the_flow_conserves_what_it_must_and_euler_does_not(problem, start):
    def held(at):
        return np.outer(at.v, at.v) - at.features @ at.features.T

    flow = gradient_flow(problem, start)
    np.testing.assert_allclose(held(flow.end), held(start), atol=1e-9)
    assert flow.drift < 1e-9
    rough = euler(problem, start, 5.0, 100)
    assert np.abs(held(rough) - held(start)).max() > 1e5 * flow.drift


def test_features_never_move_off_the_data(problem, start):
    flow = gradient_flow(problem, start)
    q, _ = np.linalg.qr(np.hstack([problem.basis, np.eye(20)]))
    off = q[:, SMALL.m : 20]
    assert np.abs(problem.inputs @ off).max() < 1e-12
    np.testing.assert_allclose(flow.end.features @ off, start.features @ off, atol=1e-12)
    assert flow.moved_outside < 1e-12
    assert flow.moved > 0.05
    assert flow.moved == pytest.approx(np.linalg.norm(flow.end.features - start.features))


def test_a_move_off_the_data_would_be_seen(problem):
    away = np.linalg.qr(np.hstack([problem.basis, np.eye(20)]))[0][:, 10]
    planted = np.outer(np.ones(3), away) * 1e-6
    assert problem.outside(planted) == pytest.approx(1e-6 * np.sqrt(3))
    assert problem.outside(np.outer(np.ones(3), problem.basis[:, 0])) < 1e-14


def test_the_flow_ends_where_the_data_are_fitted(problem, start):
    flow = gradient_flow(problem, start, [0.0, 1.0, 1e4])
    assert loss(problem, flow.end.v, flow.end.features) <= 1e-16
    assert flow.id[0] == pytest.approx(problem.id_loss(start.w))
    assert flow.id[-1] == problem.id_loss(flow.end.w)
    assert flow.ood[-1] == problem.ood_loss(flow.end.w)
    assert flow.lowest <= min(flow.ood)
    assert 0 <= flow.lowest_time <= flow.time < 1e4


def test_the_start_is_not_altered(problem, start):
    v, features = start.v.copy(), start.features.copy()
    gradient_flow(problem, start, [0.1])
    np.testing.assert_array_equal(start.v, v)
    np.testing.assert_array_equal(start.features, features)


def test_a_fitted_start_stays(problem):
    perfect = Network(problem.true_head, problem.true_features)
    flow = gradient_flow(problem, perfect, [0.1, 10.0])
    assert flow.steps == 0
    assert flow.time == 0
    assert list(flow.ood) == [0, 0]


def test_a_flow_that_does_not_arrive_says_so(problem, start):
    with pytest.raises(TrainingError, match=r"at most 1e-16 by time 0\.5") as caught:
        gradient_flow(problem, start, tolerance=Tolerance(longest=0.5))
    assert "training loss of" in str(caught.value)


def test_lp_limit_solves_the_normal_equations(problem, start):
    limit = lp_limit(problem, start.features)
    z, y = problem.inputs @ start.features.T, problem.inputs @ problem.w_star
    np.testing.assert_allclose(limit, np.linalg.solve(z.T @ z, z.T @ y), rtol=1e-10)
    dv, _ = velocity(problem, limit, start.features)
    assert np.abs(dv).max() < 1e-12


def test_lp_flow_is_the_matrix_exponential(problem, start):
    times = [0.0, 0.3, 4.0, 1e5]
    flow = lp_flow(problem, start.features, start.v, times)
    z = problem.inputs @ start.features.T
    m = z.T @ z / len(z)
    limit = lp_limit(problem, start.features)
    for i, t in enumerate(times):
        v = limit + expm(-2 * m * t) @ (start.v - limit)
        assert flow.ood[i] == pytest.approx(problem.ood_loss(start.features.T @ v), rel=1e-9)
        assert flow.id[i] == pytest.approx(problem.id_loss(start.features.T @ v), rel=1e-9)
    assert flow.moved == flow.moved_outside == 0
    np.testing.assert_array_equal(flow.end.features, start.features)


def test_a_probe_on_true_features_finds_the_true_head(problem):
    np.testing.assert_allclose(
        lp_limit(problem, problem.true_features), problem.true_head, atol=1e-12
    )


@pytest.mark.parametrize("eps", [0.0, 0.01])
def test_the_floor_lies_below_every_point_of_the_path_and_above_zero(eps):
    for seed in range(3):
        problem = draw_problem(Setting(), seed)
        floor = ft_floor(problem, eps)
        flow = gradient_flow(problem, Network(problem.head, problem.pretrained(eps)))
        assert 1e-4 < floor < flow.lowest


def test_the_floor_says_nothing_where_its_argument_ends(problem):
    assert ft_floor(problem, 0.95) == 0
    floors = [ft_floor(problem, e) for e in (0.0, 0.005, 0.02)]
    assert floors == sorted(floors, reverse=True)


def test_the_floor_is_zero_for_an_aligned_head():
    from dataclasses import replace

    problem = draw_problem(SMALL, 2)
    assert ft_floor(replace(problem, head=problem.true_head), 0.0) == 0
