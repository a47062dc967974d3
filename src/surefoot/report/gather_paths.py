"""The scores along a method's path, over seeds. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..records import Score
from ..runs import Run, Selection
from .view import MEAN, PathView, SplitView

__all__ = ["mean_interval", "read_path"]

Rows = list[tuple[Run, Score]]
Table = dict[str, NDArray[np.float64]]


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
    value: Table = {}
    low: Table = {}
    high: Table = {}
    seeds: Table = {}
    for split in splits:
        tables = [grid[p, split.name] for p in runs if (p, split.name) in grid]
        if len(tables) != len(runs):
            continue
        scores = [[t[a] for a in alphas] for t in tables]
        seeds[split.name] = np.array([[s.value for s in row] for row in scores])
        value[split.name] = seeds[split.name].mean(axis=0)
        low[split.name] = np.array([[s.low for s in row] for row in scores]).mean(axis=0)
        high[split.name] = np.array([[s.high for s in row] for row in scores]).mean(axis=0)
    _add_mean(splits, value, low, high, seeds)
    return PathView(group, label, hue, alphas, value, low, high, seeds, _picks(rows))


def _add_mean(
    splits: Sequence[SplitView], value: Table, low: Table, high: Table, seeds: Table
) -> None:
    """Add the mean over shifts, if no shift is missing."""
    shifts = [s for s in splits if s.domain == "OOD"]
    if not shifts or any(s.name not in value for s in shifts):
        return
    names, made = [s.name for s in shifts], [s.synthetic for s in shifts]
    seeds[MEAN] = np.mean([seeds[n] for n in names], axis=0)
    value[MEAN] = np.mean([value[n] for n in names], axis=0)
    ends = [
        mean_interval([value[n][i] for n in names], [(low[n][i], high[n][i]) for n in names], made)
        for i in range(len(value[MEAN]))
    ]
    low[MEAN], high[MEAN] = np.array([e[0] for e in ends]), np.array([e[1] for e in ends])


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


def mean_interval(
    values: Sequence[float], ends: Sequence[tuple[float, float]], synthetic: Sequence[bool]
) -> tuple[float, float]:
    """The interval of an unweighted mean of scores, in the normal approximation.

    Errors of natural shifts are independent, since their images differ; those of synthetic
    shifts, which distort the same images, are taken as fully correlated.
    """
    half = [(high - low) / 2 for low, high in ends]
    natural = sum(h * h for h, s in zip(half, synthetic, strict=True) if not s)
    made = sum(h for h, s in zip(half, synthetic, strict=True) if s)
    middle, reach = sum(values) / len(values), math.sqrt(natural + made**2) / len(values)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
