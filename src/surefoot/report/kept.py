"""What models answered, image by image, read once each from the runs' folders. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, UnknownName
from ..metrics import Metric, get_metric, interval, pseudo_values, units_of_lines
from ..metrics.influence import classes_thin
from ..predictions import Predictions, same_order
from ..records import Score
from ..runs import Run
from ..stats import Interval, bound_of_mean, interval_of_mean
from ..stats.spread import unit_names

__all__ = ["Answers", "Kept", "Source", "sources_of"]

Floats = NDArray[np.float64]
Source = tuple[Run, float | None]
"""A run and the alpha at which it was asked."""


@dataclass(frozen=True)
class Answers:
    """What a metric keeps of one model's answers on one split; logits of many classes are large.

    Attributes:
        metric: The split's own.
        columns: Per line, as ``metric.of`` gives them.
        ids: Names of the images.
        identities: Who they are, where that was kept.
        labels: Their classes, by name.
        units: What would be drawn anew, per image: a number that is the same in every split;
            None where images stand for themselves.
    """

    metric: Metric
    columns: Mapping[str, NDArray[np.generic]]
    ids: tuple[str, ...]
    identities: NDArray[np.uint8] | None
    labels: NDArray[np.str_]
    units: NDArray[np.int64] | None

    @cached_property
    def numbers(self) -> Floats | None:
        """Numbers per line whose mean is the value; None of a metric that is no such mean.

        None too of a mean over classes where too many have few images: no interval holds there.
        """
        try:
            found = pseudo_values(self.metric, self.columns)
        except DataError:
            return None
        return None if not self.metric.mean_of_images and classes_thin(self.columns) else found

    @property
    def line_units(self) -> NDArray[np.int64] | None:
        """The unit of every line."""
        return units_of_lines(self.columns, self.units)

    def as_in(self, other: Answers) -> Answers | None:
        """The same images in the order of another; None where they or their labels are others."""
        rows = same_order((other.ids, self.ids), (other.identities, self.identities))
        if rows is None or not np.array_equal(self.labels[rows], other.labels):
            return None
        if np.array_equal(rows, np.arange(len(rows))):
            return self
        units = other.units if self.units is None else self.units[rows]
        return replace(other, columns=_ordered(self.columns, rows), units=units)


def _ordered(
    columns: Mapping[str, NDArray[np.generic]], rows: NDArray[np.int64]
) -> dict[str, NDArray[np.generic]]:
    """Columns with their images in the order of ``rows``; lines of anchors follow their images."""
    if "row" not in columns:
        return {name: column[rows] for name, column in columns.items()}
    place = np.argsort(rows)[columns["row"].astype(np.int64)]
    order = np.argsort(place, kind="stable")
    return {**{n: c[order] for n, c in columns.items()}, "row": place[order]}


@dataclass
class Kept:
    """Reads stored predictions once each.

    Attributes:
        metrics: Split -> the metric that is asked about.
    """

    metrics: Mapping[str, str] = field(default_factory=dict)
    _read: dict[tuple[Path, str, float | None], Answers | None] = field(default_factory=dict)
    _units: dict[str, int] = field(default_factory=dict)
    _facts: dict[Path, Mapping[str, object]] = field(default_factory=dict)

    def seed(self, run: Run) -> object:
        """Of a run."""
        return self._of(run).get("seed")

    def _of(self, run: Run) -> Mapping[str, object]:
        if run.path not in self._facts:
            self._facts[run.path] = run.facts
        return self._facts[run.path]

    def one(self, source: Source, split: str) -> Answers | None:
        """The answers of one model; None where they were not kept."""
        key = (source[0].path, split, source[1])
        if key not in self._read:
            self._read[key] = self._answers(source, split)
        return self._read[key]

    def _answers(self, source: Source, split: str) -> Answers | None:
        said = _find(*source, split, self._of(source[0]))
        try:
            return None if said is None else self._reduced(said, get_metric(self.metrics[split]))
        except (KeyError, UnknownName, DataError):  # a metric of a package that is not here
            return None

    def _reduced(self, p: Predictions, metric: Metric) -> Answers:
        names, units = np.array(p.class_names, dtype=np.str_)[p.labels], p.units()
        codes = None if units is None else self._numbered(units)
        return Answers(metric, metric.of(p), p.ids, p.identities, names, codes)

    def _numbered(self, units: NDArray[np.generic]) -> NDArray[np.int64]:
        labels, at = np.unique(unit_names(units), return_inverse=True)
        codes = [self._units.setdefault(label, len(self._units)) for label in labels.tolist()]
        return np.array(codes, dtype=np.int64)[at]

    def seeds(self, sources: Sequence[Source], split: str) -> dict[object, Answers]:
        """Seed -> answers, images in one order; {} where any seed's were not kept."""
        found = {self.seed(source[0]): self.one(source, split) for source in sources}
        first = next(iter(found.values()), None)
        if first is None or len(found) < len(sources):
            return {}
        same = {s: a.as_in(first) for s, a in found.items() if a is not None}
        kept = {s: a for s, a in same.items() if a is not None}
        return kept if len(kept) == len(found) else {}

    def reach(self, rows: Mapping[str, Sequence[tuple[Run, Score]]]) -> Interval:
        """The interval of the mean over splits and seeds, units joined over splits.

        Where answers were not kept it is made of the rows alone, and so a bound.

        Args:
            rows: Split -> the row of every seed.
        """
        every = [s for of_split in rows.values() for _, s in of_split]
        if len(every) == 1 or not all(s.reach for s in every):
            return next((s.reach for s in every if not s.reach), every[0].reach)
        sources = {split: sources_of(of_split) for split, of_split in rows.items()}
        one = next(iter(sources)) if len(sources) == 1 else None
        found = self._mean_interval(sources) if one is None else self._interval(one, sources[one])
        return _bound(rows) if found is None else found

    def _interval(self, split: str, sources: Sequence[Source]) -> Interval | None:
        """Of the mean over seeds on one split; None where answers were not kept."""
        seeds = list(self.seeds(sources, split).values())
        if not seeds:
            return None
        columns = [a.columns for a in seeds]
        return interval(seeds[0].metric, columns, seeds[0].units, seeds_drawn=len(seeds) > 1)

    def _mean_interval(self, sources: Mapping[str, Sequence[Source]]) -> Interval | None:
        """Of the mean over splits and seeds; None as there."""
        rows: dict[str, Floats] = {}
        units: dict[str, ArrayLike | None] = {}
        for split, of_split in sources.items():
            seeds = list(self.seeds(of_split, split).values())
            numbers = [a.numbers for a in seeds if a.numbers is not None]
            if not numbers or len(numbers) < len(seeds):
                return None
            rows[split], units[split] = np.stack(numbers), seeds[0].line_units
        counts = {len(row) for row in rows.values()}
        return (
            interval_of_mean(rows, units, seeds_drawn=counts != {1}) if len(counts) == 1 else None
        )


def sources_of(rows: Sequence[tuple[Run, Score]]) -> list[Source]:
    """Where the answers lie; nearest neighbours beside a head have none here."""
    return [(run, s.alpha) for run, s in rows
            if s.evaluator != "knn" or run.facts.get("evaluator") == "knn"]  # fmt: skip


def _bound(rows: Mapping[str, Sequence[tuple[Run, Score]]]) -> Interval:
    """From the rows of the runs that have every split."""
    tables = [{run.path: s for run, s in of_split} for of_split in rows.values()]
    runs = [path for path in tables[0] if all(path in t for t in tables)]
    if not runs:
        return Interval.none("no run was scored on every split")
    values = [[t[path].value for t in tables] for path in runs]
    return bound_of_mean(values, [[t[path].reach for t in tables] for path in runs])


def _find(
    run: Run, alpha: float | None, split: str, facts: Mapping[str, object]
) -> Predictions | None:
    """Predictions at an alpha; the ends are also found under their other names."""
    other: dict[float | None, list[float | None]] = {None: [1.0, 0.0], 1.0: [None]}
    if alpha is None and facts.get("method") == "zero-shot":
        other[None] = [0.0]
    for a in (alpha, *other.get(alpha, [])):
        found = run.predictions(split, a, str(facts.get("evaluator", "head")))
        if found is not None:
            return found
    return None
