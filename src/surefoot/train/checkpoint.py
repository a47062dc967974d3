"""The loop's checkpoint: one file per training, written whole at the end of every epoch."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..data.dataset import Split
from ..errors import TrainingError
from .schedule import Schedule

__all__ = ["identity", "read_checkpoint", "write_checkpoint"]


def identity(schedule: Schedule, split: Split, seed: int, eval_mode: bool) -> str:
    """Names a training, so that a checkpoint of another one is not taken up."""
    plain = {**asdict(schedule), "micro_batch": None}
    text = json.dumps([plain, len(split), split.name, seed, eval_mode], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state: temporary file, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    with open(partial, "wb") as out:
        torch.save(state, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)


def read_checkpoint(path: Path, name: str) -> dict[str, Any]:
    """Read a state that was written for the training ``name``.

    Raises:
        TrainingError: It is another training's.
    """
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["identity"] != name:
        raise TrainingError(
            f"the checkpoint {path} belongs to another training (schedule, data or seed differ)",
            fix="resume with the same recipe, or start anew in another folder",
        )
    return state
