"""A training as it stands, and its checkpoint: one file, written whole after every epoch."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from .. import processes
from ..context import RunContext
from ..data.dataset import Split
from ..errors import TrainingError
from ..gradient_cache import WholeBatch
from ..records import written
from .distributed import Distributed
from .schedule import Schedule

__all__ = ["Training", "identity", "keep", "own_seed", "restore"]

_APART = 7919
"""Between the seeds of two processes' random layers; they see different images."""


@dataclass
class Training:
    """A training as it stands: what it computes with, and how far it has come."""

    distributed: Distributed
    schedule: Schedule
    run: RunContext
    micro: int
    n: int
    step: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        self.accelerator = self.distributed.accelerator
        self.objective = self.distributed.objective
        self.whole = isinstance(self.objective, WholeBatch)
        self.per_epoch = self.schedule.steps_per_epoch(self.n)
        self.total = self.per_epoch * self.schedule.epochs

    def sizes(self) -> list[int]:
        """Images of every global batch of an epoch."""
        size = self.schedule.batch_size
        return [min(size, self.n - i * size) for i in range(self.per_epoch)]

    def over_all(self, total: Any) -> Any:
        """The sum over processes of a loss that each has of its own images."""
        if self.accelerator.num_processes == 1 or self.whole:
            return total
        device = self.accelerator.device
        own = torch.as_tensor(total, dtype=torch.float32, device=device).reshape(1)
        return self.accelerator.reduce(own, "sum")

    def finite(self, loss: Any) -> float:
        """The loss as a number.

        Raises:
            TrainingError: It is not finite.
        """
        value = float(loss)
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {self.step}",
                expected="a finite number",
                fix="lower the learning rate, keep gradient clipping on, or check the start's "
                "weights with `surefoot check`",
            )
        return value


def own_seed(seed: int, process: int) -> int:
    """The seed of one process's random layers."""
    return seed + _APART * process


def identity(schedule: Schedule, split: Split, seed: int, eval_mode: bool) -> str:
    """Names a training, so that a checkpoint of another one is not taken up."""
    plain = {**asdict(schedule), "micro_batch": None}
    if schedule.decayed == "all":  # as before there was another way
        del plain["decayed"]
    text = json.dumps([plain, len(split), split.name, seed, eval_mode], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


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


def keep(loop: Training, name: str, rows: list[dict[str, Any]]) -> None:
    """Write the checkpoint of a finished epoch; the main process does, all call it."""
    path = loop.run.checkpoint_file()
    if path is not None:
        optimizer = loop.distributed.optimizer_state()
        if loop.accelerator.is_main_process:
            state = {
                "identity": name,
                "objective": loop.objective.state_dict(),
                "optimizer": optimizer,
                "epoch": loop.epoch,
                "step": loop.step,
                "micro": loop.micro,
                "rng": torch.get_rng_state(),
                "rows": rows,
            }
            if loop.accelerator.device.type == "cuda":
                state["rng_on_device"] = torch.cuda.get_rng_state(loop.accelerator.device)
            path.parent.mkdir(parents=True, exist_ok=True)
            with written(path, "wb") as out:
                torch.save(state, out)
    loop.accelerator.wait_for_everyone()


def restore(loop: Training, name: str, seed: int) -> list[dict[str, Any]]:
    """Take up the checkpoint of this stage where there is one and the run asks for it."""
    path = loop.run.checkpoint_file()
    if path is None or not loop.run.resume or not processes.agreed(path.is_file):
        return []
    if not path.is_file():
        raise TrainingError(
            f"process {loop.accelerator.process_index} cannot see the checkpoint {path}",
            expected="a run folder on storage that every node shares",
        )
    state = read_checkpoint(path, name)
    loop.objective.load_state_dict(state["objective"])
    loop.distributed.take_up()
    loop.distributed.load_optimizer(state["optimizer"])
    loop.epoch, loop.step, loop.micro = state["epoch"], state["step"], state["micro"]
    if loop.accelerator.is_main_process:
        torch.set_rng_state(state["rng"])
        if "rng_on_device" in state and loop.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(state["rng_on_device"], loop.accelerator.device)
        loop.run.say(note=f"resumed after epoch {loop.epoch} of {loop.schedule.epochs}")
    else:
        torch.manual_seed(own_seed(seed, loop.accelerator.process_index) + loop.epoch)
    rows: list[dict[str, Any]] = state["rows"]
    return rows
