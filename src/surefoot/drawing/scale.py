"""From numbers to pixels: linear and logit scales with ticks. No torch here."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Linear", "Logit", "Scale", "logit", "nice_step", "span"]

_LOGIT_EDGE = 1e-3
_FIVES = 2
_SHORT = 1.6


def logit(p: float) -> float:
    """The log odds of a fraction; 0 and 1 are drawn at 0.001 and 0.999."""
    p = min(max(p, _LOGIT_EDGE), 1 - _LOGIT_EDGE)
    return math.log(p / (1 - p))


def nice_step(width: float, count: int) -> float:
    """The step 1, 2 or 5 times a power of ten that cuts ``width`` into at most ``count`` parts."""
    raw = max(width, 1e-12) / max(count, 1)
    base = 10.0 ** math.floor(math.log10(raw))
    return next(m * base for m in (1, 2, 5, 10) if m * base >= raw * (1 - 1e-9))


def span(
    values: Iterable[float], *, least: float, pad: float = 0.08, bounds: tuple[float, float]
) -> tuple[float, float]:
    """A domain that holds the values, at least ``least`` wide, padded, inside the bounds.

    A least width keeps noise from being drawn as if it were an effect.
    """
    kept = [v for v in values if math.isfinite(v)]
    low, high = (min(kept), max(kept)) if kept else bounds
    extra = max((least - (high - low)) / 2, (high - low) * pad)
    low, high = low - extra, high + extra
    if low < bounds[0]:
        low, high = bounds[0], max(high, bounds[0] + least)
    if high > bounds[1]:
        low, high = max(bounds[0], min(low, bounds[1] - least)), bounds[1]
    return low, high


@dataclass(frozen=True)
class Scale(ABC):
    """Maps a domain onto pixels.

    Attributes:
        low: Smallest number.
        high: Largest number.
        start: Pixel of the smallest.
        stop: Pixel of the largest.
    """

    low: float
    high: float
    start: float
    stop: float

    @abstractmethod
    def straight(self, value: float) -> float:
        """The value on the axis on which the drawing is linear."""

    @abstractmethod
    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers within the domain."""

    def __call__(self, value: float) -> float:
        """The pixel of a number; numbers outside the domain fall outside the drawing."""
        low, high = self.straight(self.low), self.straight(self.high)
        share = (self.straight(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.stop - self.start)


@dataclass(frozen=True)
class Linear(Scale):
    """An ordinary axis."""

    def straight(self, value: float) -> float:
        """The value itself."""
        return value

    def ticks(self, count: int = 5) -> list[float]:
        """Multiples of a nice step."""
        for parts in (count, count + 1, count + 3):
            step = nice_step(self.high - self.low, parts)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last > first:
                break
        return [round(i * step, 10) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Logit(Scale):
    """An axis of log odds, on which robust and plain models lie on lines (Taori et al. 2020)."""

    def straight(self, value: float) -> float:
        """Log odds."""
        return logit(value)

    def ticks(self, count: int = 5) -> list[float]:
        """Round fractions, about one gap apart.

        They are evenly spaced on a short axis, where log odds are nearly linear.
        """
        if abs(self.straight(self.high) - self.straight(self.low)) < _SHORT:
            return Linear(self.low, self.high, self.start, self.stop).ticks(count)
        fine = [i / 1000 for i in (1, 2, 5)] + [i / 1000 for i in (995, 998, 999)]
        for grid in ([i / 100 for i in range(1, 100)] + fine, [i / 1000 for i in range(1, 1000)]):
            inside = sorted(t for t in grid if self.low <= t <= self.high)
            if len(inside) >= 2:
                return self._spread(inside, count)
        return inside

    def _spread(self, inside: Sequence[float], count: int) -> list[float]:
        """Take roundest numbers first, keeping a gap."""
        gap = abs(self.stop - self.start) / (count + 0.5)
        taken: list[float] = []
        for t in sorted(inside, key=_roughness):
            if len(taken) >= 4 and _roughness(t)[0] > _FIVES:
                break
            if all(abs(self(t) - self(other)) >= gap for other in taken):
                taken.append(t)
        return sorted(taken)


def _roughness(t: float) -> tuple[int, float]:
    """Lower for rounder percentages: halves, tens, fives, ones, tenths."""
    tenths = round(t * 1000)
    for rank, step in enumerate((500, 100, 50, 20, 10, 5)):
        if tenths % step == 0:
            return rank, abs(t - 0.5)
    return 6, abs(t - 0.5)
