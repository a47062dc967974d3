"""The straight path between two models, and what is found along it (arXiv 2109.01903)."""

from __future__ import annotations

from .heads import Prompts
from .path import BatchNormPolicy, HeadPolicy, Path
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
