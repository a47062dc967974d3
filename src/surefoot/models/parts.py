"""What the loading modules hand to each other: the bare parts of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .heads import Head
from .model import Model, ModelSpec, TextTower

__all__ = ["Parts", "Shared"]


@dataclass
class Parts:
    """The modules of a model before they have a spec.

    Attributes:
        encoder: Images (b, 3, h, w) -> features (b, d).
        feature_dim: d.
        text: Text tower, or None.
        logit_scale: Logarithm of the temperature, scalar, or None.
    """

    encoder: nn.Module
    feature_dim: int
    text: TextTower | None = None
    logit_scale: Tensor | None = None

    def model(self, spec: ModelSpec, head: Head | None = None) -> Model:
        """The Model of these parts, in evaluation mode."""
        return Model(
            self.encoder,
            spec=spec,
            feature_dim=self.feature_dim,
            head=head,
            text=self.text,
            logit_scale=self.logit_scale,
        ).eval()


class Shared:
    """Holds an object that every copy of a module may use, such as a tokenizer."""

    def __init__(self) -> None:
        self.value: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self
