"""The Model: image encoder + head + (optional) text tower + transforms + its own logit scale."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import DataError, ModelError
from .record import ModelSpec

__all__ = ["Head", "HeadKind", "Model", "ModelSpec", "TextTower"]

HeadKind = Literal["zero_shot", "linear"]


class Head(nn.Module):
    """logits = W f + b, on l2-normalised features where ``normalize`` says so.

    The bias is always there, so that a zero-shot head (bias 0) and a trained one have the same
    parameters and can be interpolated.

    Args:
        weight: (classes, d).
        bias: (classes,), zeros when left out.
        normalize: l2-normalise the features first, at run time.
        class_names: One name per row.
        kind: Where the rows come from.

    Example:
        >>> sf.Head(torch.eye(3), normalize=True, class_names=("a", "b", "c"))
        Head(linear: 3 classes, 3 features, normalised features)
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        normalize: bool,
        class_names: Sequence[str],
        kind: HeadKind = "linear",
    ) -> None:
        super().__init__()
        if weight.ndim != 2 or len(class_names) != weight.shape[0]:
            raise DataError(
                f"a head of shape {tuple(weight.shape)} cannot serve {len(class_names)} classes",
                expected="one row per class name: (classes, d)",
            )
        bias = torch.zeros_like(weight[:, 0]) if bias is None else bias
        self.weight = nn.Parameter(weight.detach().clone().float())
        self.bias = nn.Parameter(bias.detach().clone().float())
        self.normalize = normalize
        self.class_names = tuple(class_names)
        self.kind: HeadKind = kind
        self.eval()  # made for a model in eval mode; training puts it in training mode like all

    def __repr__(self) -> str:
        classes, width = self.weight.shape
        normalised = ", normalised features" if self.normalize else ""
        return f"Head({self.kind}: {classes} classes, {width} features{normalised})"

    def ordered(self, class_names: Sequence[str]) -> Head:
        """The same head with its rows in another order of the same names; itself where they agree.

        Raises:
            DataError: Other names, or one twice.
        """
        names = tuple(class_names)
        if names == self.class_names:
            return self
        if not self.serves(names):
            raise DataError(
                f"a head for {', '.join(self.class_names[:8])} has no order {', '.join(names[:8])}",
                expected="the same class names, each once",
            )
        rows = [self.class_names.index(name) for name in names]
        weight, bias = self.weight[rows], self.bias[rows]
        return Head(weight, bias, normalize=self.normalize, class_names=names, kind=self.kind)

    def serves(self, class_names: Sequence[str]) -> bool:
        """Whether it is for these classes, in this order or another."""
        names = tuple(class_names)
        distinct = len(set(names)) == len(names)
        return names == self.class_names or (distinct and sorted(names) == sorted(self.class_names))

    def inputs(self, features: Tensor) -> Tensor:
        """Features (b, d) as the linear layer sees them."""
        return nn.functional.normalize(features, dim=-1) if self.normalize else features

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, d) -> logits (b, classes)."""
        return nn.functional.linear(self.inputs(features), self.weight, self.bias)


class _Shared:
    """Holds an object that every copy of a module may use."""

    value: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Shared:
        return self


class TextTower(nn.Module, ABC):
    """A text encoder with its tokenizer.

    Args:
        files: Of its tokenizer, name -> content, where they travel with the model.
    """

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._files = dict(files or {})
        self.shared = _Shared()  # a copy of the model needs no copy of the vocabulary

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, made on first use.

        Raises:
            ModelError: There is none, or it cannot be read.
            DownloadUnavailable: It lives on the hub, is not cached, and there is no network.
        """
        if self.shared.value is None:
            self.shared.value = self.make_tokenizer()
        return self.shared.value

    def make_tokenizer(self) -> Any:
        """What :attr:`tokenizer` is, for towers that :meth:`tokenize` with one."""

    @property
    def files(self) -> dict[str, str]:
        """The tokenizer's files, name -> content; empty where the model's kind tells it."""
        return self._files

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

    @property
    def logit_offset(self) -> nn.Parameter | None:
        """The learnt bias of a sigmoid loss (SigLIP's b), a parameter of this tower.

        None where the tower was pretrained by another loss. open_clip and transformers both call
        it ``logit_bias``; no ranking of classes needs it.
        """
        named = self.named_parameters()
        return next((p for n, p in named if n.rpartition(".")[2] == "logit_bias"), None)


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
