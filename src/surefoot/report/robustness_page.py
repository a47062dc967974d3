"""The page and the lines of effective robustness. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..drawing import stylesheet
from .baseline import Distance
from .charts.guides import Baseline
from .charts.plane import Dot
from .charts.robust import Above, robust_chart
from .page import page_policy

__all__ = ["distance_lines", "robustness_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_Z = 1.959963984540054
_STYLE = """
.robust { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
.robust th, .robust td { padding: 7px 18px 7px 0; text-align: right; border-bottom: 1px solid var(--hair); font-weight: 400; }
.robust th:first-child { text-align: left; } .robust thead th { color: var(--soft); } .lead.line { margin-top: 14px; }
"""  # noqa: E501


def distance_lines(found: Sequence[Distance]) -> list[str]:
    """One line per model and shift, shift by shift, for a terminal."""
    width = max(len(d.label) for d in found)
    out = []
    for rows in _by_shift(found):
        out.append(f"{rows[0].shift}: {_line(rows[0])}")
        out += [
            f"  {d.label:<{width}}  ID {100 * d.home[0]:.1f}  shift {100 * d.away[0]:.1f}  "
            f"line {_foot(d):.1f}  distance {_distance(d)}"
            for d in rows
        ]
        out += [f"  {note}" for note in _notes(rows)]
    return out


def _by_shift(found: Sequence[Distance]) -> list[list[Distance]]:
    return [[d for d in found if d.shift == s] for s in dict.fromkeys(d.shift for d in found)]


def _notes(rows: Sequence[Distance]) -> list[str]:
    return list(dict.fromkeys(d.note for d in rows if d.note))


def robustness_page(found: Sequence[Distance], source: str) -> str:
    """The page as HTML text.

    Args:
        found: At least one distance.
        source: The baseline's file or name.
    """
    style = stylesheet() + (_TEMPLATES / "style.css").read_text(encoding="utf-8") + _STYLE
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )
    return env.get_template("robustness.html.j2").render(
        headline=_headline(found),
        source=source,
        shifts=[_section(i, rows) for i, rows in enumerate(_by_shift(found))],
        style=Markup(style),
        policy=page_policy(style, ""),
    )


def _headline(found: Sequence[Distance]) -> str:
    best = max(found, key=lambda d: d.value)
    side = "above" if best.value >= 0 else "below"
    return f"{best.label} lies {abs(best.value):.1f} points {side} the line on {best.shift}"


def _section(number: int, rows: Sequence[Distance]) -> dict[str, Any]:
    first = rows[0]
    names, xs, ys = first.table
    words = "; ".join(f"{d.label} {_distance(d)}" for d in rows)
    chart = robust_chart(
        f"robust-{number}",
        f"Effective robustness on {first.shift}",
        f"Distance from the line, in points: {words}.",
        [_above(d) for d in rows],
        list(zip(names, xs, ys, strict=True)),
        Baseline("models without extra data", first.line.slope, first.line.intercept),
        axes=("accuracy at home, %", f"accuracy on {first.shift}, %"),
    )
    return {
        "name": first.shift,
        "chart": chart,
        "line": f"The line: {_line(first)}.",
        "notes": [f"{note[0].upper()}{note[1:]}." for note in _notes(rows)],
        "rows": [
            {"label": d.label, "id": f"{100 * d.home[0]:.1f}", "ood": f"{100 * d.away[0]:.1f}",
             "foot": f"{_foot(d):.1f}", "distance": _distance(d)}
            for d in rows
        ],
    }  # fmt: skip


def _above(d: Distance) -> Above:
    dot = Dot(d.label, _ends(d.home), _ends(d.away), d.hue)
    return Above(dot, _foot(d) / 100, f"{d.value:+.1f}")


def _ends(pair: tuple[float, float]) -> tuple[float, float, float]:
    value, se = pair
    if math.isnan(se):
        return value, value, value
    return value, max(value - _Z * se, 0.0), min(value + _Z * se, 1.0)


def _foot(d: Distance) -> float:
    """What the line predicts, in per cent."""
    return 100 * float(d.line.predict(d.home[0]))


def _distance(d: Distance) -> str:
    if not d.interval:
        return f"{d.value:+.1f} (no interval: {d.interval.reason})"
    return f"{d.value:+.1f} [{d.interval.low:+.1f}, {d.interval.high:+.1f}]"


def _line(d: Distance) -> str:
    sign = "+" if d.line.intercept >= 0 else "−"
    return (
        f"logit(shift) = {d.line.slope:.2f} logit(ID) {sign} {abs(d.line.intercept):.2f}, "
        f"{d.line.n} models, R² = {d.line.r2:.2f}"
    )
