"""What checks run on: a task in memory, a small DINO-like vision transformer, a small CLIP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..data.dataset import Domain, Shift, Split, Task, Use
from ..data.sequence import content
from ..models.build import build
from ..models.model import Model, ModelSpec
from ..models.tiny import clip_spec
from ..transforms import TransformSpec

__all__ = [
    "Unread",
    "require",
    "small_clip",
    "small_task",
    "small_vit",
    "unread",
    "with_tests",
]

_CLASSES = ("square", "bar", "frame")
_SIZE = 32


def require(holds: bool, message: str) -> None:
    """Raise unless it holds.

    Raises:
        AssertionError: With the message; also where Python runs without ``assert``.
    """
    if not holds:
        raise AssertionError(message)


class _Shapes:
    """White shapes on a coloured ground: the shape tells the class; under shift colours change."""

    def __init__(self, n: int, seed: int, *, shifted: bool) -> None:
        rng = np.random.default_rng(seed)
        self.labels: NDArray[np.int64] = np.arange(n, dtype=np.int64) % len(_CLASSES)
        low, high = (120, 220) if shifted else (20, 120)
        self.pixels = np.empty((n, _SIZE, _SIZE, 3), dtype=np.uint8)
        for i, label in enumerate(self.labels):
            self.pixels[i] = rng.integers(low, high, 3)
            x, y = rng.integers(2, 10, 2)
            height, width = ((18, 18), (6, 20), (18, 18))[label]
            self.pixels[i, y : y + height, x : x + width] = 255
            if label == 2:
                inner = (slice(y + 4, y + height - 4), slice(x + 4, x + width - 4))
                self.pixels[i][inner] = self.pixels[i, 0, 0]
        self.name = f"shapes-{seed}"

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self.pixels[index])

    def id(self, index: int) -> str:
        return f"{self.name}/{index}"


def small_task(n: int = 24) -> Task:
    """Three classes of shapes at 32 px: n training images, half as many in every other split.

    Example:
        >>> sf.testing.small_task(30)
        Task(shapes: 3 classes; train 30, val 15, test 15; shifts: recoloured)
    """

    def split(name: str, count: int, seed: int, domain: Domain, use: Use) -> Split:
        images = _Shapes(count, seed, shifted=domain == "OOD")
        return Split(name, images, images.labels, _CLASSES, domain, use, version="1")

    half = max(n // 2, len(_CLASSES))
    return Task(
        name="shapes",
        train=split("train", n, 0, "ID", "train"),
        val=split("val", half, 1, "ID", "val"),
        test=split("test", half, 2, "ID", "test"),
        shifts=(Shift("recoloured", split("recoloured", half, 3, "OOD", "test")),),
        class_names=_CLASSES,
        templates=("a photo of a {}.", "a drawing of a {}."),
    )


def small_clip(*, seed: int = 0) -> Model:
    """A model of tiny-clip's kind with both towers small and random: it takes text, and is quick.

    For contracts that hold whatever the weights are; ``load("tiny-clip")`` knows something.

    Example:
        >>> sf.testing.small_clip()
        Model(small CLIP: 32,856 weights in the encoder, no head, text tower)
    """
    spec = clip_spec()
    builder = {
        **spec.builder,
        "image": {"size": _SIZE, "dim": 32, "depth": 2, "heads": 2, "channels": [8, 16]},
        "text": {"vocab": 4096, "context": 16, "dim": 32, "depth": 1, "heads": 2},
        "joint": 24,
    }
    spec = replace(spec, name="small CLIP", source="surefoot.testing", builder=builder, notes=())
    return _random(spec, seed)


def small_vit(*, depth: int = 2, seed: int = 0) -> Model:
    """A vision transformer of timm at 32 px as DINO leaves one: no head, no text tower.

    Random weights: it stands for the architecture, not for what DINO learnt.

    Example:
        >>> sf.testing.small_vit()
        Model(small ViT: 97,088 weights in the encoder, no head)
    """
    args = {"img_size": _SIZE, "patch_size": 8, "depth": depth}
    spec = ModelSpec(
        name="small ViT",
        source="surefoot.testing",
        builder={"kind": "timm", "name": "test_vit", "tag": "", "args": args},
        transform=TransformSpec(size=(_SIZE, _SIZE), mean=(0.5,) * 3, std=(0.5,) * 3),
        normalize=False,
        saw_text=False,
    )
    return _random(spec, seed)


def _random(spec: ModelSpec, seed: int) -> Model:
    """The model of a spec with random weights; the global generator is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(spec.builder).model(spec)


class Unread:
    """Images that must not be looked at."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> Image.Image:
        raise AssertionError(
            f"fit looked at an image of {self._split.name!r}: only train and val may be used"
        )

    def id(self, index: int) -> str:
        """Ids may be asked for."""
        return self._split.images.id(index)

    def content(self, index: int) -> bytes:
        """Who an image is may be asked as well."""
        return content(self._split.images, index)


def with_tests(task: Task, change: Callable[[Split], Split]) -> Task:
    """The task with its test set and the split of every shift changed."""
    shifts = tuple(replace(shift, split=change(shift.split)) for shift in task.shifts)
    return replace(task, test=change(task.test), shifts=shifts)


def unread(task: Task) -> Task:
    """The task with a test and shifts that raise when an image of them is read."""
    return with_tests(task, lambda split: replace(split, images=Unread(split)))
