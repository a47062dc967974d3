"""What the chosen model costs or gains against the pretrained one: told, never chosen by.

No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..metrics import difference_interval
from ..stats import Comparison, Interval, holm
from .names import points, signed
from .paired import Pairing, same_seeds, units_of
from .view import MEAN, Entry, View

__all__ = ["Gain", "gains", "lost"]


@dataclass(frozen=True)
class Gain:
    """The chosen model minus the pretrained one, on one split or over the shifts.

    Attributes:
        where: "on ID test", "under shift (sketch)", "under shift (mean of 5)".
        here: The chosen model's value.
        there: The pretrained model's.
        value: The difference, a fraction.
        interval: 95 %, over seeds and units; kind "none" says why there is none.
        better: 1, -1 or 0: cannot be told, or is told by nothing.
        found: The test behind it, where there is one.
    """

    where: str
    here: float
    there: float
    value: float
    interval: Interval
    better: int = 0
    found: Comparison | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """In words, never more than the interval says."""
        if not self.interval:
            return f"no interval: {self.interval.reason}" if self.interval.reason else "not tested"
        return {1: "better", -1: "worse", 0: "no difference that these data can tell"}[self.better]

    def __str__(self) -> str:
        reach = ""
        if self.interval:
            reach = f" ({signed(self.interval.low)} to {signed(self.interval.high)})"
        return (f"{self.where}: {points(self.here)} % against {points(self.there)} %, "
                f"{signed(self.value)} points{reach}: {self.verdict}")  # fmt: skip


def gains(view: View, pairing: Pairing, best: Entry, start: Entry) -> tuple[Gain, ...]:
    """On the ID test and under shift; what is called better or worse is adjusted for both (Holm).

    The mean over shifts, where all of them have metrics that are means of images or of classes;
    else every shift by itself.
    """
    found: list[Gain | None] = []
    home, shifts = view.id_split, [s.name for s in view.shifts]
    if home is not None and home.name != "val":
        found.append(_gain(view, pairing, best, start, f"on ID {home.name}", home.name))
    mean = f"under shift (mean of {len(shifts)} shifts)"
    if len(shifts) > 1 and pairing.difference(best, start, MEAN) is not None:
        found.append(_gain(view, pairing, best, start, mean, MEAN))
    else:
        found += [_gain(view, pairing, best, start, f"under shift ({name})", name)
                  for name in shifts]  # fmt: skip
    return _judged([g for g in found if g is not None])


def lost(gain: Gain) -> list[str]:
    """Of a mean over shifts: those that became worse, by tests adjusted for all shifts (Holm)."""
    each = gain.found.splits if gain.found is not None else {}
    adjusted = holm([c.p for c in each.values()]).tolist()
    worse = [(name, c) for (name, c), p in zip(each.items(), adjusted, strict=True)
             if p < 0.05 and c.better < 0]  # fmt: skip
    return [f"{name} {signed(c.difference)} points ({signed(c.interval.low)} to "
            f"{signed(c.interval.high)})" for name, c in worse]  # fmt: skip


def _gain(
    view: View, pairing: Pairing, best: Entry, start: Entry, where: str, column: str
) -> Gain | None:
    here, there = best.cells.get(column), start.cells.get(column)
    if here is None or there is None:
        return None
    plain = Gain(where, here.value, there.value, here.value - there.value, Interval.none())
    found = pairing.difference(best, start, column)
    if found is not None:
        return replace(plain, value=found.difference, interval=found.interval,
                       better=found.better, found=found)  # fmt: skip
    interval = _of_metric(view, best, start, column)
    sign = (1 if interval.low > 0 else -1 if interval.high < 0 else 0) if interval else 0
    return replace(plain, interval=interval, better=-sign if view.less(column) else sign)


def _of_metric(view: View, best: Entry, start: Entry, split: str) -> Interval:
    """Of a metric that single images do not make up (a worst group): it has forms of its own."""
    a, b = (view.kept.seeds(e.sources.get(split, ()), split) for e in (best, start))
    first = next(iter(a.values()), None)
    if first is None or not b:
        return Interval.none("predictions were not kept")
    there = {s: same for s, x in b.items() if (same := x.as_in(first)) is not None}
    if len(there) < len(b):
        return Interval.none("they are of other images")
    ours, theirs = same_seeds(a, there, (best, start))
    left, right = ([x.columns for x in side.values()] for side in (ours, theirs))
    return difference_interval(first.metric, left, right, units_of(ours, theirs),
                               seeds_drawn=len(left) > 1)  # fmt: skip


def _judged(found: Sequence[Gain]) -> tuple[Gain, ...]:
    """Better or worse, adjusted for all that are shown."""
    tested = [g for g in found if g.found is not None]
    adjusted = iter(holm([g.found.p for g in tested if g.found is not None]))
    out = []
    for g in found:
        if g.found is None:
            out.append(g)
        else:
            sure = float(next(adjusted)) < 1 - g.found.level
            out.append(g if sure else replace(g, better=0))
    return tuple(out)
