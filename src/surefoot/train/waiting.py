"""How long the device waited for images."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["Waiting", "advice"]

_MUCH = 0.1
"""Share of an epoch that a device may wait for images before the log says so."""


class Waiting:
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
