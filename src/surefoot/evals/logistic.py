"""Multinomial logistic regression along a path of C, preconditioned.

The objective is scikit-learn's, C * sum of log losses + |W|^2 / 2 with free intercepts, divided by
C times the number of images. Features of a network are far from isotropic, and L-BFGS on the
weights themselves needs hundreds of passes over the data. Böhning's bound (Annals of the Institute
of Statistical Mathematics, 1992, section 2) says what the curvature looks like: a matrix over
classes times the features' second moments. One eigendecomposition of their covariance serves the
whole path: for each C the variables are scaled so that this curvature, at its measured size, is
the identity, and L-BFGS begins with a step that is nearly Newton's. The optimum stays the same.

The same curvature says when to stop: half the squared norm of the gradient in those variables
estimates how far the objective is above its minimum. The largest component of the plain gradient
does not: under a weak penalty it is small while the validation loss is still a tenth of a nat away.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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


class _Optimum(NamedTuple):
    """A converged fit on the path."""

    c: float
    weight: Doubles
    bias: Doubles


class _Converged(Exception):
    """Leaves scipy's loop as soon as the gradient is small."""


class Logistic:
    """Fits of one data set, each started from the last.

    Attributes:
        weight: (classes, d), float64.
        bias: (classes,), float64.
        iterations: L-BFGS iterations of the last fit.
        passes: Passes over the data of the last fit.
        gap: Estimate of how far the mean objective of the last fit is above its minimum, in nats,
            from the diagonal of the curvature at its end. Under weak penalties the truth has been
            forty times as much.
    """

    def __init__(
        self, features: Floats, labels: NDArray[np.int64], classes: int, *, threads: int = 1
    ) -> None:
        """Features (n, d) and labels (n,); ``threads`` take a block each."""
        self.features, self.labels, self.classes = features, labels, classes
        self.threads = threads
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.workers: Any = pool.map if pool else map
        n, d = features.shape
        self.mean, self.eigenvalues, self.basis = _moments(features)
        self.weight: Doubles = np.zeros((classes, d))
        prior = np.log(np.maximum(np.bincount(labels, minlength=classes), 1) / n)
        # A shift of all intercepts changes nothing and is never corrected: begin at mean zero.
        self.bias: Doubles = prior - prior.mean()
        self.iterations = self.passes = 0
        self.gap = np.inf
        self._optima: tuple[_Optimum, ...] = ()

    @property
    def variance(self) -> float:
        """Of all numbers of all features about their one mean; 1 where there is only one number."""
        found = float(self.eigenvalues.mean() + self.mean.var())
        return found if found > 0 else 1.0

    def fit(self, c: float, *, tol: float = 1e-4, max_iter: int = 1000) -> bool:
        """Move to the optimum at C, from where the last fits lead.

        Args:
            c: Inverse strength of the penalty.
            tol: Norm of the gradient in the scaled variables at convergence: ``gap``, an estimate,
                is then at most tol^2 / 2 nats, whatever the units of the features.
            max_iter: L-BFGS iterations.

        Returns:
            Whether it converged.
        """
        self._extrapolate(c)
        self.iterations = self.passes = 0
        done = False
        # Float32 is nearly twice as fast; where its rounding ends the search, float64 goes on.
        for dtype in (np.float32, np.float64) if tol >= 1e-5 else (np.float64,):
            solve = _Solve(self, c, tol, dtype)
            done = solve.run(max_iter - self.iterations)
            self.weight, self.bias, self.gap = solve.weight, solve.bias, solve.gap
            self.iterations += solve.iterations
            self.passes += solve.passes
            if done or self.iterations >= max_iter:
                break
        here = _Optimum(c, self.weight, self.bias)
        self._optima = (*self._optima[-1:], here) if done else ()
        return done

    def _extrapolate(self, c: float) -> None:
        """Begin on the line, in log C, through the last two optima: a sixth fewer passes."""
        if len(self._optima) < 2:
            return
        first, last = self._optima
        if not first.c < last.c < c:
            return
        on = min(1.0, float(np.log(c / last.c) / np.log(last.c / first.c)))
        self.weight = last.weight + on * (last.weight - first.weight)
        self.bias = last.bias + on * (last.bias - first.bias)


class _Solve:
    """The objective at one C as scipy sees it: flat, scaled variables."""

    def __init__(self, data: Logistic, c: float, tol: float, dtype: Any) -> None:
        self.data, self.tol, self.dtype = data, tol, dtype
        self.ridge = 1.0 / (c * len(data.labels))
        self.weight, self.bias = data.weight, data.bias
        self.iterations = self.passes = 0
        self.gap, self.unit = np.inf, 1.0

    def run(self, max_iter: int) -> bool:
        """L-BFGS until the gap is small; whether it is."""

        def count(_: Any) -> None:
            self.iterations += 1

        try:
            start = self._begin()
            # Its own tests are of the gradient's largest component and of rounding: off.
            end = minimize(self, start, jac=True, method="L-BFGS-B", callback=count,
                           options={"maxiter": max_iter, "maxfun": 4 * max_iter, "maxcor": 20,
                                    "ftol": 0.0, "gtol": 0.0})  # fmt: skip
            self(end.x)  # the last point tried need not be the best
        except _Converged:
            # The callback of the step that got here never ran; at the start there was no step.
            self.iterations += self.passes > 1
            return True
        return False

    def _begin(self) -> Doubles:
        """Choose the scales from the curvature at the start; the start in scaled variables."""
        here = self._look()
        curved = self._curvature(here)
        _, gradient = self._gradient(here, curved)
        self.scale = np.sqrt(curved)
        # scipy's first step has length one; in these units that is the nearly Newton step.
        self.unit = max(float(np.linalg.norm(gradient / self.scale)), 1e-30)
        centred = self.bias + self.weight @ self.data.mean
        rotated = np.concatenate([self.weight @ self.data.basis, centred[:, None]], axis=1)
        flat: Doubles = (rotated * self.scale / self.unit).ravel()
        return flat

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """Objective and gradient, both in scaled units."""
        rotated = flat.reshape(self.scale.shape) * self.unit / self.scale
        self.weight = rotated[:, :-1] @ self.data.basis.T
        self.bias = rotated[:, -1] - self.weight @ self.data.mean
        here = self._look()
        value, gradient = self._gradient(here, self._curvature(here))
        return value / self.unit**2, (gradient / self.scale).ravel() / self.unit

    def _look(self) -> _Pass:
        self.passes += 1
        return _look(self.data, self.weight, self.bias, self.dtype)

    def _curvature(self, here: _Pass) -> Doubles:
        """Diagonal (classes, d + 1), rotated: intercepts last, without penalty.

        Features are centred, so that intercepts have no cross terms with the others.
        """
        spread = np.maximum(here.spread, 1e-3 * here.spread.max() + 1e-12)[:, None]
        return np.concatenate([spread * self.data.eigenvalues + self.ridge, spread], axis=1)

    def _gradient(self, here: _Pass, curved: Doubles) -> tuple[float, Doubles]:
        """Objective and rotated gradient (classes, d + 1).

        Raises:
            _Converged: The gap is small enough.
        """
        value = here.loss + 0.5 * self.ridge * float((self.weight**2).sum())
        own = here.weight - np.outer(here.bias, self.data.mean) + self.ridge * self.weight
        gradient = np.concatenate([own @ self.data.basis, here.bias[:, None]], axis=1)
        self.gap = 0.5 * float((gradient**2 / curved).sum())
        if self.gap <= 0.5 * self.tol**2:
            raise _Converged
        return value, gradient


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
    # One slice of every worker at a time bounds what waits to be summed; the order is fixed, so
    # that the sums are the same whatever the number of threads.
    blocks, step = list(_blocks(n)), data.threads
    for at in range(0, len(blocks), step):
        for part in data.workers(partial(_part, data, columns, free), blocks[at : at + step]):
            loss += part.loss
            slope += part.weight
            offset += part.bias
            spread += part.spread
    return _Pass(loss / n, slope / n, offset / n, spread / n)


def _part(data: Logistic, columns: Any, free: Any, at: slice) -> _Pass:
    """The sums of one block."""
    x, y = np.asarray(data.features[at], dtype=columns.dtype), data.labels[at]
    p = x @ columns
    p += free
    p -= p.max(axis=1, keepdims=True)
    rows = np.arange(len(y))
    own = p[rows, y]
    np.exp(p, out=p)
    total = p.sum(axis=1, keepdims=True)
    loss = float(np.log(total[:, 0], dtype=np.float64).sum() - own.sum(dtype=np.float64))
    p /= total
    spread = p.sum(axis=0) - np.einsum("ij,ij->j", p, p)
    p[rows, y] -= 1
    return _Pass(loss, p.T @ x, p.sum(axis=0), spread)
