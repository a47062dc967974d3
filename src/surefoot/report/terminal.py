"""The table that the command line prints. No torch here."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Literal

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ..runs import Study
from .decision import UNDECIDED, decided
from .findings import Finding, findings
from .gather import gather
from .paired import Pairing
from .table import Column, Row, Shown, Table, build_table

__all__ = ["legend", "render_terminal"]

_WIDTHS = {"interval": 16, "half": 10, "bare": 5}
_GAP = 2


@dataclass(frozen=True)
class _Plan:
    """A column of the terminal's table: which, how wide, in which form (see :func:`_cell`)."""

    at: int
    width: int
    form: str


def render_terminal(study: Study, width: int | None = None, *, colour: bool | None = None) -> str:
    """Headline, table, and what to ship, as text.

    Args:
        study: What to show.
        width: In characters; None: of the terminal, 100 where there is none. Where it is too
            narrow, shifts come without their intervals, and what still does not fit follows in
            further tables.
        colour: Write ANSI codes for bold and dim; None: if stdout is a terminal and the
            environment has no NO_COLOR.

    Returns:
        Lines without a trailing newline. ``*`` marks the best of a column and what ties with it,
        ``°`` numbers at an alpha that was chosen on the test set, ``-`` what is missing. At the
        end what to ship, with a command and code that are never broken into lines.
    """
    view = gather(study)
    pairing = Pairing(view)
    told = findings(view, pairing)
    table = build_table(view, pairing)
    if colour is None:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if width is None:
        width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    width = max(width, 40)
    system: Literal["standard"] | None = "standard" if colour else None
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system=system,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(Text(told.headline, style="bold"))
    for item in told.items:
        console.print(_sentence(item))
    if table.rows:
        console.print()
    label = min(max((len(_name(r)) for r in table.rows), default=8), max(width * 2 // 5, 18))
    parts = _plan(table.columns, width - label - _GAP)
    for part in parts:
        console.print(_grid(table, part, label))
        if part is not parts[-1]:
            console.print()
    console.print()
    decision = decided(study, view, pairing, told.caveats)
    for line in (*legend(table), *(told.caveats if decision is None else ())):
        console.print(Text(line, style="dim"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    shipping = fill(UNDECIDED, width) if decision is None else decision.text(width)
    return "\n".join([*lines, "", shipping] if table.rows else lines)


def _sentence(item: Finding) -> Text:
    about = f" (of {item.about})" if item.about else ""
    return Text(f"\n{item.better}{about} against {item.other}:\n{item.sentence}")


def _plan(columns: Sequence[Column], room: int) -> list[list[_Plan]]:
    """Tables, each a list of columns that fit side by side."""
    for shift, other in (("interval", "interval"), ("bare", "interval"), ("bare", "half")):
        forms = [
            "bare" if c.kind == "masked" else shift if c.kind == "shift" else other for c in columns
        ]
        plans = [
            _Plan(i, max(_WIDTHS[form], min(_head(c), 12)), form)
            for i, (c, form) in enumerate(zip(columns, forms, strict=True))
        ]
        if sum(p.width + _GAP for p in plans) <= room:
            break
    return _fill(plans, room)


def _head(c: Column) -> int:
    """Width that the head of a column needs: its longest word."""
    return max(len(word) for word in (*c.label.split(), _note(c).split(",")[0]))


def _note(c: Column) -> str:
    note = c.note.replace("n = ", "n=").replace("\u202f", "")
    return note.removesuffix(", synthetic") if "synthetic" in c.label else note


def _fill(plans: Sequence[_Plan], room: int) -> list[list[_Plan]]:
    parts: list[list[_Plan]] = []
    used = room + 1
    for p in plans:
        if used + p.width + _GAP > room + _GAP or not parts:
            parts.append([])
            used = 0
        parts[-1].append(p)
        used += p.width + _GAP
    return parts


def _name(row: Row) -> str:
    return row.label if row.end else f"  {row.short}"


def _grid(table: Table, part: Sequence[_Plan], label: int) -> Grid:
    """Some of the columns."""
    settings: dict[str, Any] = {"box": None, "pad_edge": False, "padding": (0, _GAP, 0, 0)}
    grid = Grid(**settings)
    grid.add_column("", width=label, no_wrap=False)
    for plan in part:
        c = table.columns[plan.at]
        grid.add_column(Text(f"{c.label}\n{_note(c)}"), width=plan.width, justify="right")
    for row in table.rows:
        cells = [_cell(row.cells[p.at], p.form) for p in part]
        grid.add_row(Text(_name(row), style="bold" if row.end else ""), *cells)
    return grid


def _cell(c: Shown, form: str) -> Text:
    """A value with its interval, with half its width, or bare."""
    if not c.text:
        return Text("-" + " " * {"interval": 11, "half": 6, "bare": 1}[form], style="dim")
    mark = {"best": "*", "tie": "*", "oracle": "°"}.get(c.state, " ")
    out = Text(f"{c.text}{mark}", style="bold" if mark == "*" else "")
    if form == "bare":
        return out
    if form == "half":
        return out.append(f"{c.half:>5}", style="not bold dim")
    return out.append(f"{c.reach.replace(chr(0x2009), ''):>10}", style="not bold dim")


def legend(table: Table) -> list[str]:
    """What the marks mean, of those that occur."""
    if not table.rows:
        return ["No scores yet."]
    states = {c.state for r in table.rows for c in r.cells}
    over = f" over {table.units}s" if table.units else ""
    out = [
        f"Percent, with 95 % intervals{over}; indented rows are WiSE-FT of the row above them."
        if any(not r.end for r in table.rows)
        else f"Percent, with 95 % intervals{over}."
    ]
    if table.tested:
        out.append(
            "* best of the column, or not distinguishable from it (paired tests of all pairs, Holm)"
        )
    elif "best" in states:
        out.append("* best of the column; ties could not be tested")
    if "oracle" in states:
        out.append("° oracle: α chosen on the test set; not a result anyone could have had")
    if any(not c.text for r in table.rows for c in r.cells):
        out.append("- missing: not evaluated")
    return out
