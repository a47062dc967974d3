"""A builder record -> the bare modules that it describes, without any weights from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from ..errors import ModelError
from .adapters.insertion import from_record
from .model import Head, Model, ModelSpec, TextTower

__all__ = ["KINDS", "Parts", "build"]

KINDS: dict[str, str] = {
    "open_clip": "surefoot.models.open_clip.towers",
    "timm": "surefoot.models.timm.encoder",
    "hf": "surefoot.models.hf.towers",
    "tiny-clip": "surefoot.models.tiny",
    "tiny-dino": "surefoot.models.tiny",
    "ensemble": "surefoot.models.pairs",
    "side": "surefoot.models.pairs",
}
"""Builder kind -> the module whose ``build`` knows it."""


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


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The modules of a builder record, with fresh weights.

    Args:
        builder: ``spec.builder``: ``{"kind": ..., ...}``; the kind's module owns the other keys,
            but for ``adapter``: what is inserted into the encoder (``models.adapters``).
        files: Text files that travel with a saved model (a tokenizer), name -> content.

    Raises:
        ModelError: The kind is not known, or the adapter cannot be inserted.
    """
    kind = builder.get("kind")
    if kind not in KINDS:
        raise ModelError(
            f"a model of the kind {kind!r} cannot be built",
            expected=f"one of {', '.join(sorted(KINDS))}",
            fix="update surefoot, or load the weights with architecture=...",
        )
    module = import_module(KINDS[kind])
    parts: Parts = module.build(builder, files=files)
    if (adapter := builder.get("adapter")) is not None:
        from_record(adapter).attach(parts.encoder, name=str(kind))
    return parts
