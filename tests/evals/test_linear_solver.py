"""The preconditioned solver: "converged" means at the optimum, in any units, on any threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surefoot.evals.linear import fit_linear
from surefoot.evals.logistic import Logistic

PATH = (1e-3, 1e-1, 10.0, 1e3)


def draw(seed: int, n: int, classes: int = 6, d: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, the i-th principal variance as 1/i^2: weak penalties converge slowly."""
    world, g = np.random.default_rng(7), np.random.default_rng(seed)
    turn = np.linalg.qr(world.normal(size=(d, d)))[0]
    centres = 0.6 * world.normal(size=(classes, d))
    labels = np.arange(n) % classes
    x = ((centres[labels] + g.normal(size=(n, d))) / np.arange(1, d + 1)) @ turn
    return x.astype(np.float32), labels


def objective(
    weight: np.ndarray, bias: np.ndarray, x: np.ndarray, y: np.ndarray, c: float
) -> tuple[float, float]:
    """scikit-learn's objective over C n, and the norm of its gradient, by autograd in float64."""
    w = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(bias, dtype=torch.float64, requires_grad=True)
    logits = torch.tensor(x, dtype=torch.float64) @ w.T + b
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
    value = loss + (w**2).sum() / (2 * c * len(y))
    grads = torch.autograd.grad(value, (w, b))
    return value.item(), float(torch.cat([g.ravel() for g in grads]).norm())


@pytest.mark.parametrize("tol", [1e-3, 1e-4])
def test_converged_is_close_to_the_minimum_at_every_c(tol: float) -> None:
    """The true gap, to a reference whose own gradient vanishes by autograd."""
    x, y = draw(0, 600)
    model, exact = Logistic(x, y, 6), Logistic(x, y, 6)
    for c in PATH:
        assert model.fit(c, tol=tol)
        assert exact.fit(c, tol=1e-7, max_iter=5000)
        least, slope = objective(exact.weight, exact.bias, x, y, c)
        found, _ = objective(model.weight, model.bias, x, y, c)
        assert slope < 1e-6
        assert model.gap <= tol**2 / 2
        # The estimate knows the curvature by its diagonal only.
        assert -1e-9 <= found - least <= 100 * tol**2


def test_weak_penalties_are_not_left_at_the_start() -> None:
    """The plain gradient is within scikit-learn's tolerance long before the loss has settled."""
    x, y = draw(0, 600)
    vx, vy = draw(1, 300)
    given = {"classes": 6, "val_features": vx / 30, "val_labels": vy}
    x = x / 30  # small features, small gradients
    given["c_path"] = tuple(c * float(x.var()) for c in (10.0, 100.0, 1000.0))  # of x as it is
    found, exact = fit_linear(x, y, **given), fit_linear(x, y, **given, tol=1e-7, max_iter=5000)
    assert all(row["converged"] and row["iterations"] for row in found.table)
    losses = [[row["val_nll"] for row in f.table] for f in (found, exact)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)
    assert found.c == exact.c


@pytest.mark.parametrize(("scale", "shift"), [(64.0, 0.0), (1 / 64, 0.0), (1.0, 40.0)])
def test_units_and_origin_of_the_features_change_nothing(scale: float, shift: float) -> None:
    """C |x|^2 is what counts, and a free intercept takes up any shift."""
    x, y = draw(0, 600)
    plain, moved = Logistic(x, y, 6), Logistic(x * np.float32(scale) + np.float32(shift), y, 6)
    for c in PATH[:3]:
        assert plain.fit(c)
        assert moved.fit(c / scale**2)
        odds = [
            f.weight @ (x * s + t).T + f.bias[:, None]
            for f, s, t in ((plain, 1, 0), (moved, scale, shift))
        ]
        odds = [z - z.mean(axis=0) for z in odds]
        np.testing.assert_allclose(odds[1], odds[0], atol=5e-3 * np.abs(odds[0]).max())


def test_float64_goes_on_where_float32_ends() -> None:
    """Far from the origin float32 products have lost the last digits of the gradient."""
    x, y = draw(0, 600)
    far = x + np.float32(3000)
    model = Logistic(far, y, 6)
    assert model.fit(1.0, tol=1e-4)
    found, _ = objective(model.weight, model.bias, far, y, 1.0)
    exact = Logistic((far - np.float32(3000)), y, 6)
    assert exact.fit(1.0, tol=1e-7)
    least, _ = objective(exact.weight, exact.bias, far - np.float32(3000), y, 1.0)
    assert found - least <= 1e-5


def test_threads_change_no_digit() -> None:
    x, y = draw(0, 9000)
    ends = []
    for threads in (1, 3):
        model = Logistic(x, y, 6, threads=threads)
        assert [model.fit(c) for c in (0.1, 1.0, 10.0)] == [True] * 3
        ends.append((model.weight, model.bias))
    assert np.array_equal(ends[0][0], ends[1][0])
    assert np.array_equal(ends[0][1], ends[1][1])


def test_a_path_in_any_order_has_the_same_optima() -> None:
    x, y = draw(0, 600)
    up, down = Logistic(x, y, 6), Logistic(x, y, 6)
    found = {}
    for model, path in ((up, PATH), (down, PATH[::-1])):
        for c in path:
            assert model.fit(c, tol=1e-5)
            found.setdefault(c, []).append(objective(model.weight, model.bias, x, y, c)[0])
    for a, b in found.values():
        assert a == pytest.approx(b, abs=1e-8)


def test_a_fit_at_its_optimum_takes_no_step() -> None:
    x, y = draw(0, 600)
    model = Logistic(x, y, 6)
    assert model.fit(1.0)
    end = model.weight
    assert model.fit(1.0)
    assert (model.iterations, model.passes) == (0, 1)
    assert np.array_equal(model.weight, end)
