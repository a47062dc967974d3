"""One hash that names a set of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["fingerprint", "raw_bytes"]


def fingerprint(weights: Mapping[str, Tensor] | nn.Module) -> str:
    """sha256 over names, dtypes, shapes and bytes, in the order of the sorted names.

    The device, strides, sharing and insertion order do not matter; every bit of every value does
    (-0.0 is not 0.0).

    Args:
        weights: name -> tensor, or a module, whose ``state_dict`` is taken.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> sf.weights.fingerprint(start) == sf.weights.fingerprint({"w": start["w"].clone()})
        True
    """
    tensors = weights.state_dict() if isinstance(weights, nn.Module) else weights
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        if not isinstance(tensor, Tensor):  # a module's extra state is not weights
            continue
        head = f"{name}\x1f{str(tensor.dtype).removeprefix('torch.')}\x1f{tuple(tensor.shape)}"
        digest.update(f"{head}\x1e".encode())
        digest.update(raw_bytes(tensor))
    return digest.hexdigest()


def raw_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor in row-major order; copied only where it must be."""
    if not tensor.numel():  # of numpy's, which have no stride that a view as bytes could take
        return memoryview(b"")
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    data: memoryview = flat.view(torch.uint8).numpy().data
    return data
