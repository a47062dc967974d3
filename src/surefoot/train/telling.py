"""Epochs in words, for whoever watches a log file where no progress bar is drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .step import Stepper

__all__ = ["Teller", "time_left"]

_PAUSE = 10.0
"""Seconds between two lines at least: short epochs do not flood a log."""


class Teller:
    """Tells the first epoch, the last one, and those in between not too often."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def epoch(self, loop: Stepper, row: Mapping[str, Any]) -> None:
        """One line on a finished epoch, where no bar shows it."""
        run, now = loop.run, time.monotonic()
        last = row["epoch"] == loop.schedule.epochs
        if run.progress or (now - self._last < _PAUSE and not last):
            return
        self._last = now
        run.tell(f"{run.stage or 'train'}: {_line(row, loop.schedule.epochs)}")


def _line(row: Mapping[str, Any], epochs: int) -> str:
    parts = [f"epoch {row['epoch']} of {epochs}", f"loss {row['loss']:.3f}"]
    if "val" in row:
        parts.append(f"ID validation {100 * row['val']:.1f} %")
    parts.append(f"{row['images_per_second']:.0f} images/s")
    rest = epochs - row["epoch"]
    if rest:
        parts.append(f"about {time_left(rest * row['seconds'])} left")
    return ", ".join(parts)


def time_left(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
