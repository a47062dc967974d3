"""Heads: how features become logits. Zero-shot, linear, random or zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ..errors import DataError

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Head", "HeadKind", "random_head", "zero_shot_head", "zeros_head"]

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
        if sorted(names) != sorted(self.class_names) or len(set(names)) < len(names):
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


def zero_shot_head(
    model: Model,
    prompt_names: Sequence[str],
    templates: Sequence[str],
    *,
    class_names: Sequence[str] | None = None,
) -> Head:
    """The classifier that the text tower writes (CLIP, arXiv 2103.00020, section 3.1.4).

    Each class name is put in every template, encoded, l2-normalised, averaged over templates,
    normalised again, and multiplied once by the model's own exp(logit_scale).

    Args:
        model: A model with a text tower.
        prompt_names: How each class is called inside a prompt.
        templates: Sentences with one ``{}`` for the name.
        class_names: What the head's rows are called; ``prompt_names`` when left out.

    Returns:
        A head (classes, d) that normalises the image features.

    Raises:
        ModelError: The model has no text tower.
        DataError: A template has no ``{}``, or there is none.

    Example:
        >>> sf.zero_shot_head(model, ["cat", "dog"], ["a photo of a {}."])
        Head(zero_shot: 2 classes, 24 features, normalised features)
    """
    text = model.require_text("a zero-shot head")
    wrong = [t for t in templates if "{}" not in t]
    if wrong or not templates:
        raise DataError(
            f"the prompt template {wrong[0]!r} has no place for the class name"
            if wrong
            else "there is no prompt template",
            expected="sentences with one {} each, such as 'a photo of a {}.'",
        )
    prompts = [t.replace("{}", name) for name in prompt_names for t in templates]
    embedded = text.encode(prompts)
    mean = embedded.reshape(len(prompt_names), len(templates), -1).mean(dim=1)
    weight = nn.functional.normalize(mean, dim=-1) * model.scale()
    names = prompt_names if class_names is None else class_names
    return Head(weight, normalize=True, class_names=names, kind="zero_shot").to(model.device)


def random_head(model: Model, class_names: Sequence[str], *, seed: int) -> Head:
    """A linear head drawn as PyTorch draws one: uniform in +-1/sqrt(d) (LP-FT's comparison).

    Args:
        model: Gives d and whether features are normalised.
        class_names: One name per class.
        seed: Of this draw alone; the global generator is left as it was.
    """
    generator = torch.Generator().manual_seed(seed)
    bound = model.feature_dim**-0.5
    weight = torch.empty(len(class_names), model.feature_dim)
    bias = torch.empty(len(class_names))
    weight.uniform_(-bound, bound, generator=generator)
    bias.uniform_(-bound, bound, generator=generator)
    head = Head(weight, bias, normalize=model.spec.normalize, class_names=class_names)
    return head.to(model.device)


def zeros_head(model: Model, class_names: Sequence[str]) -> Head:
    """A head of zeros: every class equally likely at step 0."""
    weight = torch.zeros(len(class_names), model.feature_dim)
    head = Head(weight, normalize=model.spec.normalize, class_names=class_names)
    return head.to(model.device)
