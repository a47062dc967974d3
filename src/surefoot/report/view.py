"""What a report shows, as plain data: splits, entries (rows), paths. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName
from ..metrics import get_metric
from ..runs import Run, Selection
from ..select import MEAN
from ..stats import Interval
from .kept import Kept, Source
from .names import base_of, rule_name, shown_alpha

__all__ = ["MEAN", "Cell", "Entry", "PathView", "SplitView", "View", "less_is_better"]


@dataclass(frozen=True)
class SplitView:
    """One column.

    Attributes:
        name: Of the split.
        domain: "ID" or "OOD".
        n: Images; 0 where unknown.
        metric: The split's own.
        synthetic: Made by a program.
        unit: The column that says which images hang together; "" where nothing does.
        version: Of the data set.
    """

    name: str
    domain: str
    n: int
    metric: str = "top1"
    synthetic: bool = False
    unit: str = ""
    version: str = "unversioned"


@dataclass(frozen=True)
class Cell:
    """One number of the table: the mean over seeds, with its interval.

    Attributes:
        value: Mean over seeds.
        n: Images.
        interval: 95 %, over units, and over seeds where there are several; where there is none,
            the reason.
        alphas: Of the seeds; empty off a path.
        seeds: (seed, value).
        reported: What a paper gives.
        masked: What it were with only the classes that occur, and those words, where the split
            lacks classes of the task and all count.
    """

    value: float
    n: int
    interval: Interval
    alphas: tuple[float, ...] = ()
    seeds: tuple[tuple[int | None, float], ...] = ()
    reported: float | None = None
    masked: tuple[float, str] | None = None

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds; None for one seed."""
        if len(self.seeds) < 2:
            return None
        return float(np.std([v for _, v in self.seeds], ddof=1))


@dataclass(frozen=True)
class Entry:
    """One row: a method's end, or a point on its path as a rule chose it.

    Attributes:
        key: Unique.
        group: Of the method whose path it is on.
        label: For people.
        rules: By which alpha was chosen; empty for an end.
        hue: Colour number.
        oracle: A rule used the test set.
        cells: Split name or :data:`MEAN` -> cell; what could not be had is not in it.
        sources: Split name -> (run, alpha) of every seed: where predictions lie.
    """

    key: str
    group: str
    label: str
    rules: tuple[str, ...]
    hue: int
    oracle: bool
    cells: Mapping[str, Cell]
    sources: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """The row without the name of its method, for sentences that have named it."""
        if not self.rules:
            return self.label
        chosen = self.alphas()
        if len(chosen) == 1:
            return f"WiSE-FT at {shown_alpha(chosen)}"
        return f"WiSE-FT with α by {rule_name(self.rules[0])}"

    def alphas(self) -> tuple[float, ...]:
        """Every alpha that occurs, ascending."""
        return tuple(sorted({a for c in self.cells.values() for a in c.alphas}))


@dataclass(frozen=True)
class PathView:
    """The scores along one method's path, mean over seeds.

    Attributes:
        group: The method.
        label: For people.
        hue: Colour number.
        alphas: (a,) ascending.
        value: Split name or :data:`MEAN` -> (a,).
        low: Likewise, lower ends.
        high: Likewise, upper ends.
        seeds: Likewise, (seeds, a).
        picks: (rule, alpha, chosen on), mean over seeds where they differ.
    """

    group: str
    label: str
    hue: int
    alphas: tuple[float, ...]
    value: Mapping[str, NDArray[np.float64]]
    low: Mapping[str, NDArray[np.float64]]
    high: Mapping[str, NDArray[np.float64]]
    seeds: Mapping[str, NDArray[np.float64]]
    picks: tuple[tuple[str, float, str], ...] = ()


@dataclass(frozen=True)
class View:
    """A whole study, ready to be drawn.

    Attributes:
        title: Of the report.
        splits: All of them, in order.
        entries: Rows: zero-shot first, ends, then points on paths, group by group.
        paths: Those that were swept.
        selections: (group label, seed, selection).
        runs: Of the study.
        facts: Of the study.
        seeds: All seeds that occur.
        labels: Group -> label.
        groups: Run folder -> group.
        kept: Reads what models answered.
    """

    title: str
    splits: tuple[SplitView, ...]
    entries: tuple[Entry, ...]
    paths: tuple[PathView, ...]
    selections: tuple[tuple[str, int | None, Selection], ...]
    runs: tuple[Run, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[Path, str] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    @property
    def shifts(self) -> tuple[SplitView, ...]:
        """The OOD splits."""
        return tuple(s for s in self.splits if s.domain == "OOD")

    @property
    def id_split(self) -> SplitView | None:
        """The ID test; where there is none, the ID validation split."""
        inside = [s for s in self.splits if s.domain != "OOD"]
        for name in ("test", "id_test", "val"):
            for s in inside:
                if s.name == name:
                    return s
        return inside[0] if inside else None

    def split(self, name: str) -> SplitView | None:
        """By name."""
        return next((s for s in self.splits if s.name == name), None)

    def less(self, column: str) -> bool | None:
        """Whether less is better in a column; None of a mean of shifts that do not agree."""
        metrics = [s.metric for s in self.splits
                   if (s.domain == "OOD" if column == MEAN else s.name == column)]  # fmt: skip
        ways = {less_is_better(metric) for metric in metrics} or {False}
        return ways.pop() if len(ways) == 1 else None

    def start_of(self, group: str) -> Entry | None:
        """The zero-shot model, or the start of a group's own path where each has its own.

        Runs of several models may stand side by side: another model is nobody's start.
        """
        starts = [e for e in self.entries if base_of(e.group) == "zero-shot"]
        whose = tuple(f" of {p.label} (α = 0)" for p in self.paths if p.group == group)
        own = [e for e in starts if e.group == group or e.label.endswith(whose)]
        models = {run.facts.get("model") for run in self.runs if self.groups[run.path] == group}
        same = [e for e in starts if not models or models & _models(e)]
        return next(iter(own + same), None)

    def entry(self, group: str, rule: str | None = None) -> Entry | None:
        """The end of a group, or the row that a rule chose."""
        for e in self.entries:
            if e.group == group and (rule in e.rules if rule else not e.rules):
                return e
        return None


def less_is_better(metric: str) -> bool:
    """Whether it is an error; not known of a metric whose package is not here."""
    try:
        return get_metric(metric).direction == "min"
    except UnknownName:
        return False


def _models(e: Entry) -> set[object]:
    """Of the runs of a row."""
    return {run.facts.get("model") for sources in e.sources.values() for run, _ in sources}
