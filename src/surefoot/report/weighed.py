"""The differences behind a decision, as the page draws them. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..stats import Interval
from .charts import difference_bar
from .decision import Decision
from .names import points, signed

__all__ = ["weighed"]

_WORDS = {"tied": "not told apart", "behind": "behind it", "untested": "not tested",
          "chosen": "chosen"}  # fmt: skip


def weighed(decision: Decision | None) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """(title, note, rows) of the candidates, and of what the chosen one gains; with drawings."""
    if decision is None:
        return []
    first = _drawn([
        (c.name, f"{points(c.value)} %", None if c.gap is None else c.gap.value,
         Interval.none() if c.gap is None else c.gap.interval, _WORDS[c.verdict],
         c.verdict != "tied", c.entry.hue)
        for c in decision.candidates
    ])  # fmt: skip
    second = _drawn([
        (g.where, f"{points(g.here)} against {points(g.there)} %", g.value, g.interval, g.verdict,
         bool(g.better), None)
        for g in decision.gains
    ])  # fmt: skip
    tests = f"{decision.tested[0].upper()}{decision.tested[1:]}. " if decision.tests else ""
    alone = "Differences in points, with the 95 % interval of each alone."
    tables = [("On ID validation", f"{tests}{alone}", first),
              (f"Against {decision.start}", f"Told here; nothing was chosen by it. {alone}",
               second)]  # fmt: skip
    return [t for t in tables if t[2]]


def _drawn(rows: Sequence[tuple[str, str, float | None, Interval, str, bool, int | None]]) -> Any:
    """Rows with their bars on one axis that holds zero."""
    every = [v for _, _, value, reach, *_ in rows if value is not None
             for v in ((value, reach.low, reach.high) if reach else (value,))]  # fmt: skip
    pad = 0.08 * (max([*every, 0.01]) - min([*every, -0.01]))
    domain = min([*every, -0.01]) - pad, max([*every, 0.01]) + pad
    return [
        {
            "which": which, "at": at, "verdict": verdict, "sure": sure, "hue": hue,
            "value": "" if value is None else signed(value),
            "reach": f"{signed(reach.low)} to {signed(reach.high)}" if reach else "no interval",
            "bar": "" if value is None else difference_bar(
                value, reach.low if reach else value, reach.high if reach else value, domain,
                hollow=not sure),
        }
        for which, at, value, reach, verdict, sure, hue in rows
    ]  # fmt: skip
