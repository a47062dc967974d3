"""Selective Projection Decay: pull back to where training began, but only where it is called for.

Tian, Huang and Kira, "Rethinking weight decay for robust fine-tuning of foundation models",
NeurIPS 2024, arXiv 2411.01713, sections 3.1 to 3.3. For each tensor by itself (a layer's weight, a
bias): let theta_0 be its value when training begins, g its gradient, theta and theta' its values
before and after the optimiser's own step. If c = -<g, theta - theta_0> is negative, the way gone
so far is one that the gradient wants to undo, and

    theta' <- theta' - lambda r (theta' - theta_0),
    r = (||theta' - theta_0|| - ||theta - theta_0||) / ||theta' - theta_0||, cut to [0, 1].

At lambda = 1 this is the projection onto the ball around theta_0 in which theta lay; above 1 it
shrinks the ball. Where c >= 0 the tensor moves freely. The first step is always free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SGDSPD", "AdamSPD"]

_START = "spd_start"
"""Key of theta_0 in the optimiser's state, so that a checkpoint holds it."""


class _Selective(torch.optim.Optimizer):
    """Adds the projection to the optimiser that follows in the order of bases.

    Args:
        params: Parameters, or groups of them; each group may have a ``projection`` of its own.
        projection: lambda, >= 0; the paper tunes it around 1. It takes the place of weight decay.
        **settings: Of the optimiser.
    """

    def __init__(self, params: Any, *, projection: float, **settings: Any) -> None:
        if not projection >= 0:
            raise ValueError(f"projection is {projection}; it must be 0 or more")
        if settings.get("weight_decay"):
            raise ValueError("weight_decay pulls to zero; SPD's pull to the start replaces it")
        super().__init__(params, **settings)
        self.defaults["projection"] = projection
        for group in self.param_groups:
            group.setdefault("projection", projection)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of the optimiser, then the projection of those tensors that it applies to."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [(p, g["projection"]) for g in self.param_groups for p in g["params"]
                  if p.grad is not None]  # fmt: skip
        # theta_0 is noted at a tensor's first gradient: until then nothing has moved it.
        starts: list[Tensor] = []
        for parameter, _ in moving:
            start = self.state[parameter].get(_START) if parameter in self.state else None
            starts.append(parameter.detach().clone() if start is None else start)
        # What is needed from before the step are two numbers per tensor, so nothing is copied.
        before = [_measure(p, s) for (p, _), s in zip(moving, starts, strict=True)]
        super().step()
        for (parameter, projection), start, (against, radius) in zip(
            moving, starts, before, strict=True
        ):
            self.state[parameter][_START] = start
            now = torch.linalg.vector_norm(parameter - start)
            ratio = ((now - radius) / now).nan_to_num(0.0).clamp(0.0, 1.0)
            # Zero where the condition fails: then lerp leaves every bit as it is.
            share = torch.where(against, projection * ratio, torch.zeros_like(ratio))
            parameter.lerp_(start, share.to(parameter.dtype))
        return loss


def _measure(parameter: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Does the gradient disagree with the way gone (bool), and how long is that way; scalars."""
    way = parameter - start
    assert parameter.grad is not None
    return (parameter.grad * way).sum() > 0, torch.linalg.vector_norm(way)


class AdamSPD(_Selective, torch.optim.Adam):
    """Adam with selective projection decay (arXiv 2411.01713, algorithm 1)."""


class SGDSPD(_Selective, torch.optim.SGD):
    """SGD with momentum and selective projection decay, which the paper allows for."""
