"""A proved floor under the OOD loss of fine-tuning, at every time. No torch here.

An argument in the manner of the paper's lower bound on fine-tuning's OOD error (arXiv 2202.10054,
section 3): features stand still off S, and a quantity is conserved. The constants are worked out
for one given problem instead of bounded for all of them; they are ours, not the paper's formula.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from .network import Problem

__all__ = ["ft_floor"]


def ft_floor(problem: Problem, eps: float) -> float:
    """What the OOD loss of fine-tuning from (v0, B0) can never go below, whatever the time.

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
