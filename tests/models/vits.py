"""Small vision transformers of every family that takes adapters, with weights worth the name."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from surefoot.models.build import build
from surefoot.models.model import Model, ModelSpec
from surefoot.models.tiny import clip_spec, dino_spec
from surefoot.transforms import TransformSpec

from . import clips

PLAIN = TransformSpec(size=(32, 32), mean=(0.5,) * 3, std=(0.5,) * 3)
ARGS = {"img_size": 32, "patch_size": 8, "depth": 3}
TIMM = {"kind": "timm", "name": "test_vit", "tag": "", "args": ARGS}
KINDS = ("test_vit", "open_clip", "open_clip_timm", "tiny-clip", "tiny-dino")


def timm_spec(**args: Any) -> ModelSpec:
    """test_vit of 3 blocks at 32 px, 17 tokens, with other arguments of timm's."""
    builder = {**TIMM, "args": {**ARGS, **args}}
    return ModelSpec("test_vit", "test_vit", builder, PLAIN, normalize=False, saw_text=False)


def open_clip_spec(**vision: Any) -> ModelSpec:
    """A CLIP of two layers, width 64, 5 tokens; other settings of its image tower."""
    config = copy.deepcopy(clips.CONFIG)
    config["text_cfg"] = {**clips.TEXT, "context_length": 8, "vocab_size": 64, "layers": 1}
    config["vision_cfg"] = {**clips.VISION, **vision}
    builder = {"kind": "open_clip", "arch": "surefoot-test", "config": config}
    return ModelSpec("small-clip", "small-clip", builder, PLAIN, normalize=True, saw_text=True)


def spec_of(kind: str) -> ModelSpec:
    """The spec of one of ``KINDS``."""
    if kind == "test_vit":
        return timm_spec()
    if kind == "open_clip":
        return open_clip_spec(head_width=32)
    if kind == "open_clip_timm":
        spec = open_clip_spec()
        vision = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
        spec.builder["config"]["vision_cfg"] = {**vision, "image_size": 32}
        return spec
    return clip_spec() if kind == "tiny-clip" else dino_spec()


def vit(kind: str | ModelSpec, *, seed: int = 0, text: bool = False) -> Model:
    """A model in evaluation mode; norms, biases and scales are not what they start as."""
    spec = spec_of(kind) if isinstance(kind, str) else kind
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build(spec.builder).model(spec)
    if not text:
        model.text = model.logit_scale = None
    stir(model.encoder, seed=seed)
    return model


def stir(module: nn.Module, *, seed: int, size: float = 0.2) -> None:
    """Add noise to every parameter with one axis (norms, biases), to gates and to banks."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if parameter.ndim == 1 or "bank" in name:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(size * noise.to(parameter.dtype))


def stir_adapter(model: Model, *, seed: int = 1, size: float = 0.3) -> None:
    """Give a model's adapter random values."""
    from surefoot.models.adapters import adapter_names

    generator = torch.Generator().manual_seed(seed)
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name in adapter_names(model):
            noise = torch.randn(named[name].shape, generator=generator)
            named[name].add_(size * noise.to(named[name].dtype))


def adapter_size(model: Model) -> int:
    """How many parameters a model's adapter has."""
    from surefoot.models.adapters import adapter_names

    named = dict(model.named_parameters())
    return sum(named[name].numel() for name in adapter_names(model))


def pixels(n: int = 3, seed: int = 0) -> torch.Tensor:
    """Random inputs (n, 3, 32, 32)."""
    return clips.pixels(32, n, seed)


def features(model: Model, images: torch.Tensor | None = None) -> torch.Tensor:
    """Features of the random inputs, without gradients."""
    with torch.no_grad():
        return model.features(pixels() if images is None else images)
