"""What a comparison found, and how it says so: what carries it, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .intervals import Interval
from .spread import Spread

__all__ = ["ENOUGH_UNITS", "About", "Comparison"]

About = Literal["methods", "models"]

ENOUGH_UNITS = 6
"""So many must differ, all the same way, before sign flips give p below 0.05 (2 / 2^6)."""

FEW_UNITS = 20
"""Below so many units the words say how few there are."""


@dataclass(frozen=True)
class Comparison:
    """What a is worth minus what b is worth, on the same images.

    Attributes:
        difference: a - b, the unweighted mean over splits, and over seeds.
        standard_error: Of the difference.
        interval: The widest that the data call for; it leaves out zero exactly where ``p`` is
            below 1 - level. Kind "none" says why in ``reason``.
        p: Two-sided, of no difference.
        dof: Satterthwaite's degrees of freedom.
        about: "methods": other seeds are part of the question. "models": the trained models as
            they are.
        units: How many units (images, patients, designers) there are over all splits.
        differing: On how many of them a and b differ.
        images: How many, over all splits.
        images_are_units: Every image is taken to stand for itself.
        seeds: How many.
        per_seed: The difference of every seed.
        level: Of the interval.
        spread: The parts of the variance.
        splits: Split -> its own comparison, where there is more than one.
        less: Less is better: of a calibration error, a likelihood's.

    Example:
        >>> found = sf.stats.compare({"test": a}, {"test": b})
        >>> round(found.difference, 3)
        0.1
    """

    difference: float
    standard_error: float
    interval: Interval
    p: float
    dof: float
    about: About
    units: int
    differing: int
    images: int
    images_are_units: bool
    seeds: int
    per_seed: tuple[float, ...]
    level: float
    spread: Spread = field(repr=False)
    splits: Mapping[str, Comparison] = field(default_factory=dict, repr=False)
    less: bool = False

    @property
    def better(self) -> int:
        """1: a is better, -1: b is, 0: the data do not say. Never more than the interval says."""
        if not self.interval or not self.p < 1 - self.level:
            return 0
        return 1 if (self.difference > 0) != self.less else -1

    @property
    def says(self) -> tuple[str, ...]:
        """What carries the comparison and what it cannot tell, sentence by sentence."""
        return _said(self)

    @property
    def limits(self) -> tuple[str, ...]:
        """What of this the comparison cannot tell; the last sentences of :attr:`says`."""
        return tuple(_limits(self))

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is above ``bound``": small where the data say so."""
        return self._side(1, bound)

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is below ``bound``"."""
        return self._side(-1, bound)

    def _side(self, way: int, bound: float) -> float:
        if bound == 0:  # as the two-sided test has it, exact where that is
            return self.p / 2 if way * self.difference > 0 else 1 - self.p / 2
        if not self.interval:
            return 1.0
        return self.spread.tail(way * (self.difference - bound))


def _said(c: Comparison) -> tuple[str, ...]:
    """Sentences on one comparison, the finding first."""
    return tuple(s for s in (_finding(c), _carried(c), *_limits(c)) if s)


def _finding(c: Comparison) -> str:
    value = f"{100 * c.difference:+.1f} points"
    reach = f" ({100 * c.interval.low:+.1f} to {100 * c.interval.high:+.1f})" if c.interval else ""
    what = {1: "better", -1: "worse", 0: "no difference that these data can tell"}[c.better]
    return f"{value}{reach}: {what}."


def _carried(c: Comparison) -> str:
    units = f"{c.images} images"
    if c.units != c.images:
        units = f"{c.images} images of {c.units} units"
    if c.about == "methods":
        return f"Over {c.seeds} seeds crossed with {units}."
    trained = "one trained model" if c.seeds == 1 else f"these {c.seeds} trained models"
    return f"Over {units}, for {trained} on either side."


def _limits(c: Comparison) -> list[str]:
    out = []
    if c.seeds == 1:
        out.append("One seed cannot tell how much another training would differ.")
    elif c.about == "methods" and c.seeds < 5:
        out.append(f"{c.seeds} seeds tell little about other trainings: the interval is wide.")
    if c.units == 1:
        out.append("One unit cannot tell how much others would differ.")
    elif c.units < ENOUGH_UNITS:
        out.append(f"{c.units} units are too few to call anything better, whatever they say.")
    elif c.units < FEW_UNITS:
        out.append(f"{c.units} units tell little about others.")
    elif c.spread.unit_dof < FEW_UNITS - 1:
        out.append(f"A few of the {c.units} units hold most of the images.")
    if not c.images_are_units and 0 < c.differing < min(ENOUGH_UNITS, c.units):
        out.append(f"Only {c.differing} of {c.units} units differ at all: too few to bound it.")
    if c.images_are_units:
        out.append("Every image is taken to stand for itself: nothing says which hang together.")
    return out
