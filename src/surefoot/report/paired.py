"""Differences between rows on the same images, and which rows tie with the best. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats as sp

from ..predictions import Predictions, same_order
from ..runs import Run
from ..stats import holm, paired_difference
from .same_images import apart
from .view import MEAN, Entry, View

__all__ = ["Difference", "Pairing"]

Floats = NDArray[np.float64]

TESTED = frozenset({"top1"})
"""Metrics that are means over images, which is what the paired tests are about."""


@dataclass(frozen=True)
class Difference:
    """One row minus another on the same images, the mean over seeds of each.

    Attributes:
        value: Fraction.
        low: Lower end of the 95 % interval over images.
        high: Upper end.
        p: Two-sided, not adjusted.
        n: Images.
        cluster: The interval over clusters, if the splits have any.
        seeds: Difference of every seed that both rows have.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    cluster: tuple[float, float] | None = None
    seeds: tuple[float, ...] = ()

    @property
    def significant(self) -> bool:
        """The paired test over images gives p < 0.05."""
        return self.p < 0.05

    @property
    def cluster_doubt(self) -> bool:
        """Significant over images, but not over clusters."""
        if not self.significant or self.cluster is None:
            return False
        return self.cluster[0] <= 0 <= self.cluster[1]


@dataclass(frozen=True)
class _Results:
    """Right or wrong, image by image."""

    ids: tuple[str, ...]
    right: Floats
    clusters: NDArray[np.str_] | None
    named: str | None
    identities: NDArray[np.uint8] | None
    labels: NDArray[np.str_]

    def as_in(self, other: _Results) -> _Results | None:
        """The same images in the order of another; None where they or their labels are others."""
        rows = same_order((other.ids, self.ids), (other.identities, self.identities))
        if rows is None or not np.array_equal(self.labels[rows], other.labels):
            return None
        return replace(
            other, right=self.right[rows],
            clusters=None if self.clusters is None else self.clusters[rows], named=self.named,
        )  # fmt: skip


@dataclass
class Pairing:
    """Reads stored predictions once each, and compares rows.

    Attributes:
        view: The study.
    """

    view: View
    _kept: dict[tuple[Path, str, float | None], _Results | None] = field(default_factory=dict)

    def _load(self, run: Run, split: str, alpha: float | None) -> _Results | None:
        key = (run.path, split, alpha)
        if key not in self._kept:
            found = _find(run, split, alpha)
            self._kept[key] = None if found is None else _reduce(found)
        return self._kept[key]

    def results(self, entry: Entry, split: str) -> _Results | None:
        """Mean over seeds of right or wrong, (n,); None where any seed's were not kept."""
        parts = [self._load(run, split, alpha) for run, alpha in entry.sources.get(split, ())]
        first = parts[0] if parts else None
        if first is None:
            return None
        kept = [same for p in parts if p is not None and (same := p.as_in(first)) is not None]
        if len(kept) != len(parts):
            return None
        return replace(first, right=np.mean([p.right for p in kept], axis=0))

    def difference(self, a: Entry, b: Entry, column: str) -> Difference | None:
        """Row ``a`` minus row ``b`` in one column, which may be the mean over shifts.

        None where predictions of any split are missing, are of other images, or are scored by
        something else than accuracy.
        """
        names = [s.name for s in self.view.shifts] if column == MEAN else [column]
        metrics = {s.name: s.metric for s in self.view.splits}
        rows: list[tuple[str, _Results, _Results]] = []
        for name in names:
            if _strangers(a, b, name):
                return None
            left, right = self.results(a, name), self.results(b, name)
            if left is None or right is None or metrics.get(name) not in TESTED:
                return None
            right = right.as_in(left)
            if right is None:
                return None
            rows.append((name, left, right))
        return _difference(rows, self._synthetic(), _seeds(a, b, column)) if rows else None

    def cluster_name(self) -> str:
        """What images hang together by, "cluster" where splits differ, "" where none is known."""
        names = {s.cluster for s in self.view.splits if s.cluster}
        names |= {r.named for r in self._kept.values() if r is not None and r.named}
        return (names.pop() if len(names) == 1 else "cluster") if names else ""

    def _synthetic(self) -> set[str]:
        return {s.name for s in self.view.splits if s.synthetic}

    def tied(self, entries: Sequence[Entry], column: str) -> tuple[str | None, dict[str, float]]:
        """The best row of a column, and the Holm-adjusted p of every other one that was tested.

        Rows that used the test set do not compete.
        """
        rows = [e for e in entries if column in e.cells and not e.oracle]
        if not rows:
            return None, {}
        best = max(rows, key=lambda e: e.cells[column].value)
        raw = {}
        for e in rows:
            d = self.difference(best, e, column) if e is not best else None
            if d is not None:
                raw[e.key] = d.p
        adjusted = holm(list(raw.values())).tolist() if raw else []
        return best.key, dict(zip(raw, adjusted, strict=True))


def _strangers(a: Entry, b: Entry, split: str) -> bool:
    """The runs of two rows saw different images under one name."""
    ours, theirs = (e.sources.get(split, ()) for e in (a, b))
    return any(apart(x, y, split) for x, _ in ours[:1] for y, _ in theirs[:1])


def _find(run: Run, split: str, alpha: float | None) -> Predictions | None:
    """Predictions at an alpha; the ends are also found under their other names."""
    other: dict[float | None, list[float | None]] = {None: [1.0, 0.0], 1.0: [None]}
    if alpha is None and run.facts.get("method") == "zero-shot":
        other[None] = [0.0]
    for a in (alpha, *other.get(alpha, [])):
        found = run.predictions(split, a, run.facts.get("evaluator", "head"))
        if found is not None:
            return found
    return None


def _reduce(p: Predictions) -> _Results:
    """Keep only what tests need; logits of many classes are large."""
    labels = p.units() if p.unit else None
    clusters = None if labels is None else np.asarray(labels).astype(np.str_)
    right, names = p.correct().astype(np.float64), np.array(p.class_names, dtype=np.str_)
    return _Results(p.ids, right, clusters, p.unit, p.identities, names[p.labels])


def _seeds(a: Entry, b: Entry, column: str) -> tuple[float, ...]:
    """Differences of seeds that both rows have; a single run stands for every seed."""
    if column not in a.cells or column not in b.cells:
        return ()
    left, right = dict(a.cells[column].seeds), dict(b.cells[column].seeds)
    if len(right) == 1 and len(left) > 1:
        right = dict.fromkeys(left, next(iter(right.values())))
    return tuple(left[s] - right[s] for s in left if s in right)


def _difference(
    rows: Sequence[tuple[str, _Results, _Results]], synthetic: set[str], seeds: tuple[float, ...]
) -> Difference:
    """Exact where there is one split and one seed, else linearised; clusters beside it."""
    units: list[str] = []
    clusters: list[str] = []
    gaps: list[Floats] = []
    whole = True
    for name, a, b in rows:
        # Synthetic shifts distort the same images, so their results go together by id.
        mark = "synthetic" if name in synthetic else name
        units += [f"{mark}\0{i}" for i in a.ids]
        whole = whole and a.clusters is not None
        clusters += [] if a.clusters is None else a.clusters.tolist()
        gaps.append(a.right - b.right)
    n = sum(len(g) for g in gaps)
    value = float(np.mean([g.mean() for g in gaps]))
    over = _linearised(gaps, clusters)[:2] if whole else None
    reach = None if over is None or not all(map(math.isfinite, over)) else over
    _, a, b = rows[0]
    binary = all(np.isin(r.right, (0.0, 1.0)).all() for r in (a, b))
    if len(rows) == 1 and binary:
        d = paired_difference(a.right > 0.5, b.right > 0.5)
        return Difference(value, d.interval.low, d.interval.high, d.p, n, reach, seeds)
    low, high, p = _linearised(gaps, units)
    return Difference(value, low, high, p, n, reach, seeds)


def _linearised(gaps: Sequence[Floats], units: Sequence[str]) -> tuple[float, float, float]:
    """Interval and p of the mean of the splits' mean gaps, over units that hang together.

    The estimate is a mean of means; its error is the sum of the units' influences, with Student's
    t over units. Infinite ends for fewer than two units.
    """
    value = float(np.mean([g.mean() for g in gaps]))
    influence = np.concatenate([(g - g.mean()) / len(g) / len(gaps) for g in gaps])
    names, codes = np.unique(np.asarray(units), return_inverse=True)
    if len(names) < 2:
        return -math.inf, math.inf, 1.0
    sums = np.bincount(codes, weights=influence)
    error = math.sqrt(len(names) / (len(names) - 1) * float(sums @ sums))
    # Over clusters, never narrower than over images: a spread of zero is no proof.
    error = max(error, math.sqrt(float(influence @ influence)))
    half = float(sp.t.ppf(0.975, len(names) - 1)) * error
    p = (
        1.0
        if value == 0
        else 2 * float(sp.t.sf(abs(value) / error, len(names) - 1))
        if error
        else 0.0
    )
    return max(value - half, -1.0), min(value + half, 1.0), p
