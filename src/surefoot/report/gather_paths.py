"""The scores along a method's path, over seeds. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..records import Score
from ..runs import Run, Selection
from .kept import Kept
from .view import MEAN, PathView, SplitView

__all__ = ["read_path"]

Rows = list[tuple[Run, Score]]


def read_path(
    group: str, label: str, hue: int, rows: Rows, splits: Sequence[SplitView], kept: Kept
) -> PathView | None:
    """The path's scores on the alphas that every seed and split has."""
    grid: dict[tuple[Path, str], dict[float, tuple[Run, Score]]] = {}
    for run, s in rows:
        if s.selection == "none" and s.alpha is not None:
            grid.setdefault((run.path, s.split), {})[s.alpha] = (run, s)
    if not grid:
        return None
    alphas = tuple(sorted(set.intersection(*(set(t) for t in grid.values()))))
    runs = list(dict.fromkeys(p for p, _ in grid))
    if len(alphas) < 2:
        return None
    parts = {s.name: [s.name] for s in splits if all((p, s.name) in grid for p in runs)}
    shifts = [s.name for s in splits if s.domain == "OOD"]
    if shifts and all(name in parts for name in shifts):
        parts[MEAN] = shifts
    seeds, low, high = {}, {}, {}
    for name, of in parts.items():
        at = [{s: [grid[p, s][a] for p in runs] for s in of} for a in alphas]
        reach = [kept.reach(here) for here in at]
        low[name], high[name] = (np.array([getattr(i, end) for i in reach])
                                 for end in ("low", "high"))  # fmt: skip
        seeds[name] = np.array([[np.mean([grid[p, s][a][1].value for s in of]) for a in alphas]
                                for p in runs])  # fmt: skip
    value = {name: rows.mean(axis=0) for name, rows in seeds.items()}
    return PathView(group, label, hue, alphas, value, low, high, seeds, _picks(rows))


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
