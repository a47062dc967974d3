"""Architectures with random weights, the same numbers for surefoot and for a peer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from surefoot.methods.base import Classify
from surefoot.methods.flyp import ImagesAndPrompts
from surefoot.models.foreign import timm_model
from surefoot.models.heads import Head
from surefoot.models.model import Model, ModelSpec
from surefoot.models.names import Source
from surefoot.models.open_clip import towers as open_clip_loading
from surefoot.models.timm.encoder import finish
from surefoot.transforms import TransformSpec

TINY_CLIP = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def timm_pair(name: str, classes: int, device: torch.device) -> tuple[Model, Any]:
    """The Model and timm's own of one architecture, on the device, equal weights."""
    import timm

    with device:
        theirs: Any = timm.create_model(name, pretrained=False, num_classes=classes)
        encoder = timm_model(name)
    inner = {k: v for k, v in theirs.state_dict().items() if not k.startswith("head.")}
    encoder.load_state_dict(inner)
    model = finish(encoder, Source(f"timm:{name}", "timm", name), name, "", ())
    names = tuple(f"class {i}" for i in range(classes))
    last = theirs.get_classifier()
    model.head = Head(last.weight, last.bias, normalize=False, class_names=names)
    return model.to(device), theirs


def clip_config(name: str) -> dict[str, Any]:
    """open_clip's configuration of an architecture; "tiny" is one for trials."""
    if name == "tiny":
        return TINY_CLIP
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        raise ValueError(f"open_clip has no architecture {name}")
    return {k: config[k] for k in ("embed_dim", "vision_cfg", "text_cfg")}


def clip_pair(name: str, device: torch.device, *, peer: bool = True) -> tuple[Model, Any, int]:
    """The Model and open_clip's own (or None), and the image size; equal weights."""
    import open_clip

    config = clip_config(name)
    with device:
        theirs: Any = open_clip.CLIP(**config, output_dict=True)
    builder = {"arch": name, "config": config}
    if peer:
        with device:
            whole = open_clip_loading.whole(builder)
        whole.load_state_dict(theirs.state_dict())
    else:
        whole, theirs = theirs, None
        whole.output_dict = False
    size = int(config["vision_cfg"]["image_size"])
    spec = ModelSpec(
        name=name, source=f"open_clip:{name}", builder={"kind": "open_clip", **builder},
        transform=TransformSpec(size=(size, size), mean=(0.5,) * 3, std=(0.5,) * 3, resize=size),
        normalize=True, saw_text=True,
    )  # fmt: skip
    return open_clip_loading.split(whole, builder).model(spec).to(device), theirs, size


def classify(model: Model) -> Classify:
    """What ``ft`` trains: encoder and head."""
    return Classify(model.requires_grad_(True))


def flyp(model: Model, classes: int) -> ImagesAndPrompts:
    """What ``flyp`` trains, with one prompt for each of so many classes."""
    names = tuple(f"thing number {i}" for i in range(classes))
    task: Any = SimpleNamespace(names_in_prompts=names, templates=("a photo of a {}.",))
    model.requires_grad_(True)
    return ImagesAndPrompts(model, task, templates="random", multi_positive=False)


def images_on(device: torch.device, count: int, size: int) -> torch.Tensor:
    """Random images (count, 3, size, size), float32."""
    generator = torch.Generator(device=device).manual_seed(0)
    return torch.randn(count, 3, size, size, generator=generator, device=device)


def batch_on(device: torch.device, count: int, size: int, classes: int) -> dict[str, torch.Tensor]:
    """A batch as the training loop hands it over; labels go round the classes."""
    index = torch.arange(count, device=device)
    return {
        "image": images_on(device, count, size),
        "label": index % classes,
        "index": index,
        "draw": torch.zeros_like(index),
    }
