"""The Model: image encoder + head + (optional) text tower + transforms + its own logit scale."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..transforms import TransformSpec
from .heads import Head
from .record import ModelRecord

__all__ = ["Model", "ModelSpec", "TextTower"]


@dataclass(frozen=True)
class ModelSpec:
    """What a model is, apart from its numbers; goes through JSON unchanged.

    Attributes:
        name: Short name for tables and plots ("tiny-clip", "ViT-B-16/openai").
        source: What ``surefoot.load`` was given, so that the start of a run can be had again.
        builder: What rebuilds the bare module: ``{"kind": "timm", "name": ..., ...}``. Each
            loading module names its kind and owns the keys.
        transform: How images become tensors, for training and for evaluation.
        normalize: The head works on l2-normalised features (contrastive models) or on raw ones.
        saw_text: The image encoder was trained with text; None where nothing says.
        licence: Licence of the weights, "unknown" where the source does not say.
        notes: Facts for the report, one sentence each (a card, a reading, a warning).
        record: What the weights want and where that was read; None for what surefoot ships with,
            and what older versions wrote.
    """

    name: str
    source: str
    builder: Mapping[str, Any]
    transform: TransformSpec
    normalize: bool
    saw_text: bool | None
    licence: str = "unknown"
    notes: tuple[str, ...] = ()
    record: ModelRecord | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        plain = asdict(replace(self, record=None))
        del plain["record"]
        return plain if self.record is None else {**plain, "record": self.record.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSpec:
        """The inverse of :meth:`to_json`."""
        fields = dict(data)
        fields["transform"] = TransformSpec.from_json(fields["transform"])
        fields["notes"] = tuple(fields.get("notes", ()))
        record = fields.get("record")
        fields["record"] = None if record is None else ModelRecord.from_json(record)
        return cls(**fields)


class TextTower(nn.Module, ABC):
    """A text encoder with its tokenizer."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> token ids (n, context), int64, on the CPU."""

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (n, context) -> embeddings (n, d), not normalised."""

    def encode(self, texts: Sequence[str], *, batch_size: int = 256) -> Tensor:
        """Texts -> l2-normalised embeddings (n, d), without gradients."""
        device = next(self.parameters()).device
        parts = []
        with torch.no_grad():
            for at in range(0, len(texts), batch_size):
                tokens = self.tokenize(texts[at : at + batch_size]).to(device)
                parts.append(nn.functional.normalize(self(tokens).float(), dim=-1))
        return torch.cat(parts)


class Model(nn.Module):
    """An image classifier in three parts, each of which may be missing but the first.

    Args:
        encoder: Images (b, 3, h, w) -> features (b, d), not normalised.
        spec: What it is.
        feature_dim: d.
        head: Features -> logits, or none yet.
        text: The text tower, for models trained with language.
        logit_scale: The learnt temperature, as a logarithm (scalar); the zero-shot head and the
            contrastive loss multiply by its exponential. Never a literal 100.

    Example:
        >>> model
        Model(small CLIP: 32,856 weights in the encoder, no head, text tower)
        >>> model.features(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 24])
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        spec: ModelSpec,
        feature_dim: int,
        head: Head | None = None,
        text: TextTower | None = None,
        logit_scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.spec = spec
        self.feature_dim = feature_dim
        self.head = head
        self.text = text
        if logit_scale is None:
            self.logit_scale: nn.Parameter | None = None
        else:
            self.logit_scale = nn.Parameter(logit_scale.detach().clone().float().reshape(()))

    def __repr__(self) -> str:
        numbers = sum(p.numel() for p in self.encoder.parameters())
        head = "no head" if self.head is None else f"{self.head.kind} head of {len(self.head.bias)}"
        text = ", text tower" if self.text is not None else ""
        return f"Model({self.spec.name}: {numbers:,} weights in the encoder, {head}{text})"

    def features(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> features (b, d) as the encoder gives them."""
        features: Tensor = self.encoder(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> logits (b, classes).

        Raises:
            ModelError: The model has no head.
        """
        logits: Tensor = self.require_head()(self.features(images))
        return logits

    def require_head(self) -> Head:
        """The head.

        Raises:
            ModelError: There is none.
        """
        if self.head is None:
            raise ModelError(
                f"{self.spec.name} has no classification head",
                expected="a zero-shot head (needs a text tower) or a trained one",
                fix="fit a method (lp, ft, lp-ft) or evaluate it with kNN (--evaluator knn)",
            )
        return self.head

    def require_text(self, why: str) -> TextTower:
        """The text tower.

        Raises:
            ModelError: There is none.
        """
        if self.text is None:
            raise ModelError(
                f"{self.spec.name} has no text tower, and {why} needs one",
                expected="a model trained with language (tiny-clip, open_clip:..., hf CLIP)",
                fix="choose such a model, or a random head, a linear probe or kNN",
            )
        return self.text

    def scale(self) -> float:
        """exp(logit_scale), or 1 for a model without one."""
        return 1.0 if self.logit_scale is None else float(self.logit_scale.detach().exp())

    def with_head(self, head: Head | None) -> Model:
        """A copy with another head; nothing is shared with this model."""
        other = self.clone()
        other.head = copy.deepcopy(head)
        return other

    def with_spec(self, **changes: Any) -> Model:
        """A copy whose spec has these fields changed."""
        other = self.clone()
        other.spec = replace(self.spec, **changes)
        return other

    def clone(self) -> Model:
        """A deep copy that shares no tensor with this model."""
        return copy.deepcopy(self)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.encoder.parameters()).device
