"""A frame with hairline grid and ticks. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .labels import Box
from .marks import text
from .scale import Scale
from .svg import Node, el, path

__all__ = ["Frame", "percent"]


def percent(value: float) -> str:
    """A fraction as a short percentage: 0.5 -> "50", 0.995 -> "99.5"."""
    return f"{100 * value:.6g}"


@dataclass(frozen=True)
class Frame:
    """Where the data are drawn.

    Attributes:
        x: Scale across.
        y: Scale down; its start is the bottom.
    """

    x: Scale
    y: Scale

    @property
    def box(self) -> Box:
        """The rectangle of the data."""
        return Box(self.x.start, self.y.stop, self.x.stop, self.y.start)

    def grid_y(
        self, ticks: Sequence[float], show: Callable[[float], str] = percent, unit: str = ""
    ) -> Node:
        """Horizontal hairlines with numbers to their left; the unit goes on the topmost."""
        b, parts = self.box, []
        for t in ticks:
            words = show(t) + (unit if t == max(ticks) else "")
            ends = [(b.left, self.y(t)), (b.right, self.y(t))]
            parts.append(el("path", class_="grid", d=path(ends)))
            parts.append(text(b.left - 7, self.y(t) + 4, words, anchor="end", style="tick"))
        return el("g", parts, aria_hidden="true")

    def grid_x(
        self,
        ticks: Sequence[float],
        show: Callable[[float], str] = percent,
        *,
        lines: bool = True,
        unit: str = "",
    ) -> Node:
        """Numbers below, with vertical hairlines or short ticks."""
        b, parts = self.box, []
        for t in ticks:
            top = b.top if lines else b.bottom
            ends = [(self.x(t), top), (self.x(t), b.bottom + 4)]
            words = show(t) + (unit if t == max(ticks) else "")
            parts.append(el("path", class_="grid", d=path(ends)))
            parts.append(text(self.x(t), b.bottom + 18, words, anchor="middle", style="tick"))
        return el("g", parts, aria_hidden="true")

    def floor(self) -> Node:
        """The line along the bottom."""
        b = self.box
        return el("path", class_="axis", d=path([(b.left, b.bottom), (b.right, b.bottom)]))
