"""Heads for a model and its classes: zero-shot, random or zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..errors import DataError
from .model import Head, Model

__all__ = ["Head", "random_head", "zero_shot_head", "zeros_head"]


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
