"""Small CLIPs in open_clip's own classes, and images, for the tests of this room."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import nn

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
VISION = {"layers": 2, "width": 64, "patch_size": 16, "image_size": 32}
CONFIG: dict[str, Any] = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
NAME = "surefoot-test-vit"


def register(folder: Path, name: str = NAME, **changes: Any) -> str:
    """Add a small architecture to open_clip's list."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**CONFIG, **changes}))
    open_clip.add_model_config(path)
    return name


@contextmanager
def registry() -> Iterator[None]:
    """open_clip's list of architectures, as it was afterwards."""
    factory = open_clip.factory
    paths, configs = list(factory._MODEL_CONFIG_PATHS), dict(factory._MODEL_CONFIGS)
    try:
        yield
    finally:
        factory._MODEL_CONFIG_PATHS[:] = paths
        factory._MODEL_CONFIGS = configs


def clip(*, quick_gelu: bool, seed: int = 0) -> nn.Module:
    """A small CLIP with weights large enough for its activation to show."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = open_clip.CLIP(**copy.deepcopy(CONFIG), quick_gelu=quick_gelu)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data.mul_(3)
    return model.eval()


def openai_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict as OpenAI published it: half precision in places, three constants."""
    half = copy.deepcopy(model)
    open_clip.convert_weights_to_fp16(half)
    state = dict(half.state_dict())
    state["input_resolution"] = torch.tensor(32)
    state["context_length"] = torch.tensor(77)
    state["vocab_size"] = torch.tensor(49408)
    return state


def image(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth picture with noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    smooth = np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    noise = rng.integers(0, 30, smooth.shape)
    return Image.fromarray(np.clip(smooth.astype(int) + noise, 0, 255).astype(np.uint8))


def pixels(size: int = 32, n: int = 3, seed: int = 0) -> torch.Tensor:
    """Random inputs (n, 3, size, size)."""
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def same(a: nn.Module, b: nn.Module) -> bool:
    """The same keys and, bit for bit, the same tensors."""
    left, right = a.state_dict(), b.state_dict()
    return set(left) == set(right) and all(bits(left[k]) == bits(right[k]) for k in left)


def bits(value: torch.Tensor) -> tuple[object, ...]:
    """Dtype, shape and bytes; parts of CoCa are never initialised, and may be NaN."""
    return value.dtype, value.shape, value.detach().contiguous().numpy().tobytes()
