"""The straight path between two models, and what is found along it (arXiv 2109.01903)."""

from __future__ import annotations

from ..evals.zero_shot import Prompts
from .heads import HeadPolicy
from .path import BatchNormPolicy, Path
from .sweeping import alpha_grid, output_ensemble, sweep

__all__ = [
    "BatchNormPolicy",
    "HeadPolicy",
    "Path",
    "Prompts",
    "alpha_grid",
    "output_ensemble",
    "sweep",
]
