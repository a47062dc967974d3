"""A whole run (check, fit, sweep, kNN, report) needs no more memory for ten times the images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PROGRAM = """
import resource, sys, warnings
warnings.simplefilter("error")
from pathlib import Path
import torch
torch.set_num_threads(1)
from torch import nn
from surefoot.models.model import Model, ModelSpec
from surefoot.recipes.recipe import parse_recipe
from surefoot.recipes.experiment import run_recipe
from surefoot.report import render
from surefoot.transforms import TransformSpec

root = Path(sys.argv[1])
spec = ModelSpec(
    name="toy", source="toy", builder={"kind": "toy"}, transform=TransformSpec((8, 8)),
    normalize=False, saw_text=False,
)
start = Model(nn.Sequential(nn.Flatten(), nn.Linear(192, 16)), spec=spec, feature_dim=16)
recipe = parse_recipe({
    "model": "toy",
    "data": {"train": f"{root}/train", "test": f"{root}/test", "shifts": {"far": f"{root}/far"},
             "chosen_on_test": True},  # two pictures, again and again
    "methods": [
        {"name": "ft", "head": "zeros", "schedule": {"epochs": 1, "batch_size": 256, "lr": 1e-3}}
    ],
    "path": {"alphas": 2},
    "evaluate": ["head", "knn"],
})
study = run_recipe(recipe, root / "run", start=start)
render(study)
seen = sum(s["n"] for s in study.runs[0].facts["task"]["splits"].values())
print(seen, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def generate(root: Path, n: int) -> Path:
    """n files: eight tenths to train on, a tenth each to test on; hard links to a few."""
    originals = []
    for label, grey in (("dark", 40), ("light", 200)):
        original = root / f"{label}.png"
        root.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (grey, grey, 90)).save(original)
        originals.append((label, original))
    for role, share in (("train", 0.8), ("test", 0.1), ("far", 0.1)):
        for label, original in originals:
            place = root / role / label
            place.mkdir(parents=True)
            for i in range(round(n * share) // 2):
                os.link(original, place / f"picture-{i:06d}.png")
    return root


def started(root: Path) -> subprocess.Popen[str]:
    source = Path(__file__).parents[2] / "src"
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def peak(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Images of all splits, and the largest resident memory in MiB."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    seen, kilobytes = out.split()[-2:]
    return int(seen), int(kilobytes) / 1024


@pytest.mark.slow
def test_a_run_on_twenty_thousand_images_needs_little_more_than_on_two_thousand(
    tmp_path: Path,
) -> None:
    processes = [started(generate(tmp_path / str(n), n)) for n in (2_000, 20_000)]
    (few, small), (many, large) = map(peak, processes)
    assert (few, many) == (2_000, 20_000)
    assert large - small <= 50, f"{small:.0f} MiB at 2,000 images, {large:.0f} MiB at 20,000"
