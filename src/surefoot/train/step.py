"""One optimiser step: the gradient of a global batch, part by part within memory; the update."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..context import RunContext, halved
from ..errors import TrainingError
from ..gradient_cache import WholeBatch, cached_backward, slices
from .distributed import Distributed
from .schedule import Schedule, learning_rate

__all__ = ["Batch", "Stepper"]

Batch = Mapping[str, Tensor]


@dataclass
class Stepper:
    """State of one training, between epochs."""

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

    def backward(self, batch: Batch, size: int, host: Batch | None = None) -> Any:
        """Accumulate the gradient of the mean loss over a global batch of ``size`` images.

        Out of memory: the micro-batch is halved, the gradient cleared and the step repeated.

        Args:
            batch: This process's share, on the device.
            size: Images of the global batch.
            host: The share as it was on the CPU, for objectives that look at its numbers.

        Returns:
            The mean loss over this process's images; a number on a CPU, elsewhere a scalar
            on the device, since asking for its value would make the device wait.
        """
        while True:
            try:
                return self._backward(batch, size, host)
            except RuntimeError as error:
                if self.accelerator.num_processes > 1:
                    raise
                self.micro = halved(error, min(self.micro, len(batch["index"])))
            # Outside the handler, so that the failed pass's tensors are free to go.
            self.distributed.optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.run.say(
                step=self.step,
                micro_batch=self.micro,
                note=f"out of memory: micro-batch halved to {self.micro}, step repeated",
            )

    def _backward(self, batch: Batch, size: int, host: Batch | None) -> Any:
        if isinstance(self.objective, WholeBatch):
            mean: Any = cached_backward(
                self.objective, batch, micro=self.micro, size=size, host=host,
                accelerator=self.accelerator,
            )  # fmt: skip
        else:
            mean = self._accumulate(batch, size)
        if self.accelerator.device.type == "cpu" and self.accelerator.num_processes == 1:
            mean = self.finite(mean)
        self.distributed.reduce()
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
        if self.distributed.even:
            most = math.ceil(math.ceil(size / self.accelerator.num_processes) / self.micro)
            parts += [{k: v[:0] for k, v in batch.items()}] * (most - len(parts))
        on_cpu = self.accelerator.device.type == "cpu"
        loss_sum: Any = 0.0
        for at, part in enumerate(parts):
            last = at == len(parts) - 1
            # The average over processes of loss times share is the mean over the batch.
            share = len(part["index"]) * self.accelerator.num_processes / size
            with self.distributed.no_sync(last=last):
                with self.accelerator.autocast():
                    loss = self.distributed.module(part)
                self.accelerator.backward(loss * share)  # each gradient in its tensor's precision
            value = float(loss.detach()) if on_cpu else loss.detach()
            loss_sum = loss_sum + value * len(part["index"])
        return loss_sum / max(len(batch["index"]), 1)

    def update(self) -> float:
        """One optimiser step; returns the learning rate it used."""
        lr = learning_rate(self.schedule, self.step, total=self.total, per_epoch=self.per_epoch)
        optimizer = self.distributed.optimizer
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        if self.schedule.clip is not None:
            self.distributed.clip(self.schedule.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return lr
