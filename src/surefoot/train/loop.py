"""The training loop: one, in sight, for every method.

A method hands in a module that maps a batch to a loss; everything else (order, schedule, mixed
precision, accumulation, checkpoints, memory, several processes) is here. A loss that needs the
whole batch at once goes through :mod:`surefoot.gradient_cache`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..context import RunContext, cap_threads, halved
from ..data.dataset import Split
from ..data.loading import make_loader
from ..data.rng import mix
from ..gradient_cache import WholeBatch, cached_backward, slices
from ..transforms import Transform
from .checkpoint import Training, identity, keep, own_seed, restore
from .distributed import distribute
from .epoch_log import DataStall, EpochLog, advice
from .schedule import Plan, Schedule, learning_rate

__all__ = ["Batch", "backward", "train", "update"]

Batch = Mapping[str, Tensor]


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
        validate: Called after every epoch (unless ``run.validate`` is off), in every process; its
            value (a fraction) is logged. ID validation only; nothing is chosen here.
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
    layout: Any = (
        {"memory_format": torch.channels_last}
        if run.channels_last_on(accelerator.device, objective)
        else {}
    )
    objective.to(accelerator.device, **layout)
    objective.train(not eval_mode)
    distributed = distribute(objective, schedule, accelerator, run, watched=after_step is not None)
    share = math.ceil(schedule.batch_size / accelerator.num_processes)
    micro = min(schedule.micro_batch or share, share)
    loop = Training(distributed, schedule, run, micro, len(split))
    epoch_log = EpochLog()
    name = identity(schedule, split, seed, eval_mode)
    # Dropout and the like draw from a generator of this training's own.
    with torch.random.fork_rng(), _bar(loop) as bar:
        torch.manual_seed(own_seed(seed, accelerator.process_index))
        rows = restore(loop, name, seed)
        bar.update(len(split) * loop.epoch)
        left = range(loop.epoch, schedule.epochs)
        batches = _batches(loop, split, transform, left, seed)
        for epoch in left:
            distributed.train(not eval_mode)
            row = _epoch(loop, batches, bar, seed=seed, after_step=after_step, layout=layout)
            loop.epoch = epoch + 1
            distributed.collect()
            if validate is not None and run.validate:
                objective.eval()
                row["val"] = validate()
                bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val']:.3f}")
            rows.append(row)
            _log(loop, row, epoch_log)
            keep(loop, name, rows)
    distributed.close()
    if layout:
        objective.to(memory_format=torch.contiguous_format)
    objective.eval()
    if accelerator.device.type != "cpu" or accelerator.num_processes > 1:
        # This looks through all objects of the process for cycles (0.4 s); elsewhere what is left
        # of a training lies in none.
        accelerator.free_memory()
    return rows


def _batches(
    loop: Training, split: Split, transform: Transform, epochs: range, seed: int
) -> Iterator[dict[str, Tensor]]:
    """This process's share of every batch of all epochs that are left.

    One loader for all: its workers start once, and read on into the next epoch while this one is
    validated and saved.
    """
    rank, world = loop.accelerator.process_index, loop.accelerator.num_processes
    plan = Plan(len(split), loop.schedule, seed=seed, epochs=epochs, rank=rank, world=world)
    workers, device = loop.run.workers, loop.accelerator.device
    return iter(
        make_loader(split, transform, batches=plan, seed=seed, workers=workers, device=device)
    )


def _epoch(
    loop: Training,
    batches: Iterator[dict[str, Tensor]],
    bar: Any,
    *,
    seed: int,
    after_step: Callable[[int], None] | None,
    layout: Mapping[str, Any],
) -> dict[str, Any]:
    """One pass; returns the epoch's row, with the seconds that the device waited for data."""
    began, lr = time.perf_counter(), 0.0
    loss_sum: Any = 0.0
    device = loop.accelerator.device
    stall = DataStall(device)
    for size, batch in zip(loop.sizes(), islice(batches, loop.per_epoch), strict=True):
        stall.end()
        batch["draw"] = _draw(batch["index"], seed, loop.epoch)
        on_device = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        if layout:
            on_device["image"] = on_device["image"].to(**layout)
        loss = backward(loop, on_device, size, host=batch)
        lr = update(loop)
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
        stall.begin()
    mean = loop.finite(loop.over_all(loss_sum) / loop.n)
    seconds = time.perf_counter() - began
    return {
        "epoch": loop.epoch + 1,
        "step": loop.step,
        "loss": mean,
        "lr": lr,
        "seconds": seconds,
        "images_per_second": loop.n / seconds,
        "data_wait_seconds": stall.seconds(),
    }


def backward(loop: Training, batch: Batch, size: int, host: Batch | None = None) -> Any:
    """Accumulate the gradient of the mean loss over a global batch of ``size`` images.

    Out of memory: the micro-batch is halved, the gradient cleared and the step repeated.

    Args:
        loop: The training; its micro-batch may become smaller.
        batch: This process's share, on the device.
        size: Images of the global batch.
        host: The share as it was on the CPU, for objectives that look at its numbers.

    Returns:
        The mean loss over this process's images; a number on a CPU, elsewhere a scalar
        on the device, since asking for its value would make the device wait.
    """
    while True:
        try:
            return _gradient(loop, batch, size, host)
        except RuntimeError as error:
            if loop.accelerator.num_processes > 1:
                raise
            loop.micro = halved(error, min(loop.micro, len(batch["index"])))
        # Outside the handler, so that the failed pass's tensors are free to go.
        loop.distributed.optimizer.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        loop.run.say(
            step=loop.step,
            micro_batch=loop.micro,
            note=f"out of memory: micro-batch halved to {loop.micro}, step repeated",
        )


def _gradient(loop: Training, batch: Batch, size: int, host: Batch | None) -> Any:
    if isinstance(loop.objective, WholeBatch):
        mean: Any = cached_backward(
            loop.objective, batch, micro=loop.micro, size=size, host=host,
            accelerator=loop.accelerator,
        )  # fmt: skip
    else:
        mean = _accumulate(loop, batch, size)
    if loop.accelerator.device.type == "cpu" and loop.accelerator.num_processes == 1:
        mean = loop.finite(mean)
    loop.distributed.reduce()
    return mean


def _accumulate(loop: Training, batch: Batch, size: int) -> Any:
    parts = list(slices(batch, loop.micro))
    if loop.distributed.even:
        most = math.ceil(math.ceil(size / loop.accelerator.num_processes) / loop.micro)
        parts += [{k: v[:0] for k, v in batch.items()}] * (most - len(parts))
    on_cpu = loop.accelerator.device.type == "cpu"
    loss_sum: Any = 0.0
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        # The average over processes of loss times share is the mean over the batch.
        share = len(part["index"]) * loop.accelerator.num_processes / size
        with loop.distributed.no_sync(last=last):
            with loop.accelerator.autocast():
                loss = loop.distributed.module(part)
            loop.accelerator.backward(loss * share)  # each gradient in its tensor's precision
        value = float(loss.detach()) if on_cpu else loss.detach()
        loss_sum = loss_sum + value * len(part["index"])
    return loss_sum / max(len(batch["index"]), 1)


def update(loop: Training) -> float:
    """One optimiser step; returns the learning rate it used."""
    lr = learning_rate(loop.schedule, loop.step, total=loop.total, per_epoch=loop.per_epoch)
    optimizer = loop.distributed.optimizer
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    if loop.schedule.clip is not None:
        loop.distributed.clip(loop.schedule.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loop.step += 1
    return lr


def _log(loop: Training, row: Mapping[str, Any], epoch_log: EpochLog) -> None:
    if not loop.accelerator.is_main_process:
        return
    loop.run.say(**row)
    epoch_log.epoch(loop, row)
    note = advice(row, loop.run.workers, loop.accelerator.device)
    if note is not None:
        loop.run.say(note=note)


def _draw(index: Tensor, seed: int, epoch: int) -> Tensor:
    """One random number >= 0 for each image (b,), the same in any batch and process."""
    # The third key keeps it apart from the seeds of the transforms.
    return torch.from_numpy((mix(index.numpy(), seed, epoch, 1) >> np.uint64(1)).astype(np.int64))


def _bar(loop: Training) -> Any:
    """A bar with images per second and the time left, on stderr."""
    return tqdm(
        total=loop.n * loop.schedule.epochs,
        unit="img",
        desc=loop.run.stage or "train",
        disable=not (loop.run.progress and loop.accelerator.is_main_process),
        leave=False,
    )
