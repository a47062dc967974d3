"""Effective robustness of runs above a baseline of models that a table gives. No torch here.

Taori et al. 2020 (arXiv 2007.00644), section 3: models trained without extra data lie near a line
of logit accuracy under shift over logit accuracy at home; how far above it a model lies is what
its robustness adds.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import DataError, UnknownName
from ..published import baseline_text, columns
from ..registry import nearest
from ..runs import Study
from ..stats import BaselineLine, Interval, fit_baseline, robustness_interval
from .measured import Measured, measured

__all__ = ["TESTBED", "BaselineTable", "Distance", "distances", "read_baseline"]

TESTBED = "imagenet-testbed"
"""The table that ships: models trained on ImageNet alone, on ImageNet and its shifts."""

_NOTES = {
    (TESTBED, "objectnet"): "the table's models were asked on objectnet-1.0-beta (18,514 images "
    "scored), before the set as it ships",
}
"""(table, column) -> what to know of it."""


@dataclass(frozen=True)
class BaselineTable:
    """Accuracies of models, fractions.

    Attributes:
        source: File or name.
        models: Names.
        columns: Column -> one accuracy per model; NaN where it is missing.
    """

    source: str
    models: tuple[str, ...]
    columns: Mapping[str, tuple[float, ...]]

    def pairs(self, home: str, away: str) -> tuple[list[str], list[float], list[float]]:
        """Names and accuracies of the models that have both.

        Raises:
            UnknownName: There is no such column.
        """
        for name in (home, away):
            if name not in self.columns:
                known = list(self.columns)
                raise UnknownName("column", name, known, nearest(name, known))
        both = [
            (m, x, y)
            for m, x, y in zip(self.models, self.columns[home], self.columns[away], strict=True)
            if not math.isnan(x) and not math.isnan(y)
        ]
        return [m for m, _, _ in both], [x for _, x, _ in both], [y for _, _, y in both]


@dataclass(frozen=True)
class Distance:
    """One model under one shift.

    Attributes:
        label: "FT", "WiSE-FT of FT, α = 0.5".
        hue: Colour number.
        shift: Name of the shift.
        home: (value, standard error) at home, fractions.
        away: Likewise under shift.
        line: The baseline.
        table: Accuracies of the baseline models: names, at home, under shift.
        value: Effective robustness, in points.
        interval: Of that, in points.
        note: "" or what to know of it: images that are no published data, another version.
    """

    label: str
    hue: int
    shift: str
    home: tuple[float, float]
    away: tuple[float, float]
    line: BaselineLine
    table: tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]
    value: float
    interval: Interval
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """One JSON row."""
        return {
            "label": self.label, "shift": self.shift, "id": self.home[0], "ood": self.away[0],
            "effective_robustness": self.value,
            "low": self.interval.low if self.interval else None,
            "high": self.interval.high if self.interval else None, "slope": self.line.slope,
            "intercept": self.line.intercept, "models": self.line.n, "r2": self.line.r2,
            "note": "; ".join(filter(None, (self.note, self.interval.reason))),
        }  # fmt: skip


def read_baseline(source: str | Path) -> BaselineTable:
    """A CSV file with a column ``model`` and accuracies, or "imagenet-testbed".

    The columns may be ``id`` and ``ood``, or data sets as recipes name them ("imagenet",
    "imagenet-r"); fractions or per cent, one of them throughout; empty where there is no number.

    Raises:
        DataError: The file cannot be read, has no column ``model``, or holds what is no accuracy.
    """
    if str(source) == TESTBED:
        return _table(TESTBED, baseline_text())
    try:
        text = Path(source).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the baseline table {source} cannot be read ({error})",
            expected=f"a CSV file with the columns model, id, ood, or the name {TESTBED}",
        ) from error
    return _table(str(source), text)


def _table(source: str, text: str) -> BaselineTable:
    reader = csv.DictReader(text.splitlines())
    names = [n for n in reader.fieldnames or () if n]
    if "model" not in names or len(names) < 3:
        raise DataError(
            f"{source} has the columns {', '.join(names) or 'none'}",
            expected="model, and at least two of accuracies: id and ood, or names of data sets",
        )
    rows = list(reader)
    columns = {
        name: [_number(row.get(name), source, i, name) for i, row in enumerate(rows, 2)]
        for name in names
        if name != "model"
    }
    top = max((v for c in columns.values() for v in c if not math.isnan(v)), default=0.0)
    scale = 100.0 if top > 1 else 1.0
    return BaselineTable(
        source,
        tuple(row["model"] for row in rows),
        {name: tuple(v / scale for v in column) for name, column in columns.items()},
    )


def _number(text: str | None, source: str, line: int, column: str) -> float:
    if not (text or "").strip():
        return math.nan
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise DataError(
            f"line {line} of {source} has {text!r} as {column}",
            expected="an accuracy: a fraction, or per cent",
        )
    return value


def distances(study: Study, table: BaselineTable) -> list[Distance]:
    """Effective robustness of every model of a study under every shift that the table has.

    Raises:
        DataError: No split of the runs is a column of the table, or it is not clear which.
    """
    cells = [c for c in measured(study) if c.evaluator == "head" and c.selection != "none"]
    cells += [c for c in measured(study) if c.stage == "start" and c.selection == "none"]
    homes = [c for c in cells if c.split == "test"]
    aways = [c for c in cells if c.split != "test"]
    shifts = list(dict.fromkeys(c.split for c in aways))
    found = {s: _column(table, s, next(c for c in aways if c.split == s), shifts) for s in shifts}
    if not any(found.values()):
        raise DataError(
            f"none of the shifts ({', '.join(shifts) or 'there is none'}) is in {table.source}",
            expected=f"a column of that name; there are {', '.join(table.columns)}",
            fix="call the column as the run calls its shift, or ood where there is one shift",
        )
    labels = list(dict.fromkeys(_label(c) for c in homes))
    return [
        _distance(labels, home, away, column, table)
        for home in _once(homes)
        for away in _once(aways)
        if (column := found[away.split]) and _same_model(home, away)
    ]


def _column(table: BaselineTable, shift: str, cell: Measured, shifts: Sequence[str]) -> str:
    """The table's column for a shift: by its name, by what it is, or ``ood``."""
    metric = f"{cell.data}.{cell.metric}"  # imagenet-vid-robust.pm10
    for name in (shift, metric, cell.data, cell.data.partition(":")[0]):
        if name in table.columns:
            return name
    if "ood" not in table.columns:
        return ""
    if len(shifts) > 1:
        raise DataError(
            f"{table.source} has one column ood, and the runs have {len(shifts)} shifts: "
            f"{', '.join(shifts)}",
            expected="a table whose column says which shift it is",
            fix=f"rename ood to the shift's name, such as {shifts[0]}",
        )
    return "ood"


def _home(table: BaselineTable, cell: Measured) -> str:
    for name in ("id", "test", cell.data, cell.data.partition(":")[0]):
        if name in table.columns:
            return name
    raise DataError(
        f"{table.source} has no column for accuracy at home ({cell.data})",
        expected=f"a column id; there are {', '.join(table.columns)}",
    )


def _once(cells: Sequence[Measured]) -> list[Measured]:
    """One cell per run, point and split: rules that chose the same alpha are one model."""
    return list({(c.run, _label(c), c.split): c for c in cells}.values())


def _same_model(a: Measured, b: Measured) -> bool:
    return a.run == b.run and _label(a) == _label(b)


def _label(cell: Measured) -> str:
    if cell.stage == "start":
        return "Zero-shot"
    if cell.stage == "end":
        return cell.label
    return f"WiSE-FT of {cell.label}, α = {cell.alpha:g}"


def _distance(
    labels: Sequence[str],
    home: Measured,
    away: Measured,
    column: str,
    table: BaselineTable,
) -> Distance:
    own = _home(table, home)
    names, xs, ys = table.pairs(own, column)
    n = _images(table, own, column)
    line = fit_baseline(xs, ys, n=n)
    at = home.value / 100, home.se / 100
    under = away.value / 100, away.se / 100
    interval = Interval.none("an accuracy has no interval")
    if not math.isnan(at[1] + under[1]):
        interval = robustness_interval(xs, ys, at, under, n=n)
    return Distance(
        label=_label(home),
        hue=labels.index(_label(home)) % 8,
        shift=away.split,
        home=at,
        away=under,
        line=line,
        table=(tuple(names), tuple(xs), tuple(ys)),
        value=100 * float(line.effective_robustness(at[0], under[0])),
        interval=replace(interval, low=100 * interval.low, high=100 * interval.high),
        note=_note(home, away, column, table),
    )


def _note(home: Measured, away: Measured, column: str, table: BaselineTable) -> str:
    toy = home.toy or away.toy
    said = (f"not comparable: {toy}" if toy else "", _NOTES.get((table.source, column), ""))
    return "; ".join(filter(None, said))


def _images(table: BaselineTable, home: str, away: str) -> tuple[int, int] | None:
    """How many images both columns of the table that ships were measured on, where it is known."""
    known = (
        {spec: c.n for c in columns() if c.n for spec in c.data} if table.source == TESTBED else {}
    )
    sizes = known.get(home), known.get(away)
    return None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1])
