"""Arithmetic on weights: pure functions first, a value with operators second, files third."""

from __future__ import annotations

from .audit import audit, require_compatible
from .files import merge_files, read_safetensors, write_safetensors
from .fingerprint import fingerprint
from .ops import add, check_alpha, difference, lerp, mean, weighted_mean
from .tensor_file import TensorFile, open_tensors
from .weights import Weights

__all__ = [
    "TensorFile",
    "Weights",
    "add",
    "audit",
    "check_alpha",
    "difference",
    "fingerprint",
    "lerp",
    "mean",
    "merge_files",
    "open_tensors",
    "read_safetensors",
    "require_compatible",
    "weighted_mean",
    "write_safetensors",
]
