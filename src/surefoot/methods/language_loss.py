"""The objective of language supervision: projected features against fixed text embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.caption_table import CaptionTable
from ..gradient_cache import Batch, Embeddings, WholeBatch
from ..losses import contrastive
from ..models.adapters import features_and_replay_loss
from ..models.model import Model

__all__ = ["Alignment"]

_LOWEST, _HIGHEST = 0.001, 0.5
"""Where the learnt temperature stays; CLIP's own clip of the scale at 100 is a temperature of
0.01 (arXiv 2103.00020, section 2.5)."""


class Alignment(WholeBatch):
    """Symmetric InfoNCE between images and embeddings of their captions.

    Args:
        model: What has ``requires_grad`` in it trains.
        table: The captions of the training split.
        texts: (u, d), the embeddings of ``table.texts``; fixed.
        temperature: Where the learnt temperature starts.
        multi_positive: Captions of one group are positives of each other.
        replay_loss: Weight of the replay loss, for models with token replay adapters.
        seed: Of the projection.
    """

    table: Tensor
    rows: Tensor
    starts: Tensor
    groups: Tensor

    def __init__(
        self,
        model: Model,
        table: CaptionTable,
        texts: NDArray[np.float32],
        *,
        temperature: float,
        multi_positive: bool,
        replay_loss: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.multi_positive, self.replay_loss = multi_positive, replay_loss
        self.projection = _linear(model.feature_dim, texts.shape[1], seed)
        # The logarithm of the scale less its start: weight decay pulls to the start, not to 1.
        self.start = -math.log(temperature)
        self.delta = nn.Parameter(torch.zeros(()))
        # Not in checkpoints: they follow from the captions.
        held: dict[str, NDArray[Any]] = {
            "table": texts,
            "rows": table.rows,
            "starts": table.starts,
            "groups": table.groups,
        }
        for name, values in held.items():
            self.register_buffer(name, torch.from_numpy(values.copy()), persistent=False)

    @property
    def scale(self) -> Tensor:
        """1 / temperature, a scalar."""
        return (self.start + self.delta).exp()

    def embed(self, part: Batch) -> Embeddings:
        """Images (b, 3, h, w) -> projected features (b, d), and their replay loss (b,) if any."""
        if not self.replay_loss:
            return (self.projection(self.model.features(part["image"])),)
        features, drift = features_and_replay_loss(self.model, part["image"])
        return self.projection(features), drift.expand(len(features))

    def captions(self, index: Tensor, draw: Tensor) -> Tensor:
        """Images (b,) and random numbers (b,) -> the caption (b,) of each that is drawn."""
        first = self.starts[index]
        return self.rows[first + draw % (self.starts[index + 1] - first)]

    def loss(self, embeddings: Embeddings, batch: Batch) -> Tensor:
        """Projected features (b, d), and index (b,) and draw (b,) -> scalar, nats."""
        drawn = self.captions(batch["index"], batch["draw"])
        loss = contrastive(
            embeddings[0],
            self.table[drawn],
            self.scale,
            positives=self.groups[drawn] if self.multi_positive else None,
        )
        return loss + self.replay_loss * embeddings[1].mean() if self.replay_loss else loss

    def clamp_(self, step: int = 0) -> None:
        """Bring the temperature back into its bounds; called after every step."""
        with torch.no_grad():
            self.delta.clamp_(-math.log(_HIGHEST) - self.start, -math.log(_LOWEST) - self.start)


def _linear(width: int, out: int, seed: int) -> nn.Linear:
    """The projection: a normal of 1 / sqrt(width), bias 0."""
    # Its own draw would move torch's global random numbers.
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, width, out)  # type: ignore[no-untyped-call]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(out, width, generator=generator) * width**-0.5)
        layer.bias.zero_()
    return layer
