"""In what process the recorded cases run: one thread, and kernels that every x86 processor has.

A matrix product differs in its last digits between processors, since libraries choose kernels by
what the processor can do. Here each is told to take those of the oldest processor it knows: torch
its plain C++ kernels, MKL the sums that are the same on all (``COMPATIBLE``), OpenBLAS those of
Nehalem, NumPy its baseline, the C library those without fused multiply-add; oneDNN and NNPACK are
switched off in ``cases.py``. Libraries read these variables when they load, so a case needs a
process of its own.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

__all__ = ["ROOT", "environment", "run", "versions"]

ROOT = Path(__file__).parents[2]

_COMPUTE = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "timm",
            "open_clip_torch", "accelerate", "tokenizers", "pyarrow")  # fmt: skip

_SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "LOGNAME": "records",  # whose name a board's history keeps
}

_UNSET = ("SUREFOOT_CACHE", "SUREFOOT_CACHE_LIMIT", "SUREFOOT_DATA", "SUREFOOT_BOARD",
          "WORLD_SIZE", "RANK")  # fmt: skip


def versions() -> dict[str, str]:
    """Of everything that computes: where they are the same, so is every digit."""
    found = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
    }
    for package in _COMPUTE:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def environment() -> dict[str, str]:
    """This process's environment with the settings of the cases."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload]
    kept = {k: v for k, v in os.environ.items() if k not in _UNSET}
    own = {"NPY_DISABLE_CPU_FEATURES": " ".join(simd.get("found", ()))}
    return {**kept, **_SETTINGS, **own}


def run(cases: Sequence[str], out: Path, place: Path) -> None:
    """Run cases in a process with those settings; it writes ``out/<record>.json``.

    Args:
        cases: Names of ``cases.CASES``.
        out: Folder of the records.
        place: An empty folder to work in.
    """
    command = [sys.executable, "-m", "tests.records.cases", str(out), *cases]
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, env=env, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr}"
