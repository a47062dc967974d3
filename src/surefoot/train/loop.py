"""The training loop: one, in sight, for every method.

A method hands in a module that maps a batch to a loss; everything else (order, schedule, mixed
precision, accumulation, checkpoints, memory, several processes) is here. A loss that needs the
whole batch at once goes through :mod:`surefoot.gradient_cache`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from .. import processes
from ..context import RunContext, cap_threads
from ..data.dataset import Split
from ..data.loading import make_loader
from ..data.rng import mix
from ..errors import TrainingError
from ..gradient_cache import WholeBatch, cached_backward, slices
from ..transforms import Transform
from .checkpoint import identity, read_checkpoint, write_checkpoint
from .schedule import Schedule, learning_rate
from .spread import Spread, spread

__all__ = ["Batch", "train"]

Batch = Mapping[str, Tensor]


def _order(
    n: int, schedule: Schedule, *, seed: int, epoch: int, rank: int, world: int
) -> list[NDArray[np.int64]]:
    """This process's share of every global batch of one epoch.

    The order depends on (seed, epoch) alone, so several processes see together what one would.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    batches = [order[i : i + schedule.batch_size] for i in range(0, n, schedule.batch_size)]
    return [np.array_split(batch, world)[rank] for batch in batches]


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )


@dataclass
class _Loop:
    """State of one training, between epochs."""

    spread: Spread
    schedule: Schedule
    run: RunContext
    micro: int
    n: int
    step: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        self.accelerator = self.spread.accelerator
        self.objective = self.spread.objective
        self.whole = isinstance(self.objective, WholeBatch)
        self.per_epoch = self.schedule.steps_per_epoch(self.n)
        self.total = self.per_epoch * self.schedule.epochs

    def sizes(self) -> list[int]:
        """Images of every global batch of an epoch."""
        size = self.schedule.batch_size
        return [min(size, self.n - i * size) for i in range(self.per_epoch)]

    def backward(self, batch: Batch, size: int) -> Any:
        """Accumulate the gradient of the mean loss over a global batch of ``size`` images.

        Out of memory: the micro-batch is halved, the gradient cleared and the step repeated.

        Returns:
            The mean loss over this process's images; a number on a CPU, elsewhere a scalar
            on the device, since asking for its value would make the device wait.
        """
        while True:
            try:
                return self._backward(batch, size)
            except RuntimeError as error:
                if not _out_of_memory(error) or self.accelerator.num_processes > 1:
                    raise
                share = min(self.micro, len(batch["index"]))
                if share <= 1:
                    raise TrainingError(
                        "memory ran out at one image per forward pass",
                        fix="use a smaller model or image size, or a device with more memory",
                    ) from error
                self.micro = math.ceil(share / 2)
            # Outside the handler, so that the failed pass's tensors are free to go.
            self.spread.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.run.say(
                step=self.step,
                micro_batch=self.micro,
                note=f"out of memory: micro-batch halved to {self.micro}, step repeated",
            )

    def _backward(self, batch: Batch, size: int) -> Any:
        if isinstance(self.objective, WholeBatch):
            mean: Any = cached_backward(
                self.objective, batch, micro=self.micro, size=size, accelerator=self.accelerator
            )
        else:
            mean = self._accumulate(batch, size)
        if self.accelerator.device.type == "cpu" and self.accelerator.num_processes == 1:
            mean = self.finite(mean)
        self.spread.reduce()
        return mean

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

    def _accumulate(self, batch: Batch, size: int) -> Any:
        parts = list(slices(batch, self.micro))
        if self.spread.even:
            most = math.ceil(math.ceil(size / self.accelerator.num_processes) / self.micro)
            parts += [{k: v[:0] for k, v in batch.items()}] * (most - len(parts))
        on_cpu = self.accelerator.device.type == "cpu"
        loss_sum: Any = 0.0
        for at, part in enumerate(parts):
            last = at == len(parts) - 1
            with self.spread.held(last=last), self.accelerator.autocast():
                loss = self.spread.module(part)
                # The average over processes of loss times share is the mean over the batch.
                share = len(part["index"]) * self.accelerator.num_processes / size
                self.accelerator.backward(loss * share)
            value = float(loss.detach()) if on_cpu else loss.detach()
            loss_sum = loss_sum + value * len(part["index"])
        return loss_sum / max(len(batch["index"]), 1)

    def update(self) -> float:
        """One optimiser step; returns the learning rate it used."""
        lr = learning_rate(self.schedule, self.step, total=self.total, per_epoch=self.per_epoch)
        optimizer = self.spread.optimizer
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        if self.schedule.clip is not None:
            self.spread.clip(self.schedule.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return lr


def train(
    objective: nn.Module,
    split: Split,
    transform: Transform,
    schedule: Schedule,
    *,
    seed: int = 0,
    run: RunContext | None = None,
    validate: Callable[[], float] | None = None,
    eval_mode: bool = False,
    after_step: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train ``objective`` in place on a split.

    Several processes (torchrun, accelerate launch) share every global batch and end with the same
    weights as one process would, to rounding.

    Args:
        objective: A module that maps a batch (image (b, 3, h, w), label (b,), index (b,), draw
            (b,)) to the mean loss over it (scalar). ``draw`` is a random number >= 0 of the image
            in this epoch, for what is drawn per image (a template, a caption). What has
            ``requires_grad`` trains. A :class:`~surefoot.gradient_cache.WholeBatch` gets its loss
            over the whole batch whatever ``micro_batch`` is.
        split: Training images.
        transform: Of the training images; its randomness is seeded per image and epoch.
        schedule: How long and how fast.
        seed: Of the order and the transforms. With the same seed a run on one device repeats.
        run: Device, log, checkpoints, progress; None: a plain run in memory.
        validate: Called after every epoch, in every process; its value (a fraction) is logged.
            ID validation only; nothing is chosen here.
        eval_mode: Keep the network in eval mode: BatchNorm statistics frozen, no dropout (LP-FT,
            second stage).
        after_step: Called after every optimiser step with the number of steps done, in every
            process (averages of the weights). What it keeps must lie in ``objective`` to be in
            the checkpoint.

    Returns:
        One row per epoch: epoch, step, loss, lr, images_per_second, val.

    Raises:
        TrainingError: The loss is not finite, memory ran out at one image, a checkpoint to
            resume from belongs to another training, or weights should be cut up over processes
            (FSDP) for an objective that needs them whole.
    """
    run = run or RunContext()
    cap_threads()
    accelerator = run.accelerator()
    place: Any = {"memory_format": torch.channels_last} if run.channels_last_on(accelerator) else {}
    objective.to(accelerator.device, **place)
    objective.train(not eval_mode)
    spreading = spread(objective, schedule, accelerator, run, watched=after_step is not None)
    share = math.ceil(schedule.batch_size / accelerator.num_processes)
    micro = min(schedule.micro_batch or share, share)
    loop = _Loop(spreading, schedule, run, micro, len(split))
    name = identity(schedule, split, seed, eval_mode)
    # Dropout and the like draw from a generator of this training's own.
    with torch.random.fork_rng(), _bar(loop) as bar:
        torch.manual_seed(seed + _APART * accelerator.process_index)
        rows = _restore(loop, name, seed)
        bar.update(len(split) * loop.epoch)
        for epoch in range(loop.epoch, schedule.epochs):
            spreading.train(not eval_mode)
            who = {"rank": accelerator.process_index, "world": accelerator.num_processes}
            order = _order(len(split), schedule, seed=seed, epoch=epoch, **who)
            loader = make_loader(
                split, transform, batches=order, seed=seed, epoch=epoch, workers=run.workers
            )
            row = _epoch(loop, loader, bar, seed=seed, after_step=after_step, place=place)
            loop.epoch = epoch + 1
            spreading.collect()
            if validate is not None:
                objective.eval()
                row["val"] = validate()
                bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val']:.3f}")
            rows.append(row)
            _keep(loop, name, rows)
    spreading.close()
    if place:
        objective.to(memory_format=torch.contiguous_format)
    objective.eval()
    accelerator.free_memory()
    return rows


_APART = 7919
"""Between the seeds of two processes' random layers; they see different images."""

_WAIT = 0.1
"""Share of an epoch that a device may wait for images before the log says so."""


def _epoch(
    loop: _Loop,
    loader: Any,
    bar: Any,
    *,
    seed: int,
    after_step: Callable[[int], None] | None,
    place: Mapping[str, Any],
) -> dict[str, Any]:
    """One pass; returns the epoch's row, with the seconds that the device waited for data."""
    began = waited_from = time.perf_counter()
    waited, lr = 0.0, 0.0
    loss_sum: Any = 0.0
    device = loop.accelerator.device
    for size, batch in zip(loop.sizes(), loader, strict=True):
        waited += time.perf_counter() - waited_from
        batch["draw"] = _draw(batch["index"], seed, loop.epoch)
        on_device = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        if place:
            on_device["image"] = on_device["image"].to(**place)
        loss = loop.backward(on_device, size)
        lr = loop.update()
        if after_step is not None:
            after_step(loop.step)
        own = size if loop.whole else len(batch["index"])
        loss_sum = loss_sum + loss * own
        bar.update(size)
        if loop.step % loop.run.log_every == 1:
            # Every process comes to the same verdict, so that none waits for one that gave up.
            value = loop.finite(loop.over_all(loss * own) / size)
            if loop.accelerator.is_main_process:
                loop.run.say(step=loop.step, epoch=loop.epoch, loss=value, lr=lr)
        waited_from = time.perf_counter()
    mean = loop.finite(loop.over_all(loss_sum) / loop.n)
    seconds = time.perf_counter() - began
    return {
        "epoch": loop.epoch + 1,
        "step": loop.step,
        "loss": mean,
        "lr": lr,
        "seconds": seconds,
        "images_per_second": loop.n / seconds,
        "data_wait_seconds": waited,
    }


def _keep(loop: _Loop, name: str, rows: list[dict[str, Any]]) -> None:
    """Log a finished epoch and write its checkpoint; the main process does."""
    path = loop.run.checkpoint_file()
    optimizer = loop.spread.optimizer_state() if path is not None else {}
    if loop.accelerator.is_main_process:
        row = rows[-1]
        loop.run.say(**row)
        idle = row["data_wait_seconds"] / max(row["seconds"], 1e-9)
        if idle > _WAIT and loop.accelerator.device.type != "cpu":
            loop.run.say(
                note=f"the device waited {100 * idle:.0f} % of epoch {row['epoch']} for images: "
                f"more --workers ({loop.run.workers} now) would keep it busy"
            )
        if path is not None:
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
            write_checkpoint(path, state)
    loop.accelerator.wait_for_everyone()


def _restore(loop: _Loop, name: str, seed: int) -> list[dict[str, Any]]:
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
    loop.spread.take_up()
    loop.spread.load_optimizer(state["optimizer"])
    loop.epoch, loop.step, loop.micro = state["epoch"], state["step"], state["micro"]
    if loop.accelerator.is_main_process:
        torch.set_rng_state(state["rng"])
        loop.run.say(note=f"resumed after epoch {loop.epoch} of {loop.schedule.epochs}")
    else:
        torch.manual_seed(seed + _APART * loop.accelerator.process_index + loop.epoch)
    rows: list[dict[str, Any]] = state["rows"]
    return rows


def _draw(index: Tensor, seed: int, epoch: int) -> Tensor:
    """One random number >= 0 for each image (b,), the same in any batch and process."""
    # The third key keeps it apart from the seeds of the transforms.
    return torch.from_numpy((mix(index.numpy(), seed, epoch, 1) >> np.uint64(1)).astype(np.int64))


def _bar(loop: _Loop) -> Any:
    """A bar with images per second and the time left, on stderr."""
    return tqdm(
        total=loop.n * loop.schedule.epochs,
        unit="img",
        desc=loop.run.stage or "train",
        disable=not (loop.run.progress and loop.accelerator.is_main_process),
        leave=False,
    )
