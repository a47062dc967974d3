"""A tiny model, images that encode their class, and a task of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from surefoot.data.dataset import Shift, Split, Task
from surefoot.models.heads import Head
from surefoot.models.model import Model, ModelSpec, TextTower
from surefoot.transforms import IMAGENET_MEAN, IMAGENET_STD, TransformSpec

NAMES = ("red_fox", "green_frog", "blue_jay")
SIZE = 8


class Pictures:
    """n images of SIZE pixels; the class's colour channel is brighter by ``signal``."""

    def __init__(self, labels: np.ndarray, seed: int, signal: float, prefix: str) -> None:
        g = np.random.default_rng(seed)
        pixels = g.integers(0, 120, (len(labels), SIZE, SIZE, 3)).astype(float)
        pixels[np.arange(len(labels)), :, :, labels] += signal
        self.pixels = pixels.clip(0, 255).astype(np.uint8)
        self.prefix = prefix

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])

    def id(self, index: int) -> str:
        return f"{self.prefix}/{index}.png"


def split(name: str, n: int, seed: int, *, signal: float = 7.0, domain: str = "ID") -> Split:
    labels = np.arange(n, dtype=np.int64) % 3
    use = {"train": "train", "val": "val"}.get(name, "test")
    return Split(
        name,
        Pictures(labels, seed, signal, name),
        labels,
        NAMES,
        domain,  # type: ignore[arg-type]
        use,  # type: ignore[arg-type]
        metadata={"set": np.array([f"set{i // 5}" for i in range(n)], dtype=object)},
        unit="set",
        source="made",
        version="1",
    )


class Encoder(nn.Module):
    """Mean colour (b, 3) through a linear layer; dropout shows whether eval mode is on."""

    def __init__(self, width: int = 6, *, fixed: bool = True) -> None:
        super().__init__()
        self.fixed = fixed
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(3)
        dark = (60 / 255 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
        self.norm.running_mean.copy_(dark)
        self.norm.running_var.fill_(0.01)
        self.linear = nn.Linear(3, width, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.fixed and images.shape[-2:] != (SIZE, SIZE):
            raise RuntimeError(f"input {tuple(images.shape)} does not fit {SIZE} pixels")
        features: Tensor = self.linear(self.drop(self.norm(images.mean(dim=(2, 3)))))
        return features


class Words(TextTower):
    """Embeds a text by the colour words in it."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.table = nn.Parameter(encoder.linear.weight.T.detach().clone())

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([[w in t for w in ("red", "green", "blue")] for t in texts]).long()

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.float() @ self.table


def tiny(*, normalize: bool = True, fixed: bool = True, size: int = SIZE) -> Model:
    torch.manual_seed(0)
    encoder = Encoder(fixed=fixed).eval()
    spec = ModelSpec(
        name="tiny",
        source="tiny",
        builder={"kind": "test"},
        transform=TransformSpec(size=(size, size), resize=size),
        normalize=normalize,
        saw_text=normalize,
    )
    text = Words(encoder) if normalize else None
    scale = torch.tensor(2.5) if normalize else None
    return Model(encoder, spec=spec, feature_dim=6, text=text, logit_scale=scale)


def with_head(model: Model) -> Model:
    g = torch.Generator().manual_seed(1)
    columns = model.encoder.linear.weight.T.detach()  # type: ignore[union-attr]
    weight = columns + 0.2 * torch.randn(3, 6, generator=g)
    return model.with_head(Head(weight, normalize=model.spec.normalize, class_names=NAMES))


@pytest.fixture
def make_model() -> Callable[..., Model]:
    return tiny


@pytest.fixture
def model() -> Model:
    return with_head(tiny())


@pytest.fixture
def task() -> Task:
    shift = Shift("dim", split("dim", 33, 4, signal=4.0, domain="OOD"))
    few = Shift("two", split("two", 20, 5, domain="OOD").take(
        [i for i in range(20) if i % 3 < 2]), "macro_f1", (0, 1))  # fmt: skip
    return Task(
        "colours",
        split("train", 90, 1),
        split("val", 30, 2),
        split("test", 40, 3),
        (shift, few),
        NAMES,
    )
