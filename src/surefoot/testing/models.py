"""``check_model``: the contract of a Model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..models.heads import zero_shot_head
from ..models.model import Model, ModelSpec
from ..models.save import load_saved, save_model
from ..paths import Path as WeightPath
from ..weights.fingerprint import fingerprint
from .samples import require

__all__ = ["check_model", "check_saved", "pixels", "shared_tensors"]

_CLOSE = 1e-4
"""Features of one image alone and in a batch, relative to the largest."""


def pixels(model: Model, n: int = 3) -> Tensor:
    """Inputs (n, 3, h, w) of a model: noise, standardised."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(n, 3, *model.spec.transform.size, generator=generator)
    return drawn.to(model.device)


def check_model(model: Model) -> None:
    """Check that a model keeps the contract of :class:`surefoot.Model`.

    - It comes in evaluation mode; features are (n, ``feature_dim``), finite, the same each time,
      and those of an image do not depend on the rest of its batch.
    - Its transform turns an image of any shape into a tensor of the size that it states.
    - Its spec goes through JSON; the model is the same after saving and loading, and a clone
      shares no tensor with it.
    - A text tower embeds into the image features' space, tells two texts apart, and writes a
      zero-shot head; a logit scale is finite.
    - A path from the model to itself is the model at every alpha.

    Args:
        model: With or without a head and a text tower.

    Raises:
        AssertionError: Says what was broken.

    Example:
        >>> sf.testing.check_model(model)  # raises AssertionError, which says what is broken
    """
    name = model.spec.name
    require(not model.training, f"{name} comes in training mode; return model.eval()")
    _check_features(model)
    _check_transform(model)
    spec = ModelSpec.from_json(json.loads(json.dumps(model.spec.to_json())))
    require(spec == model.spec, f"the spec of {name} changes on its way through JSON")
    shared = shared_tensors(model, model.clone())
    require(not shared, f"a clone of {name} shares {shared} with it")
    check_saved(model, name=name)
    if model.text is not None:
        _check_text(model)
    if model.head is not None:
        with torch.no_grad():
            logits = model(pixels(model))
        classes = len(model.head.class_names)
        require(logits.shape == (3, classes) and bool(logits.isfinite().all()),
                f"logits of {name} are {tuple(logits.shape)}, or not finite, for {classes} "
                "classes")  # fmt: skip
    middle = WeightPath(model, model.clone()).at(0.5)
    require(fingerprint(middle) == fingerprint(model),
            f"half-way between {name} and its clone lies another model")  # fmt: skip


def shared_tensors(model: Model, other: Model) -> str:
    """Names of tensors of the other that lie in the model's memory, the first three."""
    held = {t.untyped_storage().data_ptr() for t in model.state_dict().values() if t.numel()}
    tensors = other.state_dict().items()
    return ", ".join([k for k, t in tensors if t.untyped_storage().data_ptr() in held][:3])


def check_saved(model: Model, *, name: str) -> None:
    """One file holds all of a model.

    Raises:
        AssertionError: It cannot be saved and rebuilt, or comes back as another.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_model(model, file)
        try:
            again = load_saved(file)
        except Exception as error:
            raise AssertionError(
                f"{name} cannot be rebuilt from what was saved of it ({error}); does "
                "spec.builder say what it is built of?"
            ) from error
    require(fingerprint(again) == fingerprint(model), f"{name} is another model after loading")
    require(again.spec == model.spec, f"{name} has another spec after loading")
    images = pixels(model)
    with torch.no_grad():
        ours, theirs = model.features(images).cpu(), again.features(images.cpu())
    require(torch.allclose(ours, theirs, rtol=_CLOSE, atol=_CLOSE),
            f"{name} computes other features after loading: a setting outside of its weights is "
            "not in spec.builder")  # fmt: skip


def _check_features(model: Model) -> None:
    name, images = model.spec.name, pixels(model)
    with torch.no_grad():
        features, again = model.features(images), model.features(images)
        alone = torch.cat([model.features(image[None]) for image in images])
    wanted = (len(images), model.feature_dim)
    require(features.shape == wanted, f"features of {name} are {tuple(features.shape)}, not "
            f"(images, feature_dim) = {wanted}")  # fmt: skip
    require(bool(features.isfinite().all()), f"features of {name} are not finite")
    require(torch.equal(features, again), f"features of {name} differ from one pass to the next")
    off = float((features - alone).abs().max()) / float(features.abs().max().clamp_min(1e-12))
    require(off < _CLOSE, f"features of an image of {name} depend on the rest of its batch: they "
            f"differ by {off:.2g} of the largest")  # fmt: skip


def _check_transform(model: Model) -> None:
    spec = model.spec.transform
    rng = np.random.default_rng(0)
    for shape in ((37, 61), (61, 37), (8, 8)):
        image = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
        tensor = spec.eval()(image)
        require(tuple(tensor.shape) == (3, *spec.size),
                f"the transform of {model.spec.name} makes {tuple(tensor.shape)} of an image of "
                f"{shape}, not (3, *size) = {(3, *spec.size)}")  # fmt: skip


def _check_text(model: Model) -> None:
    name, text = model.spec.name, model.require_text("this check")
    embedded = text.encode(["a red square", "a photo of a dog"])
    require(embedded.shape == (2, model.feature_dim),
            f"the text tower of {name} embeds into {embedded.shape[1]} numbers, its images into "
            f"{model.feature_dim}")  # fmt: skip
    norms = embedded.norm(dim=1)
    require(torch.allclose(norms, torch.ones_like(norms), atol=1e-4),
            f"text embeddings of {name} are not normalised")  # fmt: skip
    require(float((embedded[0] - embedded[1]).norm()) > 1e-4,
            f"the text tower of {name} gives two texts one embedding")  # fmt: skip
    require(math.isfinite(model.scale()), f"the logit scale of {name} is not finite")
    head = zero_shot_head(model, ("cat", "dog"), ("a photo of a {}.",))
    require(bool(head.weight.isfinite().all()), f"the zero-shot head of {name} is not finite")
