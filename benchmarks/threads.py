"""What waits cost: a training step with one thread and with two, alone and beside another program.

    python benchmarks/threads.py [--threads 2] [--steps 8] [--repeats 5]

tiny-clip's image tower, 64 images, forward and backward, on the CPU. OpenMP's threads meet after
every operation. By default those that are early spin; with ``OMP_WAIT_POLICY=PASSIVE`` they sleep.
*Beside another program*: one process that computes
without end on one core. *Crowded*: four times as many threads as asked for, as where a container
shows more cores than it grants and nobody caps them (surefoot takes no more than its own).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from .common import RESULTS, Contender, contest, table, write
except ImportError:
    from common import RESULTS, Contender, contest, table, write  # type: ignore[no-redef]

OURS = "{} threads, the default: they spin"

IMPORTS = """
os.environ["OMP_WAIT_POLICY"] = {policy!r}
os.environ["OMP_NUM_THREADS"] = "{threads}"
if {policy!r} == "DEFAULT": del os.environ["OMP_WAIT_POLICY"]
import torch
torch.set_num_threads({threads})
from surefoot.models.load import load
model = load("tiny-clip")
encoder = model.encoder.train()
images = torch.randn(64, 3, *model.spec.transform.size)
def step():
    encoder(images).sum().backward()
step(), step()
"""

WORK = """
for _ in range({steps}): step()
facts = {{"step_seconds": (time.perf_counter() - began) / {steps}}}
"""

BUSY = "while True: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    first = OURS.format(options.threads)
    kinds = {
        first: ("DEFAULT", options.threads),
        f"{options.threads} threads, they sleep": ("PASSIVE", options.threads),
        "one thread": ("PASSIVE", 1),
        f"{4 * options.threads} threads (no cap), they spin": ("DEFAULT", 4 * options.threads),
    }
    work = WORK.format(steps=options.steps)
    found: dict[str, list[dict[str, Any]]] = {}
    for beside in (False, True):
        contenders = [
            Contender(
                name, IMPORTS.format(policy=policy, threads=threads), work, ours=name == first
            )
            for name, (policy, threads) in kinds.items()
        ]
        other = subprocess.Popen([sys.executable, "-c", BUSY]) if beside else None
        try:
            rows = contest(contenders, [], repeats=options.repeats, threads=options.threads,
                           equal=lambda who, facts: None)  # fmt: skip
        finally:
            if other is not None:
                other.kill()
                other.wait()
        where = "beside another program" if beside else "alone"
        table(f"{options.steps} steps, {where}", rows, first)
        found |= {f"{where}: {name}": runs for name, runs in rows.items()}
    facts = {"threads": options.threads, "steps": options.steps, "model": "tiny-clip", "batch": 64}
    write("threads", found, facts, options.out or RESULTS / "threads.json")


if __name__ == "__main__":
    main()
