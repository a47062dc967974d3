"""Arithmetic on weights: pure functions first, a value with operators second, files third."""

from __future__ import annotations

from .audit import audit, require_compatible
from .combine import (
    greedy_soup,
    model_stock,
    stock_ratios,
    task_arithmetic,
    uniform_soup,
)
from .files import merge_files, read_safetensors, write_safetensors
from .fingerprint import fingerprint
from .fisher import fisher_merge
from .lines import layer_depths, lines
from .ops import add, check_alpha, difference, lerp, mean, weighted_mean
from .tensor_file import TensorFile, open_tensors
from .ties import ties
from .weights import Weights

__all__ = [
    "TensorFile",
    "Weights",
    "add",
    "audit",
    "check_alpha",
    "difference",
    "fingerprint",
    "fisher_merge",
    "greedy_soup",
    "layer_depths",
    "lerp",
    "lines",
    "mean",
    "merge_files",
    "model_stock",
    "open_tensors",
    "read_safetensors",
    "require_compatible",
    "stock_ratios",
    "task_arithmetic",
    "ties",
    "uniform_soup",
    "weighted_mean",
    "write_safetensors",
]
