"""What benchmarks share: contenders in turn, each in a process of its own; one table, JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from surefoot.records import write_atomic

RESULTS = Path(__file__).parent / "results"

_WRAP = """
import json, os, resource, sys, time
def peak():
    try:  # ru_maxrss of a child begins at its parent's; the high-water mark is its own
        with open("/proc/self/status") as status:
            return next(int(s.split()[1]) for s in status if s.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
{imports}
base, began = peak(), time.perf_counter()
{work}
print(json.dumps({{"seconds": time.perf_counter() - began, "base_mb": base, "peak_mb": peak(),
                   **globals().get("facts", {{}})}}))
"""


@dataclass(frozen=True)
class Contender:
    """One way to do the work: ``imports`` are not timed, ``work`` is; it may set ``facts``."""

    name: str
    imports: str
    work: str
    python: str = sys.executable
    ours: bool = False


def run(one: Contender, arguments: Sequence[str], threads: int) -> dict[str, Any]:
    """Seconds, peak memory and facts of one repeat; or why there are none."""
    capped = {k: str(threads) for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS",
                                        "OPENBLAS_NUM_THREADS")}  # fmt: skip
    code = _WRAP.format(imports=one.imports, work=one.work)
    began = time.perf_counter()
    done = subprocess.run([one.python, "-c", code, *arguments], capture_output=True, text=True,
                          check=False, env={**os.environ, **capped})  # fmt: skip
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"missing": lines[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "whole_seconds": time.perf_counter() - began}


def contest(
    contenders: Sequence[Contender],
    arguments: Sequence[str],
    *,
    repeats: int,
    threads: int,
    equal: Any,
) -> dict[str, list[dict[str, Any]]]:
    """Warm every contender up, check its result by ``equal(name, facts)``, then take turns."""
    rows: dict[str, list[dict[str, Any]]] = {}
    there = []
    for one in contenders:
        first = run(one, arguments, threads)
        if "missing" in first:
            print(f"missing: {one.name}: {first['missing']}", flush=True)
            rows[one.name] = [first]
        else:
            equal(one.name, first)
            there.append(one)
            rows[one.name] = []
    for _ in range(repeats):
        for one in there:
            rows[one.name].append(run(one, arguments, threads))
    return rows


def table(title: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], ours: str) -> None:
    """Median, spread, the whole process and memory of each; ratios are of medians."""
    print(f"\n{title}")
    print(
        f"{'':44}{'median s':>10}{'min':>9}{'max':>9}{'whole':>9}{'peak MB':>9}{'above':>9}"
        f"{'x ours':>8}"
    )
    own = [r["seconds"] for r in rows.get(ours, ()) if "seconds" in r]
    mine = statistics.median(own) if own else float("nan")
    for name, found in rows.items():
        times = [r["seconds"] for r in found if "seconds" in r]
        if not times:
            print(f"{name:44}{'missing':>10}")
            continue
        peak = max(r["peak_mb"] for r in found if "peak_mb" in r)
        above = max(r["peak_mb"] - r["base_mb"] for r in found if "peak_mb" in r)
        middle = statistics.median(times)
        whole = statistics.median(r["whole_seconds"] for r in found)
        print(f"{name:44}{middle:10.3f}{min(times):9.3f}{max(times):9.3f}{whole:9.2f}{peak:9.0f}{above:9.0f}"
              f"{middle / mine:8.2f}")  # fmt: skip


_PACKAGES = (
    *("surefoot", "torch", "safetensors", "numpy", "scipy", "scikit-learn", "timm"),
    *("open_clip_torch", "mergekit", "fusion-bench", "faiss-cpu", "lightly", "clip-benchmark"),
    *("torchvision", "accelerate", "pillow"),
)


@lru_cache
def versions_under(python: str) -> dict[str, str]:
    """Versions of the packages that count, as an interpreter sees them."""
    code = (
        "import json, importlib.metadata as m\n"
        f"print(json.dumps({{d: m.version(d) for d in {_PACKAGES!r}\n"
        "  if any(True for _ in m.distributions(name=d))}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def write(
    name: str,
    rows: Mapping[str, Any],
    facts: Mapping[str, Any],
    out: Path | None,
    python: str = sys.executable,
    *,
    quiet: bool = False,
) -> Path:
    """Results with the machine, its GPU if torch sees one, the versions and the command."""
    about = {
        "command": f"python benchmarks/{name}.py " + " ".join(_without_paths(sys.argv[1:])),
        "python": platform.python_version(),
        "versions": versions_under(python),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        **gpu(),
        **facts,
        "rows": rows,
    }
    path = out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(about, indent=1) + "\n")
    if not quiet:
        print(f"written: {path.name}")
    return path


@lru_cache
def gpu() -> dict[str, Any]:
    """Name, memory and driver of the GPU, and torch's CUDA; empty where this process has none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    about = torch.cuda.get_device_properties(0)
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout
        driver = said.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        driver = "unknown"
    return {
        "gpu": about.name,
        "gpu_memory_mb": about.total_memory >> 20,
        "driver": driver,
        "torch_build": f"{torch.__version__}, CUDA {torch.version.cuda}",
    }


def _without_paths(arguments: Sequence[str]) -> list[str]:
    """The command as anyone would type it: a machine's own paths become PATH."""
    return ["PATH" if os.sep in word else word for word in arguments]
