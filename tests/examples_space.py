"""What the examples in docstrings find there: names, and files in the current folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import surefoot as sf
import surefoot.methods
import surefoot.testing
import surefoot.weights

from .conftest import write_folders

__all__ = ["space"]


def space(folder: Path) -> dict[str, Any]:
    """Names; and below ``folder`` images, two checkpoints and a run.

    photos/train and photos/night are class folders, start.safetensors and end.safetensors hold the
    weights of those names, runs/demo is a run folder. a and b say which of 40 images two models
    got right.
    """
    write_folders(folder / "photos" / "train", 36, seed=0)
    write_folders(folder / "photos" / "night", 18, seed=1, shifted=True)
    start, end = {"w": torch.tensor([0.0, 2.0])}, {"w": torch.tensor([2.0, 2.0])}
    sf.weights.write_safetensors(folder / "start.safetensors", start)
    sf.weights.write_safetensors(folder / "end.safetensors", end)
    task, model = sf.testing.small_task(), sf.testing.small_clip()
    sf.fit(model="tiny-clip", train=folder / "photos" / "train", method="zero-shot", device="cpu",
           limit=9, out=folder / "runs" / "demo")  # fmt: skip
    tuned = sf.FineTune(epochs=1, batch_size=8).fit(model, task)
    curve = sf.sweep(sf.Path.between(model, tuned, task), task, alphas=3, method="wise-ft(ft)")
    a, b = np.arange(40) % 4 > 0, np.arange(40) % 3 > 0
    return {"sf": sf, "np": np, "torch": torch, "task": task, "model": model, "tuned": tuned,
            "curve": curve, "start": start, "end": end, "a": a, "b": b}  # fmt: skip
