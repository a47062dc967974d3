"""The table of every row and split: values, intervals, best and ties. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..drawing.scale import span
from ..stats import Ranking
from .charts import Node, interval_bar
from .figures import triple
from .names import metric_name, points, rule_name, shown_alpha
from .paired import Pairing
from .view import MEAN, Cell, Entry, View

__all__ = ["Column", "Row", "Shown", "Table", "build_table"]


@dataclass(frozen=True)
class Column:
    """A column head.

    Attributes:
        key: Split name, or :data:`~surefoot.report.view.MEAN`.
        label: For people.
        note: Images, metric, synthetic.
        kind: "id", "mean", "shift" or "masked": the number beside that of a split that lacks
            classes, with only those that occur as answers.
    """

    key: str
    label: str
    note: str
    kind: str


@dataclass(frozen=True)
class Shown:
    """A number as the table shows it; an empty ``text`` is a missing one.

    Attributes:
        text: The value.
        reach: Its 95 % interval, or that there is none.
        half: Half the width of that, for where room is short.
        sort: The value for sorting.
        state: "best", "tie", "oracle" or "".
        tip: Everything about it, in words.
        bar: The drawing.
    """

    text: str = ""
    reach: str = ""
    half: str = ""
    sort: float = -1.0
    state: str = ""
    tip: str = "not available"
    bar: Node | None = None


@dataclass(frozen=True)
class Row:
    """A row: an end, or a chosen point on a path.

    Attributes:
        label: The method, or "WiSE-FT".
        detail: Alpha and rules of a point.
        short: The same in few characters.
        hue: Colour number.
        end: An end, not a point on a path.
        oracle: Chosen on the test set.
        cells: One per column.
    """

    label: str
    detail: str
    short: str
    hue: int
    end: bool
    oracle: bool
    cells: tuple[Shown, ...]


@dataclass(frozen=True)
class Table:
    """Everything the table needs.

    Attributes:
        columns: Left to right.
        rows: Top to bottom.
        tested: Whether any paired test could be made.
        units: What the intervals are over, "" where images stand for themselves.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    tested: bool
    units: str


def build_table(view: View, pairing: Pairing) -> Table:
    """Rows by method, the ID test first, then the mean over shifts, then each shift."""
    columns = _with_masked(_columns(view), view.entries)
    shown: dict[str, dict[str, Shown]] = {e.key: {} for e in view.entries}
    tested = False
    for column in columns:
        if column.kind == "masked":
            for e in view.entries:
                shown[e.key][column.key] = _masked(e, column)
            continue
        ranks = pairing.ranking(view.entries, column.key) if _more(view, column) else None
        tested = tested or ranks is not None
        best = pairing.best(view.entries, column.key, ranks) if _more(view, column) else None
        domain = _domain(view.entries, column.key)
        for e in view.entries:
            cell = e.cells.get(column.key)
            if cell is not None:
                shown[e.key][column.key] = _show(e, column, cell, (best, ranks), domain)
    rows = tuple(_row(e, [shown[e.key].get(c.key, Shown()) for c in columns]) for e in view.entries)
    return Table(columns, rows, tested, pairing.unit_name().replace("_", " "))


_BESIDE = "\x00masked"


def _with_masked(columns: Sequence[Column], entries: Sequence[Entry]) -> tuple[Column, ...]:
    """Beside every split that lacks classes of the task a column with only those that occur."""
    out: list[Column] = []
    for column in columns:
        out.append(column)
        cells = (e.cells.get(column.key) for e in entries)
        words = [c.masked[1] for c in cells if c is not None and c.masked is not None]
        if words:
            key = column.key + _BESIDE
            out.append(Column(key, f"{column.label}, {words[0]}", column.note, "masked"))
    return tuple(out)


def _masked(e: Entry, column: Column) -> Shown:
    cell = e.cells.get(column.key.removesuffix(_BESIDE))
    if cell is None or cell.masked is None:
        return Shown()
    value, words = cell.masked
    tip = f"{e.label} on {column.label}: {points(value)} %, {words}; no interval"
    return Shown(points(value), sort=value, state="oracle" if e.oracle else "", tip=tip)


def _columns(view: View) -> tuple[Column, ...]:
    """ID splits but validation, the mean, the shifts."""
    inside = [s for s in view.splits if s.domain != "OOD"]
    tests = [s for s in inside if s.name != "val"] or inside
    home = [Column(s.name, f"ID {s.name}", _note(s.n, s.metric, s.synthetic), "id") for s in tests]
    shifts = [
        Column(s.name, s.name, _note(s.n, s.metric, s.synthetic), "shift") for s in view.shifts
    ]
    if len(shifts) > 1:
        home.append(Column(MEAN, "Mean over shifts", f"{len(shifts)} shifts", "mean"))
    return (*home, *shifts)


def _note(n: int, metric: str, synthetic: bool) -> str:
    parts = [f"n = {n:,}".replace(",", "\u202f")]
    if metric != "top1":
        parts.append(metric_name(metric))
    return ", ".join([*parts, "synthetic"] if synthetic else parts)


def _more(view: View, column: Column) -> bool:
    """Whether more is better there."""
    return view.less(column.key) is False


def _domain(entries: Sequence[Entry], key: str) -> tuple[float, float]:
    """The common axis of the bars of one column; values far below the rest are left out of it."""
    cells = [e.cells[key] for e in entries if key in e.cells]
    middle = sorted(c.value for c in cells)[len(cells) // 2] if cells else 0.5
    cells = [c for c in cells if c.value > 0.75 * middle] or cells
    values = [v for c in cells for v in triple(c)]
    return span(values, least=0.05, pad=0.05, bounds=(0.0, 1.0))


def _show(
    e: Entry,
    column: Column,
    cell: Cell,
    ranked: tuple[str | None, Ranking | None],
    domain: tuple[float, float],
) -> Shown:
    best, ranks = ranked
    state = "oracle" if e.oracle else "best" if e.key == best else ""
    if not state and ranks is not None and e.key in ranks.tied:
        state = "tie"
    i = cell.interval
    reach = f"{points(i.low)}\u2009–\u2009{points(i.high)}" if i else "no interval"
    bar = interval_bar(*triple(cell), domain, hollow=e.oracle)
    half = f"±{points((i.high - i.low) / 2)}" if i else ""
    tip = _tip(e, column, cell, state, ranks)
    return Shown(points(cell.value), reach, half, cell.value, state, tip, bar)


def _tip(e: Entry, column: Column, cell: Cell, state: str, ranks: Ranking | None) -> str:
    """Everything about a number, in words."""
    lines = [f"{e.label} on {column.label}: {points(cell.value)} %"]
    i = cell.interval
    reach = f"95 % interval {points(i.low)} to {points(i.high)} ({i.kind})" if i else (
        f"no interval: {i.reason}")  # fmt: skip
    lines.append(f"{reach}, n = {cell.n}")
    if cell.alphas:
        lines.append(shown_alpha(cell.alphas))
    if cell.spread is not None:
        lines.append(
            f"mean of {len(cell.seeds)} seeds, standard deviation {100 * cell.spread:.1f} points"
        )
    lines += _standing(e, state, ranks)
    if e.oracle:
        lines.append("oracle: this α was chosen on the test set")
    if cell.reported is not None:
        lines.append(f"reported in the paper: {points(cell.reported)} %")
    return "\n".join(lines)


def _standing(e: Entry, state: str, ranks: Ranking | None) -> list[str]:
    """How a row stands to the best of its column."""
    if state == "best":
        return ["highest of the column"]
    if ranks is None or e.oracle:
        return []
    p = ranks.p_to_best(e.key)
    if p is None:
        return ["not compared: its answers were not kept, or are about other images"]
    words = "not distinguishable from the best" if state == "tie" else "below the best"
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return [f"{words} ({shown}, all pairs, Holm)"]


def _row(e: Entry, cells: Sequence[Shown]) -> Row:
    if not e.rules:
        return Row(e.label, "", e.label, e.hue, True, e.oracle, tuple(cells))
    detail = f"{shown_alpha(e.alphas())}, {' = '.join(rule_name(r) for r in e.rules)}"
    if e.oracle:
        detail += " (uses the test set)"
    short = ", ".join(rule_name(r).replace("validation", "val") for r in e.rules)
    short = f"{shown_alpha(e.alphas()).replace('= ', '').replace(' to ', '-')} {short}"
    return Row("WiSE-FT", detail, short, e.hue, False, e.oracle, tuple(cells))
