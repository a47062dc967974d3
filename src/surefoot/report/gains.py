"""What the chosen model costs or gains against the pretrained one: told, never chosen by.

No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..metrics import difference_interval, get_metric
from ..stats import About, Comparison, Interval, compare, holm
from .answers import Answers, Floats, Labels, answers_of, pairable
from .names import points, signed
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


def gains(view: View, best: Entry, start: Entry) -> tuple[Gain, ...]:
    """On the ID test and under shift; what is called better or worse is adjusted for both (Holm).

    The mean over shifts, where all of them have metrics that are means of images or of classes;
    else every shift by itself.
    """
    found = []
    home = view.id_split
    if home is not None and home.name != "val":
        found.append(_one(best, start, f"on ID {home.name}", home.name))
    shifts = [s.name for s in view.shifts]
    if len(shifts) > 1 and (whole := _mean(best, start, shifts)) is not None:
        found.append(whole)
    else:
        found += [_one(best, start, f"under shift ({name})", name) for name in shifts]
    return _judged([g for g in found if g is not None])


def lost(gain: Gain) -> list[str]:
    """Of a mean over shifts: those that became worse, by tests adjusted for all shifts (Holm)."""
    each = gain.found.splits if gain.found is not None else {}
    adjusted = holm([c.p for c in each.values()]).tolist()
    worse = [(name, c) for (name, c), p in zip(each.items(), adjusted, strict=True)
             if p < 0.05 and c.better < 0]  # fmt: skip
    return [f"{name} {signed(c.difference)} points ({signed(c.interval.low)} to "
            f"{signed(c.interval.high)})" for name, c in worse]  # fmt: skip


def _mean(best: Entry, start: Entry, shifts: Sequence[str]) -> Gain | None:
    cells = best.cells.get(MEAN), start.cells.get(MEAN)
    found = _compared(best, start, shifts)
    if found is None or cells[0] is None or cells[1] is None:
        return None
    where = f"under shift (mean of {len(shifts)} shifts)"
    return Gain(where, cells[0].value, cells[1].value, found.difference, found.interval,
                found=found)  # fmt: skip


def _one(best: Entry, start: Entry, where: str, split: str) -> Gain | None:
    here, there = best.cells.get(split), start.cells.get(split)
    if here is None or there is None:
        return None
    plain = Gain(where, here.value, there.value, here.value - there.value, Interval.none())
    found = _compared(best, start, [split])
    if found is not None:
        return replace(plain, interval=found.interval, found=found)
    read = [answers_of(e, split) for e in (best, start)]
    interval = _of_metric(*read)
    low, high = interval.low, interval.high
    less = read[0] is not None and get_metric(read[0].metric).direction == "min"
    sign = (1 if low > 0 else -1 if high < 0 else 0) if interval else 0
    return replace(plain, interval=interval, better=-sign if less else sign)


def _compared(best: Entry, start: Entry, splits: Sequence[str]) -> Comparison | None:
    """Over several splits at once, units joined; None where any cannot be paired."""
    ours: dict[str, Floats] = {}
    theirs: dict[str, Floats] = {}
    units: dict[str, Labels | None] = {}
    about: About | None = None
    for split in splits:
        a, b = answers_of(best, split), answers_of(start, split)
        if a is None or b is None:
            return None
        same = pairable({"a": a, "b": b})
        if len(same.rights) < 2:
            return None
        ours |= same.rights["a"]
        theirs |= same.rights["b"]
        units |= same.units
        about = same.about or about
    return compare(ours, theirs, units, about=about)


def _of_metric(a: Answers | None, b: Answers | None) -> Interval:
    """Of a metric that single images do not make up (a worst group): it has forms of its own."""
    if a is None or b is None:
        return Interval.none("predictions were not kept")
    if set(a.images) != set(b.images) or len(set(a.images)) > 1:
        return Interval.none("other images")
    drawn = len(a.columns) > 1
    return difference_interval(get_metric(a.metric), a.columns, b.columns, a.units[0],
                               seeds_drawn=drawn)  # fmt: skip


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
            out.append(replace(g, better=g.found.better if sure else 0))
    return tuple(out)
