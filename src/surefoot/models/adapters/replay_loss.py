"""Replay as in continual learning, our reading: stay close to the pretrained encoder's tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..model import Model
from .sites import Sites, find_sites
from .token_replay import Replay

__all__ = ["features_and_replay_loss", "without_replay"]


@contextmanager
def without_replay(encoder: nn.Module) -> Iterator[None]:
    """The encoder as it was pretrained, for a while."""
    replays = [m for m in encoder.modules() if isinstance(m, Replay)]
    before = [replay.off for replay in replays]
    try:
        for replay in replays:
            replay.off = True
        yield
    finally:
        for replay, off in zip(replays, before, strict=True):
            replay.off = off


def features_and_replay_loss(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features, and how far the output tokens have gone from the pretrained encoder's.

    Replay in the sense of continual learning, our reading: the tokens after the last block, CLS
    and patches, each normalised over its channels, should stay what the pretrained encoder makes
    of the same image; mean squared difference. They are computed anew for each augmented image
    rather than stored, which gives the same numbers.

    Args:
        model: With token replay adapters.
        images: (b, 3, h, w).

    Returns:
        Features (b, d), and the loss (scalar), 0 while the gates are 0.
    """
    sites = find_sites(model.encoder, name=model.spec.name)
    with _last_tokens(sites) as tuned:
        features = model.features(images)
    with torch.no_grad(), without_replay(model.encoder), _last_tokens(sites) as kept:
        model.features(images)
    now, before = (nn.functional.layer_norm(t[0], t[0].shape[-1:]) for t in (tuned, kept))
    return features, nn.functional.mse_loss(now.float(), before.float())


@contextmanager
def _last_tokens(sites: Sites) -> Iterator[list[Tensor]]:
    """Collects the tokens (b, n, d) after the last block; of two passes, the second's."""
    seen: list[Tensor] = []

    def note(stack: nn.Module, args: Any, output: Tensor) -> None:
        seen[:] = [output]

    handle = sites.stack.register_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
