"""Forward and backward in pieces, each on a thread of its own.

On a machine that others use too, splitting every matrix product over the cores makes all of them
wait for the slowest one, thousands of times a step; splitting the batch makes them wait twice.
The loss needs all features at once, so a step has three parts, as in GradCache
(arXiv 2101.06983, without its second forward pass): features of all pieces; loss and its gradient
by the features; backward of all pieces. Gradients are summed in a fixed order, so a step is
deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


class Pieces:
    """Runs the pieces of a batch in parallel.

    Args:
        module: Holds the parameters that get gradients.
        threads: Pieces at a time on CPUs; on a GPU one thread does all.
        device: Type of the device, "cpu" or "cuda".
    """

    def __init__(self, module: nn.Module, *, threads: int, device: str) -> None:
        torch.set_num_threads(1 if device == "cpu" else threads)
        self.device = device
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.pool = ThreadPoolExecutor(
            threads if device == "cpu" else 1, initializer=torch.set_num_threads, initargs=(1,)
        )

    def step(
        self, calls: Sequence[Callable[[], Tensor]], loss_of: Callable[[list[Tensor]], Tensor]
    ) -> float:
        """Fill ``.grad`` of every parameter and return the loss.

        Args:
            calls: Each gives features (b_i, d) of its piece.
            loss_of: The loss of all features, in the order of the calls.
        """
        outputs = list(self.pool.map(self._forward, calls))
        leaves = [o.detach().requires_grad_() for o in outputs]
        loss = loss_of(leaves)
        loss.backward()
        parts = self.pool.map(self._backward, outputs, [leaf.grad for leaf in leaves])
        for part in parts:
            for parameter, grad in zip(self.parameters, part, strict=True):
                if grad is not None:
                    parameter.grad = grad if parameter.grad is None else parameter.grad.add_(grad)
        return float(loss.detach())

    def _forward(self, call: Callable[[], Tensor]) -> Tensor:
        with torch.enable_grad(), torch.autocast(self.device, dtype=torch.bfloat16):
            return call().float()

    def _backward(self, output: Tensor, grad: Tensor) -> tuple[Tensor | None, ...]:
        return torch.autograd.grad(output, self.parameters, grad, allow_unused=True)
