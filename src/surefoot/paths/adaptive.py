"""A sweep that scores where it matters: ID validation to choose, the rest at what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Shift
from ..predictions import Predictions
from ..records import Curve, Search
from ..select import select
from .candidates import preview, search

__all__ = ["narrowed"]

Keep = Callable[[float, Predictions], None]
Scored = Callable[[Mapping[str, Shift], tuple[float, ...], Keep | None], Curve]


def narrowed(
    scored: Scored,
    shifts: Mapping[str, Shift],
    grid: Sequence[float],
    fixed: float,
    keep: Keep | None,
) -> Curve:
    """Choose alpha as the full grid would, with fewer forward passes.

    Two savings. *Certain*: the rules fixed, id_val and one_se look at ID validation alone, so the
    test set and the shifts are scored only at the ends and at what the rules chose. *Under an
    assumption*: of ID validation only contested positions are scored (see
    :func:`~.candidates.candidates`). The choice of id_val and one_se is that of the full grid
    unless more images are right at a skipped position and wrong at both evaluated neighbours than
    were so at any position that was evaluated. Where a metric other than top-1 decides, ID
    validation is scored at every position and the choice is the full grid's without condition. The
    oracle and regrets need every position.

    Args:
        scored: Scores some splits at some positions.
        shifts: All splits, "val" among them, which chooses.
        grid: Ascending positions.
        fixed: The position of the rule "fixed" (the nearest on the grid).
        keep: Takes predictions; only those of positions in the curve.

    Returns:
        The curve of all splits at the positions that were chosen, at the ends and at the fixed
        one; its ``search`` has the whole of ID validation.
    """
    val = {"val": shifts["val"]}
    held: dict[float, Predictions] = {}
    curves: list[Curve] = []

    def evaluate(at: Sequence[float]) -> dict[float, NDArray[np.bool_]]:
        new = scored(val, tuple(at), held.__setitem__)
        curves.append(new)
        return dict(zip(new.alphas, new.correct["val"], strict=True)) if new.correct else {}

    expected: dict[float, float] = {}

    def guess(_: Mapping[float, NDArray[np.bool_]]) -> Mapping[float, float]:
        start, end = held[grid[0]], held[grid[-1]]
        expected.update(preview(start.logits, end.logits, end.labels, grid))
        return expected

    if shifts["val"].metric == "top1":
        search(grid, evaluate, guess, first=(fixed,))
    else:
        evaluate(grid)
    validation = _joined(curves)
    chosen = {select(validation, rule, fixed=fixed).alpha for rule in ("fixed", "id_val", "one_se")}
    positions = tuple(sorted({grid[0], grid[-1], *chosen}))
    rest = {name: shift for name, shift in shifts.items() if name != "val"}
    others = scored(rest, positions, keep) if rest else None
    for alpha in positions if keep is not None else ():
        keep(alpha, held[alpha])  # type: ignore[misc]
    n, more = len(val["val"].split), sum(len(s.split) for s in rest.values())
    found = Search(
        validation,
        expected,
        passes=n * len(validation.alphas) + more * len(positions),
        full=(n + more) * len(grid),
    )
    return replace(_with_validation(validation, others, positions), search=found)


def _joined(curves: Sequence[Curve]) -> Curve:
    """One curve of ID validation from several, at all of their positions."""
    rows = {a: s for c in curves for a, s in zip(c.alphas, c.scores["val"], strict=True)}
    right = {a: r for c in curves if c.correct
             for a, r in zip(c.alphas, c.correct["val"], strict=True)}  # fmt: skip
    at = tuple(sorted(rows))
    correct = {"val": np.stack([right[a] for a in at])} if right else {}
    return replace(curves[0], alphas=at, scores={"val": tuple(rows[a] for a in at)},
                   correct=correct)  # fmt: skip


def _with_validation(validation: Curve, rest: Curve | None, at: Sequence[float]) -> Curve:
    """All splits at these positions."""
    index = [validation.alphas.index(a) for a in at]
    own: dict[str, Any] = {"val": tuple(validation.scores["val"][i] for i in index)}
    correct = {k: v[index] for k, v in validation.correct.items()}
    if rest is not None:
        own |= dict(rest.scores)
        correct |= dict(rest.correct)
    return replace(validation, alphas=tuple(at), scores=own, correct=correct)
