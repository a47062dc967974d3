"""Losses: pure functions on tensors."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["cross_entropy"]


def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats.

    Args:
        logits: (b, classes), any float type; computed in float32.
        labels: (b,) int64.
        label_smoothing: Mass spread evenly over all classes, in [0, 1).

    Returns:
        A scalar.
    """
    return F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
