"""How long a command line takes to answer: whole processes, in turn.

    python benchmarks/startup.py [--peers FOLDER_OF_THEIR_COMMANDS] [--repeats 5]

``surefoot --help`` and ``surefoot ls`` beside ``--help`` of mergekit, fusion_bench and
CLIP_benchmark (the commands in the ``bin`` folder of ``--peers``), and Python with torch alone.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

try:
    from .common import write
except ImportError:
    from common import write  # type: ignore[no-redef]


def commands(peers: Path) -> dict[str, list[str]]:
    here = str(Path(sys.executable).parent / "surefoot")
    return {
        "surefoot --help": [here, "--help"],
        "surefoot ls": [here, "ls"],
        "mergekit-yaml --help": [str(peers / "mergekit-yaml"), "--help"],
        "fusion_bench --help": [str(peers / "fusion_bench"), "--help"],
        "clip_benchmark --help": [str(peers / "clip_benchmark"), "--help"],
        "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, default=Path(sys.executable).parent)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {}
    there = commands(options.peers)
    for turn in range(options.repeats + 1):  # the first fills the system's cache
        for name, command in there.items():
            began = time.perf_counter()
            try:
                done = subprocess.run(command, capture_output=True, check=False)
                row: dict[str, Any] = {"seconds": time.perf_counter() - began}
                if done.returncode:
                    said = done.stderr.decode(errors="replace").strip().splitlines() or ["?"]
                    row = {"missing": said[-1][:200]}
            except FileNotFoundError as error:
                row = {"missing": f"no command {Path(error.filename).name}"}
            if turn:
                rows.setdefault(name, []).append(row)
    for name, found in rows.items():
        times = [r["seconds"] for r in found if "seconds" in r]
        shown = "missing: " + found[0].get("missing", "")
        if times:
            shown = f"{statistics.median(times):6.2f} s ({min(times):.2f} to {max(times):.2f})"
        print(f"{name:28}{shown}")
    write("startup", rows, {"repeats": options.repeats}, options.out,
          str(options.peers / "python"))  # fmt: skip


if __name__ == "__main__":
    main()
