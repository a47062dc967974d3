"""A sweep that scores where it matters: ID validation to choose, the rest at what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Task
from ..predictions import Predictions
from ..records import Curve
from ..runs import Selection
from ..select import select
from .candidates import preview, search
from .path import Path
from .sweeping import alpha_grid, sweep

__all__ = ["AdaptiveSweep", "adaptive_sweep"]


@dataclass(frozen=True)
class AdaptiveSweep:
    """What an adaptive sweep found.

    Attributes:
        curve: All splits at the positions that were chosen, at the ends and at the fixed one.
        validation: The positions at which ID validation was scored.
        selections: fixed, id_val, one_se; without regret, which needs the whole curve.
        preview: Position -> ID validation accuracy of the ends' logits, mixed; {} for metrics
            other than top-1.
        passes: Images that went through the model, each position counted.
        full: How many a sweep of the whole grid has.
    """

    curve: Curve
    validation: Curve
    selections: tuple[Selection, ...]
    preview: Mapping[float, float]
    passes: int
    full: int


def adaptive_sweep(
    path: Path,
    task: Task,
    *,
    alphas: Sequence[float] | None = None,
    fixed: float = 0.5,
    method: str = "wise-ft",
    seed: int | None = None,
    on_predictions: Callable[[float, Predictions], None] | None = None,
    **options: Any,
) -> AdaptiveSweep:
    """Choose alpha as the full grid would, with fewer forward passes.

    Two savings. *Certain*: the rules fixed, id_val and one_se look at ID validation alone, so the
    test set and the shifts are scored only at the ends and at what the rules chose. *Under an
    assumption*: of ID validation only contested positions are scored (see
    :func:`~.candidates.contested`). The choice of id_val and one_se is that of the full grid unless
    more images are right at a skipped position and wrong at both evaluated neighbours than were so
    at any position that was evaluated. Where a metric other than top-1 decides, ID validation is
    scored at every position and the choice is the full grid's without condition. The oracle and
    regrets need every position: take :func:`~.sweeping.sweep` for them.

    Args:
        path: From start to end.
        task: Its validation chooses.
        alphas: The grid; :func:`~.sweeping.alpha_grid` when left out.
        fixed: The position of the rule "fixed" (the nearest on the grid).
        method: Goes into the scores.
        seed: Likewise.
        on_predictions: As in :func:`~.sweeping.sweep`; only for positions in ``curve``.
        **options: ``batch_size``, ``device``, ``workers``, ``decode_budget``, ``refit`` of
            :func:`~.sweeping.sweep`.

    Raises:
        AlphaError: As :func:`~.sweeping.sweep`.
        ClassMismatch: Likewise.
    """
    grid = tuple(sorted(set(alpha_grid() if alphas is None else alphas)))
    shifts = task.scored()
    val = {"val": shifts["val"]}
    held: dict[float, Predictions] = {}
    scored: list[Curve] = []

    def score(at: Sequence[float]) -> dict[float, NDArray[np.bool_]]:
        new = sweep(path, val, alphas=at, method=method, seed=seed,
                    on_predictions=held.__setitem__, **options)  # fmt: skip
        scored.append(new)
        return dict(zip(new.alphas, new.correct["val"], strict=True)) if new.correct else {}

    expected: dict[float, float] = {}

    def guess(_: Mapping[float, NDArray[np.bool_]]) -> Mapping[float, float]:
        start, end = held[grid[0]], held[grid[-1]]
        expected.update(preview(start.logits, end.logits, end.labels, grid))
        return expected

    if shifts["val"].metric == "top1":
        search(grid, score, guess, first=(fixed,))
    else:
        score(grid)
    validation = _joined(scored)
    chosen = tuple(
        replace(select(validation, rule, fixed=fixed), regret={})
        for rule in ("fixed", "id_val", "one_se")
    )
    positions = sorted({grid[0], grid[-1], *(s.alpha for s in chosen)})
    rest = {name: shift for name, shift in shifts.items() if name != "val"}
    curve = _with_validation(
        validation,
        sweep(path, rest, alphas=positions, method=method, seed=seed,
              on_predictions=on_predictions, **options) if rest else None,
        positions,
    )  # fmt: skip
    for alpha in positions if on_predictions is not None else ():
        assert on_predictions is not None
        on_predictions(alpha, held[alpha])
    others = sum(len(s.split) for s in rest.values())
    n = len(shifts["val"].split)
    return AdaptiveSweep(
        curve,
        validation,
        chosen,
        expected,
        passes=n * len(validation.alphas) + others * len(positions),
        full=(n + others) * len(grid),
    )


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
    scores = {"val": tuple(validation.scores["val"][i] for i in index)}
    correct = {k: v[index] for k, v in validation.correct.items()}
    if rest is not None:
        scores |= dict(rest.scores)
        correct |= dict(rest.correct)
    return replace(validation, alphas=tuple(at), scores=scores, correct=correct)
