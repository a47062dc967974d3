"""Multinomial logistic regression along a path of C, preconditioned.

The objective is scikit-learn's, C * sum of log losses + |W|^2 / 2 with free intercepts, divided by
C times the number of images. Features of a network are far from isotropic, and L-BFGS on the
weights themselves needs hundreds of passes over the data. Böhning's bound (Annals of the Institute
of Statistical Mathematics, 1992, section 2) says what the curvature looks like: a matrix over
classes times the features' second moments. One eigendecomposition of their covariance serves the
whole path: for each C the variables are scaled so that this curvature, at its measured size, is
the identity, and L-BFGS begins with a step that is nearly Newton's. The optimum stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["Logistic"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_ROWS = 2048
"""Images in one block: its features and probabilities stay in a processor's cache."""


class _Pass(NamedTuple):
    """One look at all images: mean loss, its gradients, and mean p (1 - p) of each class."""

    loss: float
    weight: Doubles
    bias: Doubles
    spread: Doubles


class _Converged(Exception):
    """Leaves scipy's loop as soon as the gradient is small."""


class Logistic:
    """Fits of one data set, each started from the last.

    Attributes:
        weight: (classes, d), float64.
        bias: (classes,), float64.
        iterations: L-BFGS iterations of the last fit.
        passes: Passes over the data of the last fit.
        gap: Estimate of how far the mean objective of the last fit is above its minimum, in nats.
    """

    def __init__(self, features: Floats, labels: NDArray[np.int64], classes: int) -> None:
        self.features, self.labels, self.classes = features, labels, classes
        n, d = features.shape
        self.mean, self.eigenvalues, self.basis = _moments(features)
        self.weight: Doubles = np.zeros((classes, d))
        prior = np.log(np.maximum(np.bincount(labels, minlength=classes), 1) / n)
        # A shift of all intercepts changes nothing and is never corrected: begin at mean zero.
        self.bias: Doubles = prior - prior.mean()
        self.iterations = self.passes = 0
        self.gap = np.inf

    def fit(self, c: float, *, tol: float = 1e-4, max_iter: int = 1000) -> bool:
        """Move to the optimum at C, from where the last fit ended.

        Args:
            c: Inverse strength of the penalty.
            tol: Largest component of the gradient of the mean objective at convergence, in the
                weights and intercepts themselves: scikit-learn's criterion.
            max_iter: L-BFGS iterations.

        Returns:
            Whether it converged.
        """
        solve = _Solve(self, c, tol)
        self.iterations = 0

        def count(_: Any) -> None:
            self.iterations += 1

        try:
            start = solve.begin()
            minimize(solve, start, jac=True, method="L-BFGS-B", callback=count,
                     options={"maxiter": max_iter, "maxfun": 4 * max_iter, "maxcor": 10,
                              "ftol": 0.0, "gtol": 0.0})  # fmt: skip
        except _Converged:
            self.iterations += 1
        self.weight, self.bias = solve.weight, solve.bias
        self.passes, self.gap = solve.passes, solve.gap
        return solve.largest <= tol


class _Solve:
    """The objective at one C as scipy sees it: flat, scaled variables."""

    def __init__(self, data: Logistic, c: float, tol: float) -> None:
        self.data, self.tol = data, tol
        # Gradients of float32 products are right to about 1e-6.
        self.dtype: Any = np.float32 if tol >= 1e-5 else np.float64
        self.ridge = 1.0 / (c * len(data.labels))
        self.weight, self.bias = data.weight, data.bias
        self.passes, self.largest, self.gap = 0, np.inf, np.inf
        self.unit = 1.0

    def begin(self) -> Doubles:
        """Choose the scales from the curvature at the start; the start in scaled variables."""
        here = _look(self.data, self.weight, self.bias, self.dtype)
        self.passes += 1
        spread = np.maximum(here.spread, 1e-3 * here.spread.max() + 1e-12)[:, None]
        # (classes, d + 1). The intercepts' column has no penalty; features are centred, so that it
        # has no cross terms with the others.
        curved = spread * self.data.eigenvalues + self.ridge
        self.scale = np.sqrt(np.concatenate([curved, spread], axis=1))
        _, gradient = self._scaled(here)
        # scipy's first step has length one; in these units that is the nearly Newton step.
        self.unit = max(float(np.linalg.norm(gradient)), 1e-30)
        self._check(here)
        centred = self.bias + self.weight @ self.data.mean
        rotated = np.concatenate([self.weight @ self.data.basis, centred[:, None]], axis=1)
        flat: Doubles = (rotated * self.scale / self.unit).ravel()
        return flat

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """Objective and gradient, both in scaled units."""
        rotated = flat.reshape(self.scale.shape) * self.unit / self.scale
        self.weight = rotated[:, :-1] @ self.data.basis.T
        self.bias = rotated[:, -1] - self.weight @ self.data.mean
        here = _look(self.data, self.weight, self.bias, self.dtype)
        self.passes += 1
        value, gradient = self._scaled(here)
        self._check(here)
        return value / self.unit**2, gradient.ravel() / self.unit

    def _scaled(self, here: _Pass) -> tuple[float, Doubles]:
        value = here.loss + 0.5 * self.ridge * float((self.weight**2).sum())
        own = here.weight - np.outer(here.bias, self.data.mean) + self.ridge * self.weight
        rotated = np.concatenate([own @ self.data.basis, here.bias[:, None]], axis=1)
        gradient = rotated / self.scale
        self.gap = 0.5 * float((gradient**2).sum())
        return value, gradient

    def _check(self, here: _Pass) -> None:
        gradient = np.abs(here.weight + self.ridge * self.weight).max()
        self.largest = float(max(gradient, np.abs(here.bias).max()))
        if self.largest <= self.tol:
            raise _Converged


def _blocks(n: int) -> Iterator[slice]:
    return (slice(at, min(at + _ROWS, n)) for at in range(0, n, _ROWS))


def _moments(features: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Mean (d,), eigenvalues (d,) and eigenvectors (d, d) of the covariance; blocks, not copies."""
    n, d = features.shape
    mean = np.zeros(d)
    for at in _blocks(n):
        mean += features[at].sum(axis=0, dtype=np.float64)
    mean /= n
    low, covariance = mean.astype(np.float32), np.zeros((d, d))
    for at in _blocks(n):
        centred = np.asarray(features[at], dtype=np.float32) - low
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / n)
    return mean, np.maximum(values, 0.0), vectors


def _look(data: Logistic, weight: Doubles, bias: Doubles, dtype: Any) -> _Pass:
    """One pass over the data; products in ``dtype``, sums in float64."""
    n = len(data.labels)
    columns, free = np.ascontiguousarray(weight.T, dtype), bias.astype(dtype)
    loss, spread = 0.0, np.zeros(data.classes)
    slope, offset = np.zeros_like(weight), np.zeros(data.classes)
    for at in _blocks(n):
        x, y = np.asarray(data.features[at], dtype=dtype), data.labels[at]
        p = x @ columns
        p += free
        p -= p.max(axis=1, keepdims=True)
        rows = np.arange(len(y))
        own = p[rows, y]
        np.exp(p, out=p)
        total = p.sum(axis=1, keepdims=True)
        loss += float(np.log(total[:, 0], dtype=np.float64).sum() - own.sum(dtype=np.float64))
        p /= total
        spread += p.sum(axis=0) - np.einsum("ij,ij->j", p, p)
        p[rows, y] -= 1
        slope += p.T @ x
        offset += p.sum(axis=0)
    return _Pass(loss / n, slope / n, offset / n, spread / n)
