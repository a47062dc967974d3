"""The straight path between two models, and what is found along it (arXiv 2109.01903)."""

from __future__ import annotations

from .adaptive import AdaptiveSweep, adaptive_sweep
from .heads import Prompts
from .path import BatchNormPolicy, HeadPolicy, Path
from .sweeping import alpha_grid, output_ensemble, sweep

__all__ = [
    "AdaptiveSweep",
    "BatchNormPolicy",
    "HeadPolicy",
    "Path",
    "Prompts",
    "adaptive_sweep",
    "alpha_grid",
    "output_ensemble",
    "sweep",
]
