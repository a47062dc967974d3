"""An interval of one number, or why there is none; the exact one of a proportion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats as sp

from ..errors import DataError

__all__ = ["Interval", "IntervalKind", "clopper_pearson"]

IntervalKind = Literal[
    "clopper-pearson", "korn-graubard", "bonferroni", "bias-bound", "bound", "t", "t, exact",
    "bootstrap", "cluster-bootstrap", "none",
]  # fmt: skip
"""The forms of intervals; files of before have bootstraps, which are made no more."""


@dataclass(frozen=True)
class Interval:
    """Two ends and how they were made.

    Attributes:
        low: Lower end.
        high: Upper end.
        kind: How it was made; "none" where there is nothing to say, with NaN for ends.
        reason: Why there is none.

    Example:
        >>> interval = sf.stats.clopper_pearson(30, 40)
        >>> round(interval.low, 3), round(interval.high, 3), interval.kind
        (0.588, 0.873, 'clopper-pearson')
    """

    low: float
    high: float
    kind: IntervalKind
    reason: str = ""

    @classmethod
    def none(cls, reason: str = "") -> Interval:
        """The interval that could not be made, and why."""
        return cls(math.nan, math.nan, "none", reason)

    def within(self, low: float, high: float) -> Interval:
        """The part between two bounds that the number cannot leave."""
        return replace(self, low=max(self.low, low), high=min(self.high, high)) if self else self

    def __bool__(self) -> bool:
        return self.kind != "none"


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of a proportion (Clopper and Pearson 1934).

    Args:
        successes: 0 to n.
        n: Trials, at least 1.
        level: Coverage, at least this much.

    Raises:
        DataError: n is 0, or successes are not within 0 to n.

    Example:
        >>> interval = sf.stats.clopper_pearson(30, 40)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.588, 0.873)
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError(
            f"{successes} of {n} is no proportion", expected="0 <= successes <= n, and n >= 1"
        )
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(sp.beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(sp.beta.ppf(1 - tail, successes + 1, n - successes))
    return Interval(low, high, "clopper-pearson")
