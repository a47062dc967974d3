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
from .merging import Accuracy, Merged, merge
from .ops import add, check_alpha, difference, lerp, mean, weighted_mean
from .rulebook import MERGE_METHODS, make_rule
from .rules import Lerp, LinesRule, Mean, Rule, TaskArithmetic
from .rules_scanned import FisherRule, ModelStockRule, Ties
from .tensor_file import TensorFile, open_tensors
from .ties import ties
from .virtual import Virtual, is_virtual, materialise, read_virtual, write_virtual
from .weights import Weights

__all__ = [
    "MERGE_METHODS",
    "Accuracy",
    "FisherRule",
    "Lerp",
    "LinesRule",
    "Mean",
    "Merged",
    "ModelStockRule",
    "Rule",
    "TaskArithmetic",
    "TensorFile",
    "Ties",
    "Virtual",
    "Weights",
    "add",
    "audit",
    "check_alpha",
    "difference",
    "fingerprint",
    "fisher_merge",
    "greedy_soup",
    "is_virtual",
    "layer_depths",
    "lerp",
    "lines",
    "make_rule",
    "materialise",
    "mean",
    "merge",
    "merge_files",
    "model_stock",
    "open_tensors",
    "read_safetensors",
    "read_virtual",
    "require_compatible",
    "stock_ratios",
    "task_arithmetic",
    "ties",
    "uniform_soup",
    "weighted_mean",
    "write_safetensors",
    "write_virtual",
]
