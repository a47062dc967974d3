"""Differences between rows on the same images, and which rows tie with the best. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..metrics import units_of_lines
from ..stats import Comparison, Ranking, compare
from .kept import Answers
from .names import base_of
from .same_images import apart
from .view import MEAN, Entry, View

__all__ = ["Pairing", "same_seeds", "units_of"]

Floats = NDArray[np.float64]
Seeds = Mapping[object, Answers]


@dataclass
class Pairing:
    """Compares rows on the same images, over units and seeds (:func:`surefoot.stats.compare`).

    Attributes:
        view: The study.
    """

    view: View
    _found: dict[tuple[str, str, str], Comparison | None] = field(default_factory=dict)

    def difference(self, a: Entry, b: Entry, column: str) -> Comparison | None:
        """Row ``a`` minus row ``b`` in one column, which may be the mean over shifts.

        Over the seeds that both have; a model that was not trained stands beside every seed.
        None where predictions of any split are missing, are of other images, or are scored by
        what is no mean.
        """
        key = (a.key, b.key, column)
        if key not in self._found:
            names = [s.name for s in self.view.shifts] if column == MEAN else [column]
            rows = [self._rows(a, b, name) for name in names]
            found, less = _compared(dict(zip(names, rows, strict=True))), self.view.less(column)
            self._found[key] = None if found is None or less is None else _turned(found, less)
        return self._found[key]

    def _rows(self, a: Entry, b: Entry, split: str) -> tuple[Seeds, Seeds] | None:
        """Answers of both rows by seed, in the same order of images."""
        if _strangers(a, b, split):
            return None
        left, right = (self.view.kept.seeds(e.sources.get(split, ()), split) for e in (a, b))
        if not left or not right:
            return None
        first = next(iter(left.values()))
        same = {s: x.as_in(first) for s, x in right.items()}
        there = {s: x for s, x in same.items() if x is not None and x.numbers is not None}
        if len(there) < len(right) or first.numbers is None:
            return None
        return same_seeds(left, there, (a, b))

    def ranking(self, entries: Sequence[Entry], column: str) -> Ranking | None:
        """Every pair of the rows of a column that saw the same images; None where none did.

        Rows that used the test set do not compete, nor do those on other images than most.
        """
        rows = [e for e in entries if column in e.cells and not e.oracle]
        pairs = {(a.key, b.key): self.difference(a, b, column) for a, b in combinations(rows, 2)}
        found = {k: c for k, c in pairs.items() if c is not None}
        inside = _most([e.key for e in rows], found)
        found = {k: c for k, c in found.items() if inside.issuperset(k)}
        turn = -1 if self.view.less(column) else 1
        values = {e.key: turn * e.cells[column].value for e in rows if e.key in inside}
        return Ranking.of(values, found) if found else None

    def best(self, entries: Sequence[Entry], column: str, ranks: Ranking | None) -> str | None:
        """The highest of the rows that compete; None where they are on other images each."""
        if ranks is not None:
            return ranks.best
        rows = [e for e in entries if column in e.cells and not e.oracle]
        names = [s.name for s in self.view.shifts] if column == MEAN else [column]
        mixed = any(_strangers(rows[0], e, name) for e in rows for name in names)
        return max(rows, key=lambda e: e.cells[column].value).key if rows and not mixed else None

    def unit_name(self) -> str:
        """What hangs together, "unit" where splits differ; "" where images are the units."""
        names = {s.unit for s in self.view.splits if s.unit}
        return (names.pop() if len(names) == 1 else "unit") if names else ""


def _most(rows: Sequence[str], pairs: Mapping[tuple[str, str], Comparison]) -> frozenset[str]:
    """The most rows that can all be compared with each other; the first of equally many."""
    sets: list[list[str]] = []
    for row in rows:
        for same in sets:
            if all((other, row) in pairs for other in same):
                same.append(row)
        sets.append([row])
    return frozenset(max(sets, key=len) if sets else ())


def _strangers(a: Entry, b: Entry, split: str) -> bool:
    """The runs of two rows saw different images under one name."""
    ours, theirs = (e.sources.get(split, ()) for e in (a, b))
    return any(apart(x, y, split) for x, _ in ours[:1] for y, _ in theirs[:1])


def same_seeds(a: Seeds, b: Seeds, rows: tuple[Entry, Entry]) -> tuple[Seeds, Seeds]:
    """Both rows by the same seeds; one that was not trained, and is alone, is left alone."""
    for mine, row in zip((a, b), rows, strict=True):
        if len(mine) == 1 and base_of(row.group) == "zero-shot":
            return a, b
    common = [s for s in a if s in b]
    if not common:  # other seeds altogether: no two trainings have anything in common
        firsts = list(zip(a, b, strict=False))
        return {i: a[s] for i, (s, _) in enumerate(firsts)}, {
            i: b[s] for i, (_, s) in enumerate(firsts)}  # fmt: skip
    return {s: a[s] for s in common}, {s: b[s] for s in common}


def _compared(rows: Mapping[str, tuple[Seeds, Seeds] | None]) -> Comparison | None:
    """The comparison over splits that all have both sides, and the same number of seeds."""
    there = {name: pair for name, pair in rows.items() if pair is not None}
    if not there or len(there) < len(rows):
        return None
    sides = [{name: _stacked(pair[i]) for name, pair in there.items()} for i in (0, 1)]
    if any(len({len(v) for v in side.values()}) > 1 for side in sides):
        return None
    units = {name: _units_of_lines(*pair) for name, pair in there.items()}
    return compare(sides[0], sides[1], units)


def units_of(a: Seeds, b: Seeds) -> NDArray[np.int64] | None:
    """Which images hang together, as whichever side knows it."""
    found = (x.units for x in (*a.values(), *b.values()))
    return next((units for units in found if units is not None), None)


def _units_of_lines(a: Seeds, b: Seeds) -> NDArray[np.int64] | None:
    return units_of_lines(next(iter(a.values())).columns, units_of(a, b))


def _turned(found: Comparison, less: bool) -> Comparison:
    """A comparison that knows which way is better, of all splits and of each."""
    splits = {name: replace(each, less=less) for name, each in found.splits.items()}
    return replace(found, less=less, splits=splits)


def _stacked(seeds: Seeds) -> Floats:
    return np.stack([a.numbers for a in seeds.values() if a.numbers is not None])
