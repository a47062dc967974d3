"""What a comparison says in plain words: what carries it, and what it cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["ENOUGH_UNITS", "said"]

ENOUGH_UNITS = 6
"""So many must differ, all the same way, before sign flips give p below 0.05 (2 / 2^6)."""

FEW_UNITS = 20
"""Below so many units the words say how few there are."""


def said(c: Comparison) -> tuple[str, ...]:
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
