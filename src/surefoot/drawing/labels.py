"""Labels that do not lie on each other: greedy placement with estimated widths. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Spot", "dodge", "lanes", "place", "shorten", "text_width"]

_NARROW = set("iljtfrI.,:;'|!()[] -")
_WIDE = set("mwMW@%&")
_GAP = 6.0
"""Pixels between two labels in one row, at least."""


def text_width(text: str, size: float = 12) -> float:
    """About how many pixels a text takes in a sans-serif face, on the safe side."""
    ems = sum(
        0.36 if c in _NARROW else 0.9 if c in _WIDE else 0.7 if c.isupper() else 0.58 for c in text
    )
    return ems * size


def shorten(words: str, room: float, size: float) -> str:
    """Cut a text to fit, with an ellipsis."""
    if text_width(words, size) <= room:
        return words
    while words and text_width(words + "…", size) > room:
        words = words[:-1]
    return words.rstrip() + "…"


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area in common."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0) * max(tall, 0)

    def outside(self, frame: Box) -> float:
        """How far it sticks out of a frame, in pixels."""
        return (
            max(frame.left - self.left, 0)
            + max(self.right - frame.right, 0)
            + max(frame.top - self.top, 0)
            + max(self.bottom - frame.bottom, 0)
        )


@dataclass(frozen=True)
class Spot:
    """Where a label went.

    Attributes:
        x: Anchor, pixels.
        y: Baseline, pixels.
        anchor: "start", "middle" or "end".
        box: What it covers.
    """

    x: float
    y: float
    anchor: str
    box: Box


def _spot(
    x: float, y: float, side: tuple[int, int], away: float, width: float, size: float
) -> Spot:
    """The label on one side of a point; side is (-1, 0 or 1 across, -1, 0 or 1 down)."""
    across, down = side
    reach = away if 0 in side else away * 0.75
    ax, middle = x + across * reach, y + down * (reach + size * 0.35)
    left = ax - width if across < 0 else ax if across > 0 else ax - width / 2
    box = Box(left, middle - size * 0.6, left + width, middle + size * 0.6)
    anchor = {-1: "end", 0: "middle", 1: "start"}[across]
    return Spot(ax, middle + size * 0.35, anchor, box)


def place(
    points: Sequence[tuple[float, float, str]],
    frame: Box,
    taken: Sequence[Box],
    *,
    lines: Sequence[Box] = (),
    size: float = 12,
    away: float = 9,
    reaches: Sequence[float] = (1, 1.7, 2.6, 3.8),
) -> list[Spot]:
    """A place for the label of each point (x, y, text), near it and off everything else.

    Args:
        points: In the order of importance; the first choose first.
        frame: Where labels must stay.
        taken: Boxes to keep clear of: other labels, marks.
        lines: Boxes that are better kept clear.
        size: Of the type, pixels.
        away: Distance from the point, pixels.
        reaches: Multiples of that distance to try.
    """
    sides = [(1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1)]
    hard, soft, out = list(taken), _edges(lines), []
    for x, y, text in points:
        width = text_width(text, size)
        tries = [_spot(x, y, s, away * far, width, size) for far in reaches for s in sides]
        blocked = _edges(hard)
        cost = [
            6 * _covered(t.box, blocked)
            + _covered(t.box, soft)
            + 60 * t.box.outside(frame)
            + 2.5 * i
            for i, t in enumerate(tries)
        ]
        best = tries[cost.index(min(cost))]
        hard.append(best.box)
        out.append(best)
    return out


def _edges(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Left, top, right and bottom of boxes, (m, 4)."""
    return np.array([(b.left, b.top, b.right, b.bottom) for b in boxes]).reshape(-1, 4)


def _covered(box: Box, others: NDArray[np.float64]) -> float:
    """Area that a box has in common with others, (m, 4), added up."""
    wide = np.minimum(others[:, 2], box.right) - np.maximum(others[:, 0], box.left)
    tall = np.minimum(others[:, 3], box.bottom) - np.maximum(others[:, 1], box.top)
    return float((wide.clip(0) * tall.clip(0)).sum())


def dodge(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least ``gap`` apart where the room allows it."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    out = [min(max(w, low), high) for w in wanted]
    for _ in range(60):
        for a, b in pairwise(order):
            short = gap - (out[b] - out[a])
            if short > 1e-6:
                out[a], out[b] = out[a] - short / 2, out[b] + short / 2
        for rank, i in enumerate(order):
            ahead = (len(order) - 1 - rank) * gap
            out[i] = min(max(out[i], low + rank * gap), high - ahead)
    return out


def lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The first row, from 0, in which each (left, right) span lies free of the earlier ones."""
    out: list[int] = []
    for left, right in spans:
        taken = {
            row
            for row, (a, b) in zip(out, spans, strict=False)
            if right + _GAP > a and left < b + _GAP
        }
        out.append(next(row for row in range(len(out) + 1) if row not in taken))
    return out
