"""Small things that many tests share: a toy task in memory, toy models, class folders on disk."""

from __future__ import annotations

import gc
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import pytest
import torch
from PIL import Image

from surefoot.data.dataset import Shift, Split, Task
from surefoot.data.sequence import pixel_content
from surefoot.models.model import Model, ModelSpec
from surefoot.transforms import TransformSpec

CLASSES = ("circle", "square", "bar")
SIZE = 16


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: no search for cycles need look through them again."""
    gc.collect()
    gc.freeze()


class Drawn:
    """Coloured rectangles: the shape tells the class; under shift the colours change."""

    def __init__(self, n: int, *, seed: int, shifted: bool = False) -> None:
        rng = np.random.default_rng(seed)
        self.labels = np.arange(n, dtype=np.int64) % len(CLASSES)
        self.pixels = np.full((n, SIZE, SIZE, 3), 255, dtype=np.uint8)
        for i, label in enumerate(self.labels):
            x, y = rng.integers(0, 6, 2)
            height, width = ((5, 5), (9, 9), (9, 3))[label]
            colour = rng.integers(0, 120, 3) if shifted else (200, 30, 30 + 60 * label)
            self.pixels[i, y : y + height, x : x + width] = colour
            noise = rng.integers(0, 25, (SIZE, SIZE, 3))
            self.pixels[i] = np.clip(self.pixels[i].astype(int) - noise, 0, 255)
        self.decoded = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        self.decoded += 1
        return Image.fromarray(self.pixels[index])

    def content(self, index: int) -> bytes:
        return pixel_content(self.pixels[index])

    def id(self, index: int) -> str:
        return f"drawn/{index}"


def drawn_split(name: str, n: int, seed: int, **fields: object) -> Split:
    images = Drawn(n, seed=seed, shifted=fields.get("domain") == "OOD")
    facts: dict[str, object] = {"domain": "ID", "use": "test", **fields}
    return Split(name, images, images.labels, CLASSES, **facts)  # type: ignore[arg-type]


@pytest.fixture
def task() -> Task:
    """45 training images of three classes, validation, test and one shift."""
    return Task(
        name="shapes",
        train=drawn_split("train", 45, 0, use="train"),
        val=drawn_split("val", 30, 1, use="val"),
        test=drawn_split("test", 30, 2),
        shifts=(Shift("recoloured", drawn_split("recoloured", 30, 3, domain="OOD")),),
        class_names=CLASSES,
    )


class TinyEncoder(torch.nn.Module):
    """Images (b, 3, 16, 16) -> features (b, 12); a BatchNorm on request."""

    def __init__(self, *, batch_norm: bool = False) -> None:
        super().__init__()
        norm = torch.nn.BatchNorm2d(8) if batch_norm else torch.nn.Identity()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 4, stride=4),
            norm,
            torch.nn.GELU(),
            torch.nn.Flatten(),
            torch.nn.Linear(128, 12),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(images)
        return features


def toy_model(*, seed: int = 0, batch_norm: bool = False, normalize: bool = False) -> Model:
    """A randomly drawn model without head or text tower."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = TinyEncoder(batch_norm=batch_norm)
    spec = ModelSpec(
        name="toy",
        source="toy",
        builder={"kind": "toy"},
        transform=TransformSpec(size=(SIZE, SIZE), mean=(0.5,) * 3, std=(0.5,) * 3),
        normalize=normalize,
        saw_text=False,
    )
    return Model(encoder, spec=spec, feature_dim=12).eval()


@pytest.fixture
def model() -> Model:
    return toy_model()


def write_folders(root: Path, n: int, *, seed: int, shifted: bool = False) -> Path:
    """Class folders of PNG files under ``root``."""
    drawn = Drawn(n, seed=seed, shifted=shifted)
    for i, label in enumerate(drawn.labels):
        place = root / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.pixels[i]).resize((40, 40)).save(place / f"{i}.png")
    return root


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """train/, test/ and shift/ with class folders."""
    write_folders(tmp_path / "train", 36, seed=0)
    write_folders(tmp_path / "test", 18, seed=1)
    write_folders(tmp_path / "shift", 18, seed=2, shifted=True)
    return tmp_path
