"""Everything that must hold: formatting, lint, types, tests. One command: python tools/check.py.

``--fast`` leaves out the tests marked slow or browser; ``--processes`` runs more of them at once;
``--lowest`` runs the fast tests with the lowest versions of the libraries (docs/versions.md).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import lowest

ROOT = Path(__file__).resolve().parent.parent

STEPS = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "types": ["-m", "mypy"],
    "tests": ["-m", "pytest", "-q", "--durations=15"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--lowest", action="store_true")
    parser.add_argument("--processes", type=int, default=2, help="that test at once")
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS])
    arguments = parser.parse_args()
    fast = arguments.fast or arguments.lowest
    # A core to each test process: more threads than cores is slower than one each.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    failed = []
    python = lowest.prepare() if arguments.lowest else sys.executable
    for name in ["tests"] if arguments.lowest else arguments.steps or STEPS:
        command = [python, *STEPS[name]]
        if name == "tests":
            command += ["-n", str(arguments.processes)]
            command += ["-m", "not slow and not browser"] if fast else []
        began = time.perf_counter()
        print(f"== {name}: {' '.join(command[1:])}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(name)
        print(f"== {name}: {time.perf_counter() - began:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
