"""Which positions on the path could still be chosen, given those that were evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..records import Curve, Score
from ..select import select
from ..stats import paired_se

__all__ = ["candidates", "choose", "preview", "search", "surprises"]

Bools = NDArray[np.bool_]
Evaluate = Callable[[Sequence[float]], Mapping[float, Bools]]


def preview(
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    labels: NDArray[np.int64],
    alphas: Sequence[float],
) -> dict[float, float]:
    """Top-1 accuracy of (1 - alpha) start + alpha end in logits, both (n, classes).

    What an ensemble of the two ends would score: it costs no forward pass and tells roughly where
    the curve of the mixed weights peaks (WiSE-FT, arXiv 2109.01903, section 5, where the two are
    compared). It decides what is looked at first, never what is chosen.
    """
    out = {}
    for alpha in alphas:
        mixed = (1 - alpha) * start.astype(np.float64) + alpha * end.astype(np.float64)
        out[alpha] = float((mixed.argmax(axis=1) == labels).mean())
    return out


def surprises(correct: Mapping[float, Bools]) -> float:
    """Largest share of images that are right somewhere and wrong at both evaluated neighbours.

    The search assumes that such images are no more frequent between positions that were not
    evaluated than between those that were.
    """
    at = sorted(correct)
    found = [0.0]
    for left, middle, right in zip(at, at[1:], at[2:], strict=False):
        lost = correct[middle] & ~correct[left] & ~correct[right]
        found.append(float(lost.mean()))
    return max(found)


def choose(correct: Mapping[float, Bools]) -> tuple[float, float]:
    """What id_val and one_se choose among the evaluated positions."""
    curve = _curve(correct)
    return select(curve, "id_val").alpha, select(curve, "one_se").alpha


def candidates(grid: Sequence[float], correct: Mapping[float, Bools]) -> list[float]:
    """Positions of the grid that were not evaluated and that a rule could choose.

    At such a position at most the images are right that are right at one of its evaluated
    neighbours, and as many more as :func:`surprises` has seen. If that could reach the best
    (id_val), or lie within one standard error of it at a smaller alpha than is chosen now
    (one_se), the position is contested.

    Args:
        grid: All positions.
        correct: Position -> (n,), image by image; both ends of the grid are among them.
    """
    best, nearest_good = choose(correct)
    top = correct[best]
    slack = surprises(correct)
    out = []
    for alpha in grid:
        if alpha in correct:
            continue
        left, right = _around(alpha, correct)
        hopeful = correct[left] | correct[right]
        gain = float(hopeful.mean()) + slack - float(top.mean())
        # Equals go to the smaller alpha.
        could_be_best = gain > 1e-12 or (gain > -1e-12 and alpha < best)
        within = -gain <= paired_se(top, hopeful) + 1e-9
        if could_be_best or (alpha < nearest_good and within):
            out.append(alpha)
    return out


def search(
    grid: Sequence[float],
    evaluate: Evaluate,
    guess: Callable[[Mapping[float, Bools]], Mapping[float, float]] | None = None,
    *,
    first: Sequence[float] = (0.5,),
) -> dict[float, Bools]:
    """Evaluate positions until no other one is contested.

    Args:
        grid: Ascending positions.
        evaluate: Positions -> image-by-image correctness (n,) at each.
        guess: From what the ends gave, position -> expected value; the best is looked at early.
        first: Positions (the nearest on the grid) that are evaluated in any case.

    Returns:
        Every position that was evaluated.
    """
    ends = {grid[0], grid[-1]}
    early = {min(grid, key=lambda a: (abs(a - wanted), a)) for wanted in first}
    correct: dict[float, Bools] = dict(evaluate(sorted(ends | early)))
    if guess is not None:
        expected = guess(correct)
        peak = max(grid, key=lambda a: (expected[a], -a))
        if peak not in correct:
            correct.update(evaluate([peak]))
    while open_ := candidates(grid, correct):
        # One of each gap in one round: the images are decoded once for all of them.
        gaps: dict[tuple[float, float], list[float]] = {}
        for alpha in open_:
            gaps.setdefault(_around(alpha, correct), []).append(alpha)
        correct.update(evaluate(sorted(own[len(own) // 2] for own in gaps.values())))
    return correct


def _around(alpha: float, correct: Mapping[float, Bools]) -> tuple[float, float]:
    """The evaluated neighbours of a position."""
    left = max((a for a in correct if a < alpha), default=min(correct))
    right = min((a for a in correct if a > alpha), default=max(correct))
    return left, right


def _curve(correct: Mapping[float, Bools]) -> Curve:
    at = tuple(sorted(correct))
    row = Score("top1", 0.0, len(correct[at[0]]), 0.0, 0.0, "none", "val", "ID")
    scores = tuple(replace(row, value=float(correct[a].mean()), alpha=a) for a in at)
    return Curve("", at, {"val": scores}, {"val": np.stack([correct[a] for a in at])})
