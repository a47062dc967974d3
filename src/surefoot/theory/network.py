"""The two-layer linear network of the LP-FT paper: truth, data, pretrained features, losses.

Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution" (arXiv 2202.10054), section 3. A network is f(x) = v^T B x with features B
(k, d) and a head v (k,); what it computes is the one vector w = B^T v (d,). The truth is
w* = B*^T v*, without noise. Inputs of the training distribution lie on a subspace S of m
dimensions; under shift they may point anywhere. No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..errors import DataError

__all__ = ["Floats", "Network", "Problem", "Setting", "draw_problem", "ft_floor"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Sizes of the experiment; the defaults are those of ``surefoot theory``.

    Attributes:
        d: Dimensions of an input.
        k: Features.
        m: Dimensions of S, on which the training inputs lie; k < m < d - k.
        n: Training inputs, more than m: at n = m the smallest eigenvalue of the data is so near 0
            that the flow takes for ever.
        eps: Distances of the pretrained features from the true ones, ascending, in [0, 1]; at
            least two above 0, for a slope.
        seeds: Draws of everything random.

    Raises:
        DataError: The sizes do not satisfy the theory's assumptions.
    """

    d: int = 100
    k: int = 10
    m: int = 30
    n: int = 60
    eps: tuple[float, ...] = (0.0, 0.01, 0.1, 0.3, 0.6)
    seeds: int = 5

    def __post_init__(self) -> None:
        if not (1 <= self.k < self.m < self.d - self.k and self.n > self.m):
            raise DataError(
                f"the sizes d={self.d}, k={self.k}, m={self.m}, n={self.n} are outside the theory",
                expected="1 <= k < m < d - k, and n > m",
                fix="take the defaults, d=100, k=10, m=30, n=60, as a start",
            )
        ordered = all(a < b for a, b in zip(self.eps, self.eps[1:], strict=False))
        if not ordered or not all(0 <= e <= 1 for e in self.eps) or len(self.positive) < 2:
            raise DataError(
                f"eps = {self.eps} cannot be used",
                expected="ascending distances in [0, 1], at least two of them above 0",
            )
        if self.seeds < 1:
            raise DataError(f"{self.seeds} seeds", expected="at least 1")

    @property
    def positive(self) -> tuple[float, ...]:
        """The distances above 0."""
        return tuple(e for e in self.eps if e > 0)


@dataclass(frozen=True)
class Network:
    """f(x) = v^T B x.

    Attributes:
        v: Head, (k,).
        features: B, (k, d).
    """

    v: Floats
    features: Floats

    @property
    def w(self) -> Floats:
        """The linear function that it computes, B^T v, (d,)."""
        product: Floats = self.features.T @ self.v
        return product

    @property
    def conserved(self) -> Floats:
        """V v^T - B B^T, (k, k), which no gradient flow changes."""
        held: Floats = np.outer(self.v, self.v) - self.features @ self.features.T
        return held


@dataclass(frozen=True)
class Problem:
    """One draw of truth, data and head; shared by every eps and every method.

    Attributes:
        true_features: B*, (k, d), orthonormal rows.
        true_head: v*, (k,), of length 1: the network that answers 0 has an OOD loss of 1.
        head: v0, (k,), where the head starts, N(0, I/k).
        away: (k, d), orthonormal rows, orthogonal to those of B*: where pretraining went wrong.
        basis: (d, m), orthonormal columns that span S.
        inputs: X, (n, d), rows on S, standard normal in its m directions.
    """

    true_features: Floats
    true_head: Floats
    head: Floats
    away: Floats
    basis: Floats
    inputs: Floats
    moment: Floats = field(init=False)
    w_star: Floats = field(init=False)

    def __post_init__(self) -> None:
        # X^T X / n, (d, d), and w*, (d,): all that the flow needs of data and truth.
        object.__setattr__(self, "moment", self.inputs.T @ self.inputs / len(self.inputs))
        object.__setattr__(self, "w_star", self.true_features.T @ self.true_head)

    def pretrained(self, eps: float) -> Floats:
        """B0, (k, d), orthonormal rows at distance eps from B* (the paper's Definition of d).

        Every row turns by the same angle out of the true subspace, 2 arcsin(eps / 2), so that
        ||B0 - B*||_2 = eps, and no rotation of the features brings it nearer.
        """
        angle = 2 * math.asin(eps / 2)
        return math.cos(angle) * self.true_features + math.sin(angle) * self.away

    def train_loss(self, w: Floats) -> float:
        """||X (w - w*)||^2 / n."""
        return float(np.mean((self.inputs @ (w - self.w_star)) ** 2))

    def id_loss(self, w: Floats) -> float:
        """Expected square loss on fresh inputs of the training distribution, N(0, I) on S."""
        return float(np.sum((self.basis.T @ (w - self.w_star)) ** 2))

    def ood_loss(self, w: Floats) -> float:
        """Expected square loss under shift, inputs N(0, I) in all d directions: ||w - w*||^2."""
        return float(np.sum((w - self.w_star) ** 2))

    def outside(self, change: Floats) -> float:
        """Length (Frobenius) of what a change of the features, (k, d), has orthogonal to S."""
        return float(np.linalg.norm(change - (change @ self.basis) @ self.basis.T))


def _orthonormal(rng: np.random.Generator, rows: int, d: int) -> Floats:
    """Rows (rows, d) of a uniformly random orthonormal set."""
    q, r = np.linalg.qr(rng.standard_normal((d, rows)))
    turned: Floats = (q * np.sign(np.diag(r))).T
    return turned


def draw_problem(setting: Setting, seed: int) -> Problem:
    """Everything random, from one seed: subspaces uniform, v* uniform on the unit sphere."""
    rng = np.random.default_rng(seed)
    both = _orthonormal(rng, 2 * setting.k, setting.d)
    basis = _orthonormal(rng, setting.m, setting.d).T
    truth = rng.standard_normal(setting.k)
    return Problem(
        true_features=both[: setting.k],
        away=both[setting.k :],
        true_head=truth / np.linalg.norm(truth),
        head=rng.standard_normal(setting.k) / math.sqrt(setting.k),
        basis=basis,
        inputs=rng.standard_normal((setting.n, setting.m)) @ basis.T,
    )


def ft_floor(problem: Problem, eps: float) -> float:
    """What the OOD loss of fine-tuning from (v0, B0) can never go below, whatever the time.

    An argument in the manner of the paper's lower bound on fine-tuning's OOD error: features stand
    still off S, and a quantity is conserved. The constants are worked out for one given problem
    instead of bounded for all of them; they are ours, not the paper's formula.

    Let l^2 be the OOD loss of (v, B) on the flow, and c the smallest singular value of B*
    restricted to the directions orthogonal to S (the cosine of the largest angle between the true
    features and those directions).

    1. Off S the features stay B0, so c ||v - v*|| <= l + eps ||v||: the head is near v*,
       ||v - v*|| <= D = (l + eps ||v*||) / (c - eps).
    2. v v^T - B B^T is conserved and B0 B0^T = I, so
       ||B^T v||^2 = ||v||^2 + ||v||^4 - (v0.v)^2 =: g(v).
    3. But ||B^T v|| is within l of ||w*|| = ||v*||. So g(v) is near ||v*||^2 while g(v*) is off by
       phi^2 = | ||v*||^4 - (v0.v*)^2 |, the misalignment of the first head. If l is too small for
       the distance D to make up for phi^2, no point of the flow can have it.

    Returns:
        The floor l^2; 0 where eps >= c or phi = 0, where the argument says nothing.
    """
    off = problem.true_features - (problem.true_features @ problem.basis) @ problem.basis.T
    cosine = float(np.linalg.svd(off, compute_uv=False)[-1])
    r, r0 = float(np.linalg.norm(problem.true_head)), float(np.linalg.norm(problem.head))
    inner = float(problem.head @ problem.true_head)
    gap = abs(r**4 - inner**2)
    if eps >= cosine:
        return 0.0

    def missing(loss_root: float) -> float:
        """What step 3 still lacks; negative where such a loss is ruled out."""
        far = (loss_root + eps * r) / (cosine - eps)
        squares = 2 * r * far + far**2
        fourths = (r + far) ** 4 - r**4
        inners = 2 * abs(inner) * r0 * far + (r0 * far) ** 2
        return squares + fourths + inners + 2 * r * loss_root + loss_root**2 - gap

    if missing(0.0) >= 0:
        return 0.0
    return float(brentq(missing, 0.0, 1.0 + gap)) ** 2
