"""Memory does not grow with the number of images: a fresh process for each size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .pictures import encoded

PROGRAM = """
import resource, sys, warnings
warnings.simplefilter("error")
import torch
torch.set_num_threads(1)
from surefoot.data.specs import make_task
from surefoot.data.loading import make_loader
from surefoot.transforms import TransformSpec

task = make_task(train=sys.argv[1], check="quick")
seen = 0
for batch in make_loader(task.train, TransformSpec(size=(16, 16), resize=16).eval()):
    seen += len(batch["index"])
assert seen == len(task.train)
print(seen, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def started(root: Path) -> subprocess.Popen[str]:
    """A process that reads everything below ``root`` once."""
    source = Path(__file__).parents[2] / "src"
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def peak(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Images seen, and the largest resident memory in MiB."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    seen, kilobytes = out.split()
    return int(seen), int(kilobytes) / 1024


def generate(root: Path, n: int) -> Path:
    """n files in ten class folders; hard links to a few, which a reader cannot tell."""
    root.mkdir()
    originals = []
    for i in range(20):
        (root.parent / f"{root.name}-{i}.png").write_bytes(encoded(i, "PNG", (16, 16)))
        originals.append(root.parent / f"{root.name}-{i}.png")
    for i in range(n):
        place = root / f"class{i % 10}"
        if i < 10:
            place.mkdir()
        os.link(originals[i % 20], place / f"picture-{i:06d}.png")
    return root


@pytest.mark.slow
def test_twenty_thousand_images_need_no_more_than_two_thousand(tmp_path: Path) -> None:
    sizes = (2_000, 20_000)
    processes = [started(generate(tmp_path / str(n), n)) for n in sizes]
    (few, small), (many, large) = map(peak, processes)
    assert (few, many) == (1_620, 16_200)
    assert large - small <= 50, f"{small:.0f} MiB at 2,000 images, {large:.0f} MiB at 20,000"
