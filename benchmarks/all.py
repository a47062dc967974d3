"""Every benchmark, one after the other.

    python benchmarks/all.py [--tiny] [--peers-python VENV/bin/python] [--dino FOLDER]
        [--wise-ft FOLDER]

``--tiny`` runs each at a size that only shows that it works, and writes to a temporary folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

ROWS: dict[str, tuple[str, ...]] = {
    "merge": ("--layers", "2", "--width", "64", "--repeats", "1"),
    "knn": ("--bank", "400", "--dim", "16", "--queries", "60", "--classes", "5", "--repeats", "1"),
    "linear_probe": (
        *("--images", "600", "--dim", "32", "--classes", "5", "--cs", "3", "--repeats", "1"),
    ),
    "sweep": ("--size", "100x80", "--images", "40", "--alphas", "5", "--repeats", "1"),
    "startup": ("--repeats", "1"),
    "overhead": ("--repeats", "1"),
    "flyp_distinct_prompts": (),
    "board_import": ("--papers", "500"),
}
"""Name -> options at the tiny size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", choices=list(ROWS), action="append")
    parser.add_argument("--peers-python")
    parser.add_argument("--dino")
    parser.add_argument("--wise-ft")
    options = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or ROWS:
            command = [sys.executable, str(HERE / f"{name}.py")]
            if options.tiny:
                command += ROWS[name]
            if options.tiny and name in ("merge", "knn", "linear_probe", "sweep", "startup"):
                command += ["--out", str(Path(folder) / f"{name}.json")]
            if options.peers_python and name in ("merge", "knn", "linear_probe", "sweep"):
                command += ["--peers-python", options.peers_python]
            if options.peers_python and name == "startup":
                command += ["--peers", str(Path(options.peers_python).parent)]
            if options.wise_ft and name == "sweep":
                command += ["--wise-ft", options.wise_ft]
            if options.dino and name == "knn":
                command += ["--dino", options.dino]
            print(f"== {name}", flush=True)
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
