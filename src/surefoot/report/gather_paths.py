"""The scores along a method's path, over seeds. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..records import Score
from ..runs import Run, Selection
from ..stats import Interval, bound_of_mean
from .view import MEAN, PathView, SplitView

__all__ = ["read_path"]

Rows = list[tuple[Run, Score]]
Grid = list[list[list[Score]]]
"""By alpha, seed and split."""


def read_path(
    group: str, label: str, hue: int, rows: Rows, splits: Sequence[SplitView]
) -> PathView | None:
    """The path's scores on the alphas that every seed and split has."""
    grid: dict[tuple[str, str], dict[float, Score]] = {}
    for run, s in rows:
        if s.selection == "none" and s.alpha is not None:
            grid.setdefault((str(run.path), s.split), {})[s.alpha] = s
    if not grid:
        return None
    alphas = tuple(sorted(set.intersection(*(set(t) for t in grid.values()))))
    runs = list(dict.fromkeys(p for p, _ in grid))
    if len(alphas) < 2:
        return None
    found: dict[str, Grid] = {}
    for split in splits:
        tables = [grid[p, split.name] for p in runs if (p, split.name) in grid]
        if len(tables) == len(runs):
            found[split.name] = [[[t[a]] for t in tables] for a in alphas]
    shifts = [s.name for s in splits if s.domain == "OOD"]
    if shifts and all(name in found for name in shifts):
        found[MEAN] = _over_splits([found[name] for name in shifts])
    seeds = {name: _values(of) for name, of in found.items()}
    reach = {name: [_reach(at) for at in of] for name, of in found.items()}
    value = {name: rows.mean(axis=0) for name, rows in seeds.items()}
    low = {name: np.array([i.low for i in row]) for name, row in reach.items()}
    high = {name: np.array([i.high for i in row]) for name, row in reach.items()}
    return PathView(group, label, hue, alphas, value, low, high, seeds, _picks(rows))


def _over_splits(parts: Sequence[Grid]) -> Grid:
    """One grid of several splits', their scores side by side."""
    return [
        [[s for split in seed for s in split] for seed in zip(*at, strict=True)]
        for at in zip(*parts, strict=True)
    ]


def _values(grid: Grid) -> NDArray[np.float64]:
    """The mean over splits, (seeds, alphas)."""
    means = [[float(np.mean([s.value for s in seed])) for seed in at] for at in grid]
    return np.transpose(np.array(means, dtype=np.float64))


def _reach(scores: Sequence[Sequence[Score]]) -> Interval:
    """Of the mean over seeds and splits (seeds, splits); from the rows alone, so a bound."""
    if len(scores) == len(scores[0]) == 1:
        return scores[0][0].reach
    values = [[s.value for s in seed] for seed in scores]
    return bound_of_mean(values, [[s.reach for s in seed] for seed in scores])


def _picks(rows: Rows) -> tuple[tuple[str, float, str], ...]:
    """(rule, alpha, chosen on) of a path, mean over seeds; oracles one per split."""
    runs = dict.fromkeys(r for r, _ in rows)
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for sel in _selections(run):
            found.setdefault((sel.rule, sel.chosen_on), []).append(sel.alpha)
    return tuple((rule, sum(a) / len(a), on) for (rule, on), a in found.items())


def _selections(run: Run) -> list[Selection]:
    """Those of the run; where none were stored, what the score rows tell."""
    stored = run.selections()
    if stored:
        return stored
    told = {
        (s.selection, s.alpha)
        for s in run.scores()
        if s.alpha is not None and s.selection not in ("none", "end")
    }
    return [Selection(rule, alpha, "test" if rule == "oracle" else "") for rule, alpha in told]
