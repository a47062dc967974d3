"""An objective as it computes: alone, copied to every process (DDP), or cut up over them (FSDP).

Each process sees its share of a global batch and weights its loss so that the average over
processes is the mean over the batch, also when shares are unequal or empty.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ..context import RunContext
from ..errors import TrainingError
from ..gradient_cache import WholeBatch
from ..models.blocks import block_names
from .schedule import Schedule, make_optimizer

__all__ = ["Distributed", "distribute"]


class Distributed:
    """One process, or several with a copy each.

    Attributes:
        objective: What the caller handed in; holds the trained weights after :meth:`collect`.
        module: What is called.
        optimizer: Over ``module``'s parameters.
        even: Whether every process must make the same number of forward passes per step.
    """

    even = False

    def __init__(
        self, objective: nn.Module, schedule: Schedule, accelerator: Accelerator, run: RunContext
    ) -> None:
        self.objective, self.accelerator = objective, accelerator
        self.optimizer = accelerator.prepare(make_optimizer(objective, schedule))
        # DDP wants one forward pass per step and the same trained part throughout; objectives for
        # which that is not so have their gradients averaged by hand.
        self.by_hand = getattr(objective, "reduce_by_hand", False)
        self.module = objective if self.by_hand else accelerator.prepare(objective)
        self.undo: Callable[[], None] = lambda: None
        if run.compile is True:
            self._compile(run.compile_backend)

    def _compile(self, backend: str) -> None:
        # Only what is called is wrapped: names of weights and checkpoints stay as they are.
        if isinstance(self.objective, WholeBatch):
            whole: Any = self.objective
            whole.embed = torch.compile(whole.embed, backend=backend)
            self.undo = lambda: whole.__dict__.pop("embed")
        else:
            self.module = torch.compile(self.module, backend=backend)

    def trained(self) -> list[nn.Parameter]:
        """The parameters that the optimiser moves."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def train(self, mode: bool) -> None:
        """Training or eval mode of what is called."""
        self.objective.train(mode)
        self.module.train(mode)

    def no_sync(self, *, last: bool) -> Any:
        """Around a part of a step: gradients travel after the last one only."""
        if last or self.by_hand:
            return contextlib.nullcontext()
        return self.accelerator.no_sync(getattr(self.module, "_orig_mod", self.module))

    def reduce(self) -> None:
        """Average the gradients over processes, where no hook has done so."""
        if not self.by_hand or self.accelerator.num_processes == 1:
            return
        for parameter in self.objective.parameters():
            if parameter.grad is not None:
                parameter.grad = self.accelerator.reduce(parameter.grad, "mean")

    def clip(self, norm: float) -> None:
        """Scale the gradient down to a norm."""
        self.accelerator.clip_grad_norm_(self.trained(), norm)

    def collect(self) -> None:
        """Bring the trained weights into ``objective``; all processes call it."""

    def take_up(self) -> None:
        """The other way: ``objective`` was loaded anew."""

    def optimizer_state(self) -> dict[str, Any]:
        """The optimiser's state in full; all processes call it."""
        state: dict[str, Any] = self.optimizer.state_dict()
        return state

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`optimizer_state` gave."""
        self.optimizer.load_state_dict(state)

    def close(self) -> None:
        """Leave ``objective`` as an ordinary module on its device."""
        self.undo()


class _Sharded(Distributed):
    """Weights, gradients and optimiser state cut up over the processes, by ``fully_shard``.

    FSDP: Zhao et al., arXiv 2304.11277. The plain objective waits on the CPU and gets the weights
    at the end of every epoch, for validation and checkpoint.
    """

    even = True

    def __init__(
        self, objective: nn.Module, schedule: Schedule, accelerator: Accelerator, run: RunContext
    ) -> None:
        self.objective, self.accelerator, self.by_hand = objective, accelerator, False
        self.module = copy.deepcopy(objective)
        objective.to("cpu")
        mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
        inside = dict(self.module.named_modules())
        # A scalar (a temperature) cannot be cut; every process keeps it, and its gradient is
        # averaged by hand.
        self.kept_whole = {p for p in self.module.parameters() if p.ndim == 0}
        for name in block_names(self.module):
            fully_shard(inside[name], mesh=mesh, ignored_params=self.kept_whole)
        fully_shard(self.module, mesh=mesh, ignored_params=self.kept_whole)
        self.optimizer = make_optimizer(self.module, schedule)
        self.undo = lambda: None
        if run.compile is True:
            self.module.compile(backend=run.compile_backend)

    def no_sync(self, *, last: bool) -> Any:
        assert isinstance(self.module, FSDPModule)
        self.module.set_requires_gradient_sync(last)
        return contextlib.nullcontext()

    def reduce(self) -> None:
        for parameter in self.kept_whole:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.accelerator.num_processes

    def clip(self, norm: float) -> None:
        torch.nn.utils.clip_grad_norm_(self.trained(), norm)

    def collect(self) -> None:
        theirs = dict(self.module.named_parameters())
        with torch.no_grad():
            for name, parameter in self.objective.named_parameters():
                parameter.copy_(_full(theirs[name].detach()))
            buffers = dict(self.module.named_buffers())
            for name, buffer in self.objective.named_buffers():
                # As DDP does: the main process's running statistics are everybody's.
                dist.broadcast(buffers[name], src=0)
                buffer.copy_(buffers[name])
        self.objective.to(self.accelerator.device)

    def take_up(self) -> None:
        whole = dict(self.objective.named_parameters())
        device = self.accelerator.device
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(_cut(whole[name].to(device), parameter))
            for name, buffer in self.module.named_buffers():
                buffer.copy_(dict(self.objective.named_buffers())[name])

    def train(self, mode: bool) -> None:
        super().train(mode)
        if mode or self.accelerator.device.type != "cpu":
            self.objective.to("cpu")  # makes room for the epoch

    def optimizer_state(self) -> dict[str, Any]:
        state = self.optimizer.state_dict()
        whole = {i: {k: _full(v) for k, v in row.items()} for i, row in state["state"].items()}
        return {**state, "state": whole}

    def load_optimizer(self, state: dict[str, Any]) -> None:
        every = [p for group in self.optimizer.param_groups for p in group["params"]]
        cut = {
            i: {k: _cut(v, every[i]) for k, v in row.items()} for i, row in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": cut})

    def close(self) -> None:
        self.objective.to(self.accelerator.device)


def _full(value: Any) -> Any:
    """A tensor that is cut up, whole again; anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _cut(value: Any, like: Tensor) -> Any:
    """A whole tensor, cut up as ``like`` is; anything of another shape as it is."""
    if not (isinstance(value, Tensor) and isinstance(like, DTensor) and value.shape == like.shape):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def distribute(
    objective: nn.Module,
    schedule: Schedule,
    accelerator: Accelerator,
    run: RunContext,
    *,
    watched: bool,
) -> Distributed:
    """Wrap an objective for the processes that there are.

    Args:
        objective: On its device.
        schedule: Chooses the optimiser.
        accelerator: Knows the processes.
        run: Says whether to cut up weights, and to compile.
        watched: Whether something looks at the objective after every step.

    Raises:
        TrainingError: The weights should be cut up, and this objective, optimiser or precision
            needs them whole.
    """
    if not run.shards() or accelerator.num_processes == 1:
        return Distributed(objective, schedule, accelerator, run)
    needs = None
    if getattr(objective, "reduce_by_hand", False) or not getattr(objective, "shardable", False):
        needs = f"the loss of {type(objective).__name__}"
    elif watched:
        needs = "averaging weights after every step"
    elif schedule.optimizer not in ("adamw", "sgd"):
        needs = f"the optimiser {schedule.optimizer}"
    elif accelerator.mixed_precision == "fp16":
        needs = "scaling the loss for fp16"
    if needs is not None:
        raise TrainingError(
            f"{needs} needs whole weights, and FSDP cuts them up over the processes",
            expected="a plain fine-tuning loss (ft, lp-ft, film, lora ...) with adamw or sgd, in "
            "fp32 or bf16",
            fix="launch without FSDP: every process then holds a copy (DDP)",
        )
    return _Sharded(objective, schedule, accelerator, run)
