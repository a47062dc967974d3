"""What an epoch tells: its line where no progress bar is drawn, and how long it stalled on data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from .checkpoint import Training

__all__ = ["DataStall", "EpochLog", "advice", "time_left"]

_PAUSE = 10.0
"""Seconds between two lines at least: short epochs do not flood a log."""


class EpochLog:
    """Tells the first epoch, the last one, and those in between not too often."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def epoch(self, loop: Training, row: Mapping[str, Any]) -> None:
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


_MUCH = 0.1
"""Share of an epoch that a device may wait for images before the log says so."""


class DataStall:
    """Time between one step's end and the arrival of the next batch, as the device has it.

    A CUDA device works behind the Python that feeds it: while the loop waits for a batch the device
    may still be busy. So the gap is taken from the device's own clock there, and read once at the
    end of the epoch.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_device = device.type == "cuda"
        self.total = 0.0
        self.gaps: list[tuple[Any, Any]] = []
        self.begin()

    def begin(self) -> None:
        """A step's work has been handed over, or the epoch begins."""
        self.since = self._now()

    def end(self) -> None:
        """The next batch is here."""
        if self.on_device:
            self.gaps.append((self.since, self._now()))
        else:
            self.total += time.perf_counter() - self.since

    def seconds(self) -> float:
        """Of all gaps so far; the device must have done its work."""
        gaps: float = sum(a.elapsed_time(b) for a, b in self.gaps)
        return self.total + gaps / 1000

    def _now(self) -> Any:
        if not self.on_device:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def advice(row: Mapping[str, Any], workers: int, device: torch.device) -> str | None:
    """What to say about an epoch that waited much; None where it did not.

    Args:
        row: Of the epoch: epoch, seconds, data_wait_seconds.
        workers: Processes that load images now.
        device: None is said of a CPU: loading and computing share its cores.
    """
    share = row["data_wait_seconds"] / max(row["seconds"], 1e-9)
    if share <= _MUCH or device.type == "cpu":
        return None
    return (
        f"the device waited {100 * share:.0f} % of epoch {row['epoch']} for images: "
        f"more --workers ({workers} now) would keep it busy, or smaller files"
    )
