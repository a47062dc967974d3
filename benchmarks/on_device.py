"""What the benchmarks of a GPU share: clocks, peak memory, results written as they come."""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

try:
    from .common import RESULTS, write
except ImportError:
    from common import RESULTS, write  # type: ignore[no-redef]

MIB = 2**20


def options_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options that all of them have, parsed; ``device`` becomes a device."""
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true", help="sizes that only show that it works")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"),
        help="cases that would begin later than this are left out and named",
    )  # fmt: skip
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    from surefoot.context import cap_threads, pick_device

    cap_threads()
    options.device = pick_device(options.device)
    return options


def synchronize(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds of some work, the device's included."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def reset_peak(device: torch.device) -> None:
    """Forget the largest memory so far; on a CPU that of the whole process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("the peak of this process's memory cannot be reset here", flush=True)


def peak_mb(device: torch.device) -> float:
    """MiB at most since :func:`reset_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return _status("VmHWM")


def held_mb(device: torch.device) -> float:
    """MiB now."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / MIB
    return _status("VmRSS")


def _status(key: str) -> float:
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024
    except OSError:
        return float("nan")


def state_mb(module: nn.Module, optimizer: Any) -> float:
    """MiB of weights, buffers and optimiser state, which stay from step to step."""
    kept = [*module.parameters(), *module.buffers()]
    kept += [v for row in optimizer.state.values() for v in row.values()
             if isinstance(v, torch.Tensor)]  # fmt: skip
    return sum(t.numel() * t.element_size() for t in kept) / MIB


def let_go(device: torch.device) -> None:
    """Give memory back between cases."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def spread_of(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Report:
    """Rows by case and contender; the file is written anew after every case.

    Args:
        name: Of the benchmark.
        options: Parsed; ``device``, ``out``, ``tiny`` and ``seconds`` are looked at.
        facts: What else goes into the file.
    """

    def __init__(self, name: str, options: argparse.Namespace, facts: Mapping[str, Any]) -> None:
        self.name, self.options, self.facts = name, options, dict(facts)
        self.rows: dict[str, Any] = {}
        self.began = time.perf_counter()
        self.out: Path = options.out or RESULTS / f"{name}.json"
        if options.tiny and options.out is None:
            raise SystemExit("--tiny needs --out FILE: its figures are no results")

    def case(self, name: str, work: Callable[[], Any]) -> None:
        """Do a case unless it is late; an error is a row too, so that the others go on."""
        late = time.perf_counter() - self.began
        if late > self.options.seconds:
            self.rows[name] = {"left_out": f"{late:.0f} s had gone by"}
            print(f"left out, after {late:.0f} s: {name}", flush=True)
        else:
            print(f"-- {name}", flush=True)
            try:
                self.rows[name] = work()
            except ImportError as error:
                self.rows[name] = {"missing": str(error)[:200]}
                print(f"missing: {error}", flush=True)
            except Exception as error:  # the time on a lent GPU should not be lost
                self.rows[name] = {"failed": f"{type(error).__name__}: {error}"[:500]}
                print(f"failed: {type(error).__name__}: {error}"[:2000], flush=True)
            spent = time.perf_counter() - self.began - late
            print(f"   {spent:.1f} s for this case", flush=True)
        let_go(self.options.device)
        self.save()

    def save(self) -> None:
        """Write what there is."""
        facts = {**self.facts, "seconds_in_all": round(time.perf_counter() - self.began, 1)}
        write(self.name, self.rows, facts, self.out, quiet=True)

    def close(self) -> None:
        """Name the file; fail where a case did, at a size that only shows that it works."""
        print(f"written: {self.out.name}")
        failed = [k for k, v in self.rows.items() if isinstance(v, dict) and "failed" in v]
        if failed and self.options.tiny:
            raise SystemExit(f"failed: {', '.join(failed)}")
