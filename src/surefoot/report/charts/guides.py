"""Lines for the eye behind a plane of accuracies: y = x, and baselines. No torch here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...drawing.axes import Frame
from ...drawing.labels import Box, text_width
from ...drawing.marks import line, text
from ...drawing.scale import logit
from ...drawing.svg import Node

__all__ = ["Baseline", "guides", "line_boxes"]


@dataclass(frozen=True)
class Baseline:
    """A line on logit axes: logit(y) = slope * logit(x) + intercept."""

    label: str
    slope: float
    intercept: float


def _equal_to(frame: Frame) -> list[tuple[float, float]] | None:
    """The visible part of y = x, in fractions; None where it does not cross the frame."""
    low, high = max(frame.x.low, frame.y.low), min(frame.x.high, frame.y.high)
    return [(low, low), (high, high)] if logit(high) - logit(low) > 0.05 else None


def _clip(frame: Frame, baseline: Baseline) -> list[tuple[float, float]]:
    """The visible part of a baseline, in fractions."""
    out = []
    for i in range(121):
        low, high = logit(frame.x.low), logit(frame.x.high)
        z = low + (high - low) * i / 120
        y = 1 / (1 + math.exp(-(baseline.slope * z + baseline.intercept)))
        if frame.y.low <= y <= frame.y.high:
            out.append((1 / (1 + math.exp(-z)), y))
    return out


def line_boxes(pixels: Sequence[tuple[float, float]], thick: float = 3) -> list[Box]:
    """Little boxes along a line, for labels to keep clear of."""
    out = []
    for (x0, y0), (x1, y1) in pairwise(pixels):
        steps = max(int(math.hypot(x1 - x0, y1 - y0) / 6), 1)
        for i in range(steps + 1):
            x, y = x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps
            out.append(Box(x - thick, y - thick, x + thick, y + thick))
    return out


def guides(frame: Frame, baselines: Sequence[Baseline]) -> tuple[list[Node], list[Box]]:
    """The line y = x and the baselines, with the boxes of what they cover."""
    rows = [("no drop under shift", _equal_to(frame) or [], "equal")]
    rows += [(b.label, _clip(frame, b), "baseline") for b in baselines]
    out: list[Node] = []
    boxes: list[Box] = []
    for label, points, style in rows:
        pixels = [(frame.x(a), frame.y(b)) for a, b in points]
        if len(pixels) < 2:
            continue
        out.append(line(pixels, style))
        boxes += line_boxes(pixels, 2)
        (x0, y0), (x1, y1) = pixels[0], pixels[-1]
        width = text_width(label, 11)
        if math.hypot(x1 - x0, y1 - y0) < width + 30:
            continue
        turn = math.degrees(math.atan2(y1 - y0, x1 - x0))
        share = 1 - (width / 2 + 14) / math.hypot(x1 - x0, y1 - y0)
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        out.append(text(x, y - 5, label, anchor="middle", style="guide", turn=turn))
        boxes.append(Box(x - width / 2, y - width / 2, x + width / 2, y))
    return out, boxes
