"""Losses: pure functions on tensors. float32 at least; float64 stays float64."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from .errors import TrainingError

__all__ = ["contrastive", "cross_entropy", "l2_to", "sigmoid_contrastive"]


def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats; 0 for no rows.

    Args:
        logits: (b, classes), any float type.
        labels: (b,) int64.
        label_smoothing: Mass spread evenly over all classes, in [0, 1).

    Returns:
        A scalar.
    """
    if not len(labels):  # a process without images in a short last batch: its mean would be NaN
        return _wide(logits).sum()
    return F.cross_entropy(_wide(logits), labels, label_smoothing=label_smoothing)


def contrastive(
    images: Tensor, texts: Tensor, scale: Tensor | float, *, positives: Tensor | None = None
) -> Tensor:
    """Symmetric InfoNCE, the mean of image-to-text and text-to-image, in nats.

    CLIP (arXiv 2103.00020, figure 3), which FLYP (arXiv 2212.00638, section 3) fine-tunes with.
    The i-th text is the only positive of the i-th image: another item of the same class counts as
    a negative, which is the paper's form. With ``positives`` the target of a row is spread evenly
    over all items of its group instead (supervised contrastive, arXiv 2004.11362, L_out).

    Args:
        images: Embeddings (b, d), normalised here.
        texts: Their texts (b, d), normalised here.
        scale: exp(logit_scale); cosines are multiplied by it.
        positives: (b,) integers; items with equal ones are each other's positives. None: each
            item is its own alone.

    Returns:
        A scalar.
    """
    logits = scale * cosines(images, texts)
    if positives is None:
        targets = torch.arange(len(images), device=images.device)
    else:
        equal = (positives[:, None] == positives[None, :]).to(logits.dtype)
        targets = equal / equal.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def sigmoid_contrastive(
    images: Tensor,
    texts: Tensor,
    scale: Tensor | float,
    bias: Tensor | float,
    *,
    positives: Tensor | None = None,
) -> Tensor:
    """Every pair is a yes-or-no question: SigLIP (arXiv 2303.15343, algorithm 1), in nats.

    Args:
        images: Embeddings (b, d), normalised here.
        texts: Their texts (b, d), normalised here.
        scale: exp(t'); cosines are multiplied by it.
        bias: Added to every logit; SigLIP starts it at -10.
        positives: As in :func:`contrastive`.

    Returns:
        The sum over all pairs divided by b, a scalar.
    """
    logits = scale * cosines(images, texts) + bias
    if positives is None:
        positives = torch.arange(len(images), device=images.device)
    yes = positives[:, None] == positives[None, :]
    return -F.logsigmoid(torch.where(yes, logits, -logits)).sum() / len(images)


def l2_to(reference: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    """The squared Euclidean distance to a reference: L2-SP's (arXiv 1802.01483, section 3.1).

    Args:
        reference: Name -> tensor; each must be in ``weights``.
        weights: Name -> tensor; names that the reference lacks are left out.

    Returns:
        sum over names of ||weights[name] - reference[name]||^2, a scalar.

    Raises:
        TrainingError: Nothing to compare, or a name or shape is missing in ``weights``.
    """
    wrong = [k for k, v in reference.items() if k not in weights or weights[k].shape != v.shape]
    if wrong or not reference:
        raise TrainingError(
            f"{len(wrong)} weights of the reference have no counterpart, {wrong[0]!r} for one"
            if wrong
            else "the reference holds no weights",
            expected="the names and shapes of one architecture on both sides",
        )
    distances = [(_wide(weights[k]) - _wide(v)).square().sum() for k, v in reference.items()]
    return torch.stack(distances).sum()


def cosines(images: Tensor, texts: Tensor) -> Tensor:
    """Cosines (b, c) of (b, d) and (c, d); never in half precision, also under autocast."""
    with torch.autocast(images.device.type, enabled=False):
        return F.normalize(_wide(images), dim=-1) @ F.normalize(_wide(texts), dim=-1).T


def _wide(values: Tensor) -> Tensor:
    """In float32, or float64 where they are in it."""
    return values if values.dtype == torch.float64 else values.float()
