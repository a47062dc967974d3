"""How long, how fast, in which order, with what optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import TrainingError
from ..models.blocks import layer_scales
from ..optim import SGDSPD, AdamSPD

__all__ = ["Plan", "Schedule", "epoch_order", "learning_rate", "make_optimizer"]

_FUSED_ON = ("cpu", "cuda")
"""Devices on which torch updates a whole tensor in one pass, and on which that was tried."""


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
        decayed: What weight decay pulls: "all" that trains, as the code of WiSE-FT, LP-FT and FLYP
            has it, or "matrices": not norms, biases and scalars (fewer than two dimensions), as
            timm and open_clip have it.
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

    Example:
        >>> sf.Schedule(epochs=2, lr=1e-5).steps_per_epoch(1000)
        2
    """

    epochs: int = 10
    batch_size: int = 512
    lr: float = 3e-5
    optimizer: Literal["adamw", "sgd", "adam_spd", "sgd_spd"] = "adamw"
    weight_decay: float = 0.1
    decayed: Literal["all", "matrices"] = "all"
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


def epoch_order(
    n: int, schedule: Schedule, *, seed: int, epoch: int, rank: int, world: int
) -> list[NDArray[np.int64]]:
    """This process's share of every global batch of one epoch.

    The order depends on (seed, epoch) alone, so several processes see together what one would.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    batches = [order[i : i + schedule.batch_size] for i in range(0, n, schedule.batch_size)]
    return [np.array_split(batch, world)[rank] for batch in batches]


class Plan:
    """(epoch, indices) of every batch of some epochs; an epoch's order is drawn when it begins."""

    def __init__(
        self, n: int, schedule: Schedule, *, seed: int, epochs: range, rank: int, world: int
    ) -> None:
        self.n, self.schedule, self.seed, self.epochs = n, schedule, seed, epochs
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return len(self.epochs) * self.schedule.steps_per_epoch(self.n)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        who = {"rank": self.rank, "world": self.world}
        for epoch in self.epochs:
            for batch in epoch_order(self.n, self.schedule, seed=self.seed, epoch=epoch, **who):
                yield epoch, batch


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


def make_optimizer(module: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """The schedule's optimiser over everything in ``module`` that has ``requires_grad``.

    Adam and AdamW are fused where torch has that for the device: each number is read and written
    once. SGD is not: torch's fused one fails where a tensor gets its first gradient later than
    others (a prompt's, a temperature's).

    Raises:
        TrainingError: Nothing has.
        ModelError: ``layer_decay`` is below 1 and the module holds no Model.
    """
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
    if s.decayed == "matrices":
        pull = "projection" if s.optimizer.endswith("spd") else "weight_decay"
        groups = [part for group in groups for part in _apart(group, pull)]
    fused = all(p.device.type in _FUSED_ON for p in trained)
    adam: dict[str, Any] = {"lr": s.lr, "betas": s.betas, "eps": s.eps, "fused": fused}
    if s.optimizer == "adam_spd":
        return AdamSPD(groups, projection=s.weight_decay, **adam)
    if s.optimizer == "sgd_spd":
        return SGDSPD(groups, lr=s.lr, projection=s.weight_decay, momentum=s.momentum)
    if s.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=s.weight_decay, **adam)


def _apart(group: dict[str, Any], pull: str) -> list[dict[str, Any]]:
    """A group of parameters in two: matrices and above, and what is not pulled."""
    pulled = [p for p in group["params"] if p.ndim > 1]
    free = [p for p in group["params"] if p.ndim < 2]
    halves = [{**group, "params": pulled}, {**group, "params": free, pull: 0.0}]
    return [half for half in halves if half["params"]]


def _groups(module: nn.Module, trained: list[nn.Parameter], decay: float) -> list[Any]:
    """Parameter groups by depth, each with its factor of the learning rate."""
    scales = layer_scales(module, decay)
    by_scale: dict[float, list[nn.Parameter]] = {}
    for parameter in trained:
        by_scale.setdefault(scales.get(parameter, 1.0), []).append(parameter)
    return [{"params": ps, "lr_scale": scale} for scale, ps in sorted(by_scale.items())]
