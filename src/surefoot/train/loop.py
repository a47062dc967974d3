"""The training loop: one, in sight, for every method.

A method hands in a module that maps a batch to a loss; everything else (order, schedule, mixed
precision, accumulation, checkpoints, memory, several processes) is here. A loss that needs the
whole batch at once goes through :mod:`surefoot.gradient_cache`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from .context import RunContext, cap_threads
from .data.dataset import Split
from .data.loading import make_loader
from .data.rng import mix
from .errors import TrainingError
from .gradient_cache import WholeBatch, cached_backward, slices
from .models.blocks import layer_scales
from .optim import SGDSPD, AdamSPD
from .transforms import Transform

__all__ = ["Batch", "Schedule", "learning_rate", "train"]

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long, how fast and with what optimiser.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per optimiser step, over all processes together.
        lr: Peak learning rate.
        optimizer: "adamw", "sgd", or one of them with selective projection decay (SPD, arXiv
            2411.01713) in the place of weight decay: "adam_spd", "sgd_spd".
        weight_decay: Decoupled for AdamW, L2 for SGD. For SPD its lambda, of another size: 1
            stops a tensor from going further from where it began wherever its gradient disagrees.
        betas: Of Adam.
        eps: Of Adam.
        momentum: Of SGD.
        warmup_steps: Steps of linear warm-up; None: 500, or a tenth of all steps if that is less.
        decay: "cosine" (every step), "cosine_epoch" (steps down once an epoch, as LP-FT's code
            does) or "constant".
        clip: Largest norm of the gradient; None: no clipping.
        micro_batch: Images per forward pass and process; None: the process's whole share of a
            batch. Gradients are accumulated, so results do not depend on it but for rounding.
        label_smoothing: In [0, 1).
        layer_decay: Each layer below the last has this times the learning rate of the one above
            it (BEiT, arXiv 2106.08254, appendix H; ELECTRA's for language); the head has ``lr``.
            1: the same for all.
    """

    epochs: int = 10
    batch_size: int = 512
    lr: float = 3e-5
    optimizer: Literal["adamw", "sgd", "adam_spd", "sgd_spd"] = "adamw"
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    momentum: float = 0.9
    warmup_steps: int | None = None
    decay: Literal["cosine", "cosine_epoch", "constant"] = "cosine"
    clip: float | None = 1.0
    micro_batch: int | None = None
    label_smoothing: float = 0.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        positive = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr}
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be above 0")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ValueError(f"micro_batch is {self.micro_batch}; it must be at least 1")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay is {self.layer_decay}; it must be in (0, 1]")

    def steps_per_epoch(self, n: int) -> int:
        """Optimiser steps over n images; a short last batch counts."""
        return math.ceil(n / self.batch_size)

    def warmup(self, total: int) -> int:
        """Steps of warm-up out of ``total``."""
        return min(500, total // 10) if self.warmup_steps is None else self.warmup_steps


def learning_rate(schedule: Schedule, step: int, *, total: int, per_epoch: int) -> float:
    """The learning rate of one step, counted from 0.

    Linear warm-up to ``lr``, then a half cosine to 0 over the rest (WiSE-FT's code; Loshchilov
    and Hutter, arXiv 1608.03983, without restarts).
    """
    warmup = schedule.warmup(total)
    if step < warmup:
        return schedule.lr * (step + 1) / warmup
    if schedule.decay == "constant":
        return schedule.lr
    at = step if schedule.decay == "cosine" else step // per_epoch * per_epoch
    share = max(at - warmup, 0) / max(total - warmup, 1)
    return schedule.lr * 0.5 * (1 + math.cos(math.pi * share))


def _optimizer(module: nn.Module, schedule: Schedule, *, fused: bool) -> torch.optim.Optimizer:
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise TrainingError(
            "nothing is left to train: every parameter is frozen",
            expected="at least one parameter with requires_grad",
        )
    s = schedule
    groups: list[Any] = [{"params": trained}]
    if s.layer_decay < 1:
        groups = _groups(module, trained, s.layer_decay)
    common: dict[str, Any] = {"lr": s.lr, "fused": fused}
    adam: dict[str, Any] = {"betas": s.betas, "eps": s.eps, **common}
    if s.optimizer == "adam_spd":
        return AdamSPD(groups, projection=s.weight_decay, **adam)
    if s.optimizer == "sgd_spd":
        return SGDSPD(groups, projection=s.weight_decay, momentum=s.momentum, **common)
    if s.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=s.momentum, weight_decay=s.weight_decay, **common)
    return torch.optim.AdamW(groups, weight_decay=s.weight_decay, **adam)


def _groups(module: nn.Module, trained: list[nn.Parameter], decay: float) -> list[Any]:
    """Parameter groups by depth, each with its factor of the learning rate."""
    scales = layer_scales(module, decay)
    by_scale: dict[float, list[nn.Parameter]] = {}
    for parameter in trained:
        by_scale.setdefault(scales.get(parameter, 1.0), []).append(parameter)
    return [{"params": ps, "lr_scale": scale} for scale, ps in sorted(by_scale.items())]


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

    objective: nn.Module
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    schedule: Schedule
    run: RunContext
    micro: int
    total: int
    per_epoch: int
    step: int = 0
    epoch: int = 0

    def backward(self, batch: Batch, size: int) -> float:
        """Accumulate the gradient of the mean loss over a global batch of ``size`` images.

        Out of memory: the micro-batch is halved, the gradient cleared and the step repeated.
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
            self.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.run.say(
                step=self.step,
                micro_batch=self.micro,
                note=f"out of memory: micro-batch halved to {self.micro}, step repeated",
            )

    def _backward(self, batch: Batch, size: int) -> float:
        if isinstance(self.objective, WholeBatch):
            mean = cached_backward(
                self.objective, batch, micro=self.micro, size=size, accelerator=self.accelerator
            )
        else:
            mean = self._accumulate(batch, size)
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss is {mean} at step {self.step}",
                expected="a finite number",
                fix="lower the learning rate, keep gradient clipping on, or check the start's "
                "weights with `surefoot check`",
            )
        if self.accelerator.num_processes > 1 and getattr(self.objective, "reduce_by_hand", False):
            self._reduce()
        return mean

    def _accumulate(self, batch: Batch, size: int) -> float:
        parts = list(slices(batch, self.micro))
        loss_sum = 0.0
        for at, part in enumerate(parts):
            last = at == len(parts) - 1
            held = contextlib.nullcontext() if last else self.accelerator.no_sync(self.objective)
            with held, self.accelerator.autocast():
                loss = self.objective(part)
                # DDP averages over processes; weighting by world / size makes the sum over
                # processes the mean over the global batch, also when shares are unequal.
                share = len(part["index"]) * self.accelerator.num_processes / size
                self.accelerator.backward(loss * share)
            loss_sum += float(loss.detach()) * len(part["index"])
        return loss_sum / max(len(batch["index"]), 1)

    def _reduce(self) -> None:
        """Average the gradients over processes, where no hook of DDP has done so."""
        for parameter in self.objective.parameters():
            if parameter.grad is not None:
                parameter.grad = self.accelerator.reduce(parameter.grad, "mean")

    def update(self) -> float:
        """One optimiser step; returns the learning rate it used."""
        lr = learning_rate(self.schedule, self.step, total=self.total, per_epoch=self.per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        if self.schedule.clip is not None:
            self.accelerator.clip_grad_norm_(
                [p for p in self.objective.parameters() if p.requires_grad], self.schedule.clip
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
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
        validate: Called after every epoch on the main process; its value (a fraction) is logged.
            ID validation only; nothing is chosen here.
        eval_mode: Keep the network in eval mode: BatchNorm statistics frozen, no dropout (LP-FT,
            second stage).
        after_step: Called after every optimiser step with the number of steps done, in every
            process (averages of the weights). What it keeps must lie in ``objective`` to be in
            the checkpoint.

    Returns:
        One row per epoch: epoch, step, loss, lr, images_per_second, val.

    Raises:
        TrainingError: The loss is not finite, memory ran out at one image, or a checkpoint to
            resume from belongs to another training.
    """
    run = run or RunContext()
    cap_threads()
    accelerator = run.accelerator()
    rank, world = accelerator.process_index, accelerator.num_processes
    objective.to(accelerator.device)
    objective.train(not eval_mode)
    fused = accelerator.device.type == "cuda"
    optimizer = accelerator.prepare(_optimizer(objective, schedule, fused=fused))
    # DDP wants one forward pass per step and the same trained part throughout; objectives for
    # which that is not so have their gradients averaged by hand.
    by_hand = getattr(objective, "reduce_by_hand", False)
    prepared = objective if by_hand else accelerator.prepare(objective)
    per_epoch = schedule.steps_per_epoch(len(split))
    share = math.ceil(schedule.batch_size / world)
    loop = _Loop(
        prepared,
        optimizer,
        accelerator,
        schedule,
        run,
        micro=min(schedule.micro_batch or share, share),
        total=per_epoch * schedule.epochs,
        per_epoch=per_epoch,
    )
    identity = _identity(schedule, split, seed, eval_mode)
    # Dropout and the like draw from a generator of this training's own.
    with torch.random.fork_rng(), _bar(loop, run, len(split)) as bar:
        torch.manual_seed(seed)
        rows = _restore(loop, objective, identity)
        bar.update(len(split) * loop.epoch)
        for epoch in range(loop.epoch, schedule.epochs):
            objective.train(not eval_mode)
            batches = _order(len(split), schedule, seed=seed, epoch=epoch, rank=rank, world=world)
            sizes = [
                min(schedule.batch_size, len(split) - i * schedule.batch_size)
                for i in range(per_epoch)
            ]
            loader = make_loader(
                split, transform, batches=batches, seed=seed, epoch=epoch, workers=run.workers
            )
            row = _epoch(loop, loader, sizes, bar, seed=seed, after_step=after_step)
            loop.epoch = epoch + 1
            if validate is not None and accelerator.is_main_process:
                objective.eval()
                row["val"] = validate()
                bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val']:.3f}")
            rows.append(row)
            if accelerator.is_main_process:
                run.say(**row)
                _save(loop, objective, identity, rows)
            accelerator.wait_for_everyone()
    objective.eval()
    accelerator.free_memory()
    return rows


def _epoch(
    loop: _Loop,
    loader: Any,
    sizes: list[int],
    bar: Any,
    *,
    seed: int,
    after_step: Callable[[int], None] | None,
) -> dict[str, Any]:
    """One pass; returns the epoch's row, with the seconds that the device waited for data."""
    began = waited_from = time.perf_counter()
    waited = loss_sum = 0.0
    seen, lr = 0, 0.0
    for size, batch in zip(sizes, loader, strict=True):
        waited += time.perf_counter() - waited_from
        batch["draw"] = _draw(batch["index"], seed, loop.epoch)
        on_device = {k: v.to(loop.accelerator.device, non_blocking=True) for k, v in batch.items()}
        loss = loop.backward(on_device, size)
        lr = loop.update()
        if after_step is not None:
            after_step(loop.step)
        loss_sum, seen = loss_sum + loss * size, seen + size
        bar.update(size)
        if loop.step % loop.run.log_every == 1 and loop.accelerator.is_main_process:
            loop.run.say(step=loop.step, epoch=loop.epoch, loss=loss, lr=lr)
        waited_from = time.perf_counter()
    seconds = time.perf_counter() - began
    return {
        "epoch": loop.epoch + 1,
        "step": loop.step,
        "loss": loss_sum / seen,
        "lr": lr,
        "seconds": seconds,
        "images_per_second": seen / seconds,
        "data_wait_seconds": waited,
    }


def _draw(index: Tensor, seed: int, epoch: int) -> Tensor:
    """One random number >= 0 for each image (b,), the same in any batch and process."""
    # The third key keeps it apart from the seeds of the transforms.
    return torch.from_numpy((mix(index.numpy(), seed, epoch, 1) >> np.uint64(1)).astype(np.int64))


def _bar(loop: _Loop, run: RunContext, n: int) -> Any:
    """A bar with images per second and the time left, on stderr."""
    shown = run.progress and loop.accelerator.is_main_process
    return tqdm(
        total=n * loop.schedule.epochs,
        unit="img",
        desc=run.stage or "train",
        disable=not shown,
        leave=False,
    )


def _identity(schedule: Schedule, split: Split, seed: int, eval_mode: bool) -> str:
    """Names a training, so that a checkpoint of another one is not taken up."""
    plain = {**asdict(schedule), "micro_batch": None}
    text = json.dumps([plain, len(split), split.name, seed, eval_mode], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _save(loop: _Loop, objective: nn.Module, identity: str, rows: list[dict[str, Any]]) -> None:
    """Write the checkpoint of a finished epoch: temporary file, fsync, rename."""
    path = loop.run.checkpoint_file()
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    state = {
        "identity": identity,
        "objective": objective.state_dict(),
        "optimizer": loop.optimizer.state_dict(),
        "epoch": loop.epoch,
        "step": loop.step,
        "micro": loop.micro,
        "rng": torch.get_rng_state(),
        "rows": rows,
    }
    with open(partial, "wb") as out:
        torch.save(state, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)


def _restore(loop: _Loop, objective: nn.Module, identity: str) -> list[dict[str, Any]]:
    """Take up the checkpoint of this stage where there is one and the run asks for it."""
    path = loop.run.checkpoint_file()
    if path is None or not loop.run.resume or not path.is_file():
        return []
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["identity"] != identity:
        raise TrainingError(
            f"the checkpoint {path} belongs to another training (schedule, data or seed differ)",
            fix="resume with the same recipe, or start anew in another folder",
        )
    objective.load_state_dict(state["objective"])
    loop.optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    loop.epoch, loop.step, loop.micro = state["epoch"], state["step"], state["micro"]
    loop.run.say(note=f"resumed after epoch {loop.epoch} of {loop.schedule.epochs}")
    rows: list[dict[str, Any]] = state["rows"]
    return rows
