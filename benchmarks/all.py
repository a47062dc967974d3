"""Every benchmark, one after the other.

    python benchmarks/all.py [--tiny] [--peers-python VENV/bin/python] [--dino FOLDER]
        [--wise-ft FOLDER] [--flyp FOLDER]

``--tiny`` runs each at a size that only shows that it works, and writes to a temporary folder.
Those of a GPU (`training_step`, `flyp_memory`, `device_sweep`) are left out where there is none,
except with ``--tiny``.
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
    "frozen_prefix": ("--images", "32", "--epochs", "2", "--repeats", "1"),
    "threads": ("--steps", "1", "--repeats", "1"),
    "startup": ("--repeats", "1"),
    "identity": ("--size", "60x50", "--images", "20", "--repeats", "1"),
    "laptop": (
        *("--models", "test_resnet", "--images", "16", "--train-images", "8", "--repeats", "1"),
    ),
    "coverage": ("--studies", "2"),
    "overhead": ("--repeats", "1"),
    "flyp_distinct_prompts": (),
    "flyp_step": ("--arch", "tiny", "--batch", "8", "--classes", "2", "--repeats", "1"),
    "board_import": ("--papers", "500"),
    "training_step": ("--tiny",),
    "flyp_memory": ("--tiny",),
    "device_sweep": ("--tiny",),
}
"""Name -> options at the tiny size."""

ON_A_GPU = ("training_step", "flyp_memory", "device_sweep")
TO_A_FILE = (
    "merge",
    "knn",
    "linear_probe",
    "sweep",
    "frozen_prefix",
    "threads",
    "startup",
    "identity",
    "laptop",
    "flyp_step",
    *ON_A_GPU,
)


def gpu_here() -> bool:
    """Does torch see one?"""
    asked = [sys.executable, "-c", "import torch; raise SystemExit(not torch.cuda.is_available())"]
    return subprocess.run(asked, check=False, stderr=subprocess.DEVNULL).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", choices=list(ROWS), action="append")
    parser.add_argument("--peers-python")
    parser.add_argument("--dino")
    parser.add_argument("--wise-ft")
    parser.add_argument("--flyp")
    options = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or ROWS:
            if name in ON_A_GPU and not options.tiny and not gpu_here():
                print(f"== {name}: left out, there is no GPU", flush=True)
                continue
            command = [sys.executable, str(HERE / f"{name}.py")]
            if options.tiny:
                command += ROWS[name]
            if options.tiny and name in TO_A_FILE:
                command += ["--out", str(Path(folder) / f"{name}.json")]
            if options.peers_python and name in ("merge", "knn", "linear_probe", "sweep"):
                command += ["--peers-python", options.peers_python]
            if options.peers_python and name == "startup":
                command += ["--peers", str(Path(options.peers_python).parent)]
            if options.wise_ft and name in ("sweep", "device_sweep"):
                command += ["--wise-ft", options.wise_ft]
            if options.flyp and name == "flyp_step":
                command += ["--flyp", options.flyp]
            if options.dino and name == "knn":
                command += ["--dino", options.dino]
            print(f"== {name}", flush=True)
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
