"""Score, Curve and their JSON lines. No torch here: a report re-renders anywhere.

A score remembers how it was chosen. Missing is not zero: a value that could not be had is absent,
never 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .atomic import replaced, write_atomic, written
from .display import UNBOUNDED, Picture, Table, data_frame, shown
from .errors import RunError
from .select import Selection, select, select_all
from .stats.intervals import Interval, IntervalKind

if TYPE_CHECKING:
    from .drawing import Series

__all__ = [
    "SCHEMA",
    "Curve",
    "Origin",
    "Score",
    "Search",
    "read_jsonl",
    "replaced",
    "write_atomic",
    "write_jsonl",
    "written",
]

SCHEMA = 1
"""Version of the score rows; readers accept this and everything older."""


@dataclass(frozen=True)
class Origin:
    """What a score must remember and its predictions do not say; fields as those of a Score.

    Attributes:
        method: Whose predictions these are.
        evaluator: How logits were made.
        alpha: Position on the path; None off a path.
        selection: How alpha was chosen.
        seed: Of the run.
        recipe: Hash of the recipe.
        extra: Anything else, JSON.
    """

    method: str = ""
    evaluator: str = "head"
    alpha: float | None = None
    selection: str = "none"
    seed: int | None = None
    recipe: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One number, with everything that is needed to trust it.

    Attributes:
        metric: "top1", "macro_f1", ...; values are fractions in [0, 1] unless the metric says.
        value: The number.
        n: Images that it was computed on.
        low: Lower end of the 95 % interval over units; the value where there is none.
        high: Upper end, likewise.
        interval: How the interval was made; "none" where there is none: see :attr:`no_interval`.
        split: "val", "test" or the name of the shift.
        domain: "ID" or "OOD".
        method: "zero-shot", "lp", "ft", "lp-ft", or "wise-ft(ft)".
        evaluator: How logits were made: "head", "zero_shot", "linear", "knn".
        alpha: Position on the path, 0 pretrained to 1 tuned; None off a path.
        selection: How alpha was chosen: "fixed", "id_val", "one_se", "oracle", "end", "none".
        seed: Of the run.
        version: Of the data set.
        recipe: Hash of the recipe.
        reported: The number a paper gives for it, if any.
        synthetic: The data were made by a program.
        extra: Anything else, JSON; "unit": what the interval is over, where that is not images.

    Example:
        >>> curve.scores["test"][0].n
        12
    """

    metric: str
    value: float
    n: int
    low: float
    high: float
    interval: IntervalKind
    split: str
    domain: str
    method: str = ""
    evaluator: str = "head"
    alpha: float | None = None
    selection: str = "none"
    seed: int | None = None
    version: str = "unversioned"
    recipe: str = ""
    reported: float | None = None
    synthetic: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def masked(self) -> tuple[float, str] | None:
        """What it were with only the classes that occur, and words for that; None: no difference.

        A test set that lacks classes of the task is scored over all of them; this stands beside.
        Not where a small draw from many classes misses a few of them by chance (400 images of 124
        classes: under a tenth, and no more than so many draws leave out); ``extra`` has it always.
        """
        found = self.extra.get("masked")
        if not isinstance(found, Mapping):
            return None
        of, missing = found["of"], found["of"] - found["classes"]
        if 10 * missing < of and missing <= of * (1 - 1 / of) ** self.n:
            return None
        one = found["classes"] == 1
        words = "the 1 class that occurs" if one else f"the {found['classes']} classes that occur"
        return float(found["value"]), f"masked to {words}"

    @property
    def no_interval(self) -> str:
        """Why there is no interval; "" where there is one."""
        if self.interval != "none" and self.low <= self.high:
            return ""
        return str(self.extra.get("no_interval") or "the row has none")

    @property
    def reach(self) -> Interval:
        """The interval, or why there is none."""
        if self.no_interval:
            return Interval.none(self.no_interval)
        return Interval(self.low, self.high, self.interval)

    def __repr__(self) -> str:
        place = "" if self.alpha is None else f" at alpha {self.alpha:g}"
        reach = "no interval" if self.no_interval else f"[{self.low:.4f}, {self.high:.4f}]"
        said = f"{self.value:.4f} {reach}"
        return f"Score({self.method} on {self.split}{place}: {self.metric} {said}, n={self.n})"

    def cells(self) -> tuple[str, ...]:
        """Split, metric, value, interval and images, as tables for people have them."""
        low, high = shown(self.metric, self.low), shown(self.metric, self.high)
        reach = f"none: {self.no_interval}" if self.no_interval else f"[{low}, {high}]"
        return self.split, self.metric, shown(self.metric, self.value), reach, str(self.n)

    def to_json(self) -> dict[str, Any]:
        """A dictionary for one JSON line, with the schema version."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Score:
        """The inverse of :meth:`to_json`; fields of other versions are left out.

        Rows of before may have a second interval over clusters, which is the one that counts; a
        bootstrap of anything but a mean did not hold what it said, so there is none of it.

        Raises:
            RunError: The row is of a newer schema than this version knows.
        """
        if data.get("schema", SCHEMA) > SCHEMA:
            raise RunError(
                f"a score row has schema {data['schema']}",
                expected=f"at most {SCHEMA}",
                fix="update surefoot",
            )
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in _of_today(data).items() if k in known})


def _of_today(data: Mapping[str, Any]) -> dict[str, Any]:
    """A row of any version with the one interval of this one."""
    row = dict(data)
    low, high = row.get("cluster_low"), row.get("cluster_high")
    if low is not None and high is not None:
        row |= {"low": min(low, row["low"]), "high": max(high, row["high"])}
        row["interval"] = "cluster-bootstrap"
    if "bootstrap" in row["interval"] and row["metric"].partition(":")[0] in _NO_MEANS:
        row |= {"low": row["value"], "high": row["value"], "interval": "none"}
        row["extra"] = {"no_interval": _FORMER, **row.get("extra", {})}
    return row


_NO_MEANS = ("worst_group", "ece", "macro_f1", "per_class")
_FORMER = "its bootstrap held the truth too seldom; `surefoot eval` has another"


@dataclass(frozen=True)
class Curve:
    """Scores along a path.

    Attributes:
        method: Whose end is at alpha 1.
        alphas: Ascending, (a,).
        scores: Split name -> one score per alpha.
        correct: Split name -> (a, n) bool, image by image, for paired tests; may lack splits.
        seed: Of the run.
        search: Of an adaptive sweep: where it looked. ``scores`` then has the chosen positions.

    Example:
        >>> curve
        Curve(wise-ft(ft): 3 alphas, val, test, recoloured)
        >>> curve.choose("fixed")
        Selection(fixed: alpha 0.5, chosen on nothing)
        >>> curve.plot().save("curve.svg")
    """

    method: str
    alphas: tuple[float, ...]
    scores: Mapping[str, tuple[Score, ...]]
    correct: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    seed: int | None = None
    search: Search | None = None

    def values(self, split: str) -> NDArray[np.float64]:
        """The values of one split, (a,)."""
        return np.array([s.value for s in self.scores[split]])

    def shifts(self) -> list[str]:
        """Names of the OOD splits, in order."""
        return [name for name, row in self.scores.items() if row[0].domain == "OOD"]

    def choose(self, rule: str, **options: Any) -> Selection:
        """Choose alpha by a rule; options as those of :func:`~surefoot.select.select`."""
        return select(self, rule, **options)

    def plot(self) -> Picture:
        """Every split against alpha, with intervals and what each rule chose."""
        return _drawn(self)

    def table(self) -> Table:
        """A row per alpha, a column per split, in percent."""
        rows = [
            (
                f"{alpha:.2f}",
                *(shown(row[at].metric, row[at].value) for row in self.scores.values()),
            )
            for at, alpha in enumerate(self.alphas)
        ]
        return Table(("alpha", *self.scores), tuple(rows), self.method)

    def to_frame(self) -> Any:
        """A ``pandas.DataFrame`` with a row per split and alpha, columns as a Score's fields.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return data_frame(row.to_json() for rows in self.scores.values() for row in rows)

    def __repr__(self) -> str:
        looked = ", adaptive" if self.search is not None else ""
        return f"Curve({self.method}: {len(self.alphas)} alphas, {_few(self.scores)}{looked})"

    def _repr_html_(self) -> str:
        return self.plot()._repr_html_() + self.table()._repr_html_()


def _few(names: Iterable[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    more = f", ... ({len(every)} in all)" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _drawn(curve: Curve) -> Picture:
    """A panel per split; hollow rings are where the oracle would be."""
    from .drawing import Panel, Pick, alpha_chart, standalone_svg

    picks = tuple(
        Pick(chosen.alpha, chosen.rule, hollow=chosen.rule == "oracle")
        for chosen in select_all(curve)
    )
    panels = [
        Panel(
            f"{name} ({rows[0].metric}, n={rows[0].n})",
            (_line(curve.alphas, rows),),
            picks,
            fractions=rows[0].metric not in UNBOUNDED,
        )
        for name, rows in curve.scores.items()
    ]
    title = f"{curve.method} along alpha"
    words = f"{title}: {_few(curve.scores)}; 0 is the pretrained model, 1 the tuned one."
    return Picture(standalone_svg([alpha_chart("curve", title, words, panels)], title), words)


def _line(alphas: tuple[float, ...], rows: Sequence[Score]) -> Series:
    """Values with their intervals; without where one is missing."""
    from .drawing import Series

    values = tuple(row.value for row in rows)
    if any(row.no_interval for row in rows):
        return Series("", alphas, values)
    low, high = tuple(row.low for row in rows), tuple(row.high for row in rows)
    return Series("", alphas, values, low, high)


@dataclass(frozen=True)
class Search:
    """Where an adaptive sweep looked.

    Attributes:
        validation: The positions at which ID validation was scored; alpha is chosen on it.
        preview: Position -> ID validation accuracy of the ends' logits, mixed; {} for metrics
            other than top-1.
        passes: Images that went through the model, each position counted.
        full: How many a sweep of the whole grid has.
    """

    validation: Curve
    preview: Mapping[float, float]
    passes: int
    full: int


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, atomically."""
    write_atomic(path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def read_jsonl(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read JSON lines; a last line that was cut off by a kill is left out.

    Raises:
        RunError: A line other than the last is not JSON.
    """
    lines = Path(path).read_text().splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise RunError(
                f"line {number} of {path} is not JSON ({error.msg})", fix="restore the file"
            ) from error
    return rows
