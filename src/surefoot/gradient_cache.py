"""Gradient caching: losses that need the whole batch, in the memory of a part of it.

A contrastive loss compares every item with every other, so its batch cannot be cut into parts
whose gradients are added up. GradCache (Gao et al., arXiv 2101.06983, section 3) cuts at the
embeddings instead: embed the parts without a graph; take the loss of all embeddings and its
gradient with respect to them; embed each part again, with a graph, and send that gradient
through it. The result is the gradient of the whole batch, for one more forward pass.

The second pass must repeat the first: random layers (dropout) are given the state that they had,
and BatchNorm's running statistics move in the second pass only. A BatchNorm layer that trains in
training mode still normalises each part by its own statistics, as it does in plain accumulation.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["WholeBatch", "cached_backward", "slices"]

Batch = Mapping[str, Tensor]
Embeddings = tuple[Tensor, ...]


class WholeBatch(nn.Module, ABC):
    """An objective whose loss needs every item of a batch at once.

    Attributes:
        micro: Items per part in the step that runs; the loop sets it. What else an objective
            encodes (prompts) it may split the same way.
        host: The columns of the whole batch on the CPU, where numbers can be looked at without
            waiting for the device; the loop sets it. None where they are not at hand, as with
            several processes.
        reduce_by_hand: Gradients of several processes are averaged after the step, not by hooks
            during it.
    """

    reduce_by_hand = True
    micro: int | None = None
    host: Batch | None = None

    @abstractmethod
    def embed(self, part: Batch) -> Embeddings:
        """A part of a batch -> embeddings, each (b, ...), one row per item."""

    @abstractmethod
    def loss(self, embeddings: Embeddings, batch: Batch) -> Tensor:
        """Embeddings of the whole batch, and its columns but ``image`` -> mean loss, a scalar.

        Parameters may be used here directly (the temperature, a text tower).
        """

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch in one go."""
        return self.loss(self.embed(batch), batch)


def slices(batch: Batch, size: int) -> Iterator[Batch]:
    """Parts of a batch of ``size`` items; a batch without items is one part."""
    for at in range(0, max(len(batch["index"]), 1), size):
        yield {name: column[at : at + size] for name, column in batch.items()}


def cached_backward(
    objective: WholeBatch,
    batch: Batch,
    *,
    micro: int,
    size: int,
    accelerator: Any,
    host: Batch | None = None,
) -> Any:
    """Add the gradient of the loss over a global batch to the parameters.

    Args:
        objective: What is trained; not wrapped.
        batch: This process's share.
        micro: Items per forward pass.
        size: Items of the global batch, over all processes.
        accelerator: Precision, loss scaling and processes.
        host: The same share's columns on the CPU, if they are there.

    Returns:
        The loss: a number on a CPU, elsewhere a scalar on the device, since asking for its value
        would make the device wait.
    """
    objective.micro = micro
    alone = host is not None and accelerator.num_processes == 1
    objective.host = {k: v for k, v in (host or {}).items() if k != "image"} if alone else None
    parts = list(slices(batch, micro))
    if len(parts) == 1 and accelerator.num_processes == 1:
        with accelerator.autocast():
            whole = objective(batch)
        accelerator.backward(whole)
        return _value(whole, accelerator)
    states, embedded = [], []
    with torch.no_grad(), _statistics_held(objective):
        for part in parts:
            states.append(_random_state(accelerator.device))
            with accelerator.autocast():
                embedded.append(objective.embed(part))
    own = [torch.cat(rows).detach() for rows in zip(*embedded, strict=True)]
    columns = {name: column for name, column in batch.items() if name != "image"}
    leaves = [_gathered(e, size, accelerator).requires_grad_() for e in own]
    columns = {name: _gathered(c, size, accelerator) for name, c in columns.items()}
    with accelerator.autocast():
        loss = objective.loss(tuple(leaves), columns)
    accelerator.backward(loss)
    at = _offset(size, accelerator)
    for part, state in zip(parts, states, strict=True):
        with _repeated(state, accelerator.device), accelerator.autocast():
            again = objective.embed(part)
        end = at + len(part["index"])
        # Every process adds its own images alone; the mean over processes must be their sum.
        pairs = [
            (e, leaf.grad[at:end] * accelerator.num_processes)
            for e, leaf in zip(again, leaves, strict=True)
            if e.requires_grad and leaf.grad is not None
        ]
        if pairs:
            torch.autograd.backward([e for e, _ in pairs], [g for _, g in pairs])
        at = end
    return _value(loss, accelerator)


def _value(loss: Tensor, accelerator: Any) -> Any:
    return float(loss.detach()) if accelerator.device.type == "cpu" else loss.detach()


def _shares(size: int, world: int) -> list[int]:
    """Items of each process, as ``numpy.array_split`` deals them."""
    return [size // world + (rank < size % world) for rank in range(world)]


def _offset(size: int, accelerator: Any) -> int:
    shares = _shares(size, accelerator.num_processes)
    return sum(shares[: accelerator.process_index])


def _gathered(values: Tensor, size: int, accelerator: Any) -> Tensor:
    """The rows (n, ...) of all processes, in order, as (size, ...)."""
    world = accelerator.num_processes
    if world == 1:
        return values
    shares = _shares(size, world)
    missing = shares[0] - len(values)
    padded = torch.cat([values, values.new_zeros((missing, *values.shape[1:]))])
    every = accelerator.gather(padded)
    kept = [every[r * shares[0] : r * shares[0] + n] for r, n in enumerate(shares)]
    return torch.cat(kept)


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_device


@contextlib.contextmanager
def _repeated(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Inside, random layers draw what they drew at ``state``; outside nothing is changed."""
    cpu, on_device = state
    with torch.random.fork_rng(devices=[device] if on_device is not None else []):
        torch.set_rng_state(cpu)
        if on_device is not None:
            torch.cuda.set_rng_state(on_device, device)
        yield


@contextlib.contextmanager
def _statistics_held(module: nn.Module) -> Iterator[None]:
    """Inside, BatchNorm normalises as it does in training and its statistics stay."""
    norms = [
        m
        for m in module.modules()
        if isinstance(m, nn.modules.batchnorm._NormBase) and m.training and m.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
