"""How images become tensors: one frozen description, two callables built from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2 as tv

__all__ = [
    "DINO_KNN",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "PixelTransform",
    "Transform",
    "TransformSpec",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Transform = Callable[[Image.Image], Tensor]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
ResizeMode = Literal["shortest", "squash", "longest"]

_RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_BLOCK = 2**16
"""Pixels that are normalised together: 768 KiB of float32, which a second-level cache holds."""


@dataclass(frozen=True)
class TransformSpec:
    """Size, resizing, cropping and normalisation of a model's input.

    Attributes:
        size: Height and width of the tensor, pixels.
        mean: Per channel, in units of [0, 1] intensities.
        std: Per channel, likewise.
        interpolation: Of the resize, with antialiasing as Pillow does it.
        resize: Length in pixels that the resize aims at: the shortest side, the longest side, or,
            for "squash", the height (the width follows from the shape of ``size``). The centre
            crop of ``size`` comes after it. None: no resize.
        resize_mode: "shortest" (CLIP, timm), "squash" (SigLIP), "longest" (pads with ``fill``).
        fill: Grey level 0-255 of padding.
        train_scale: Area range of the random resized crop in training (WiSE-FT: 0.9 to 1).
        train_flip: Mirror half of the training images.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: Interpolation = "bicubic"
    resize: int | None = None
    resize_mode: ResizeMode = "shortest"
    fill: int = 0
    train_scale: tuple[float, float] = (0.9, 1.0)
    train_flip: bool = False

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TransformSpec:
        """The inverse of :meth:`to_json`."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        return cls(**fields)

    def changed(self, **changes: Any) -> TransformSpec:
        """A copy with these fields changed."""
        return replace(self, **changes)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that name this transform in cache keys and records."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def eval(self) -> Transform:
        """RGB image -> float32 tensor (3, height, width); nothing random."""
        return _Eval(self)

    def train(self) -> Transform:
        """RGB image -> float32 tensor (3, height, width); a random resized crop, perhaps a flip.

        Draws from torch's global generator; the loader seeds it per image.
        """
        return _Train(self)


DINO_KNN = TransformSpec(size=(224, 224), resize=256)
"""The transform of DINO's kNN protocol (arXiv 2104.14294): resize 256, centre crop 224."""


class PixelTransform:
    """A transform in two halves, so that a loader can do the second for a whole batch at once.

    Calling it on one image gives exactly what the halves give.

    Attributes:
        random: Whether :meth:`pixels` draws from torch's global generator. Where it does not,
            several threads may call it.
    """

    random: ClassVar[bool] = True

    def __init__(self, spec: TransformSpec) -> None:
        self.spec = spec
        self._resample = _RESAMPLE[spec.interpolation]
        self._white = torch.tensor([[[255.0]]])
        self._mean = torch.tensor(spec.mean).reshape(3, 1, 1)
        self._std = torch.tensor(spec.std).reshape(3, 1, 1)

    def pixels(self, image: Image.Image) -> Image.Image:
        """Image of any mode and size -> RGB image of the model's size."""
        raise NotImplementedError

    def batch(self, images: Iterable[Image.Image], count: int) -> Tensor:
        """Images out of :meth:`pixels` -> normalised float32 (count, 3, height, width).

        Works in blocks that stay in the processor's cache: one pass over memory, whatever the
        size of the image.
        """
        height, width = self.spec.size
        out = torch.empty(count, 3, height, width)
        block = max(1, _BLOCK // (height * width))
        source = iter(images)
        for start in range(0, count, block):
            part = out[start : start + block]
            self._normalise_into(part, self.stack(islice(source, len(part)), len(part)))
        return out

    def stack(self, images: Iterable[Image.Image], count: int) -> Tensor:
        """Images out of :meth:`pixels` -> uint8 (count, height, width, 3)."""
        out = np.empty((count, *self.spec.size, 3), dtype=np.uint8)
        for row, image in zip(out, images, strict=True):
            row[...] = np.asarray(image, dtype=np.uint8)
        return torch.from_numpy(out)

    def normalised(self, stacked: Tensor) -> Tensor:
        """Out of :meth:`stack` -> what :meth:`batch` gives, on the same device.

        Every step is rounded by itself, so a device has the same numbers as the CPU.
        """
        height, width = self.spec.size
        out = torch.empty(len(stacked), 3, height, width, device=stacked.device)
        self._normalise_into(out, stacked)
        return out

    def _normalise_into(self, out: Tensor, stacked: Tensor) -> None:
        # 255 is a tensor too: CUDA multiplies by the inverse of a plain number, which rounds twice.
        white, mean, std = (
            t.to(out.device, non_blocking=True) for t in (self._white, self._mean, self._std)
        )
        out.copy_(stacked.permute(0, 3, 1, 2))
        out.div_(white).sub_(mean).div_(std)

    def __call__(self, image: Image.Image) -> Tensor:
        """Image -> normalised float32 (3, height, width)."""
        return self.batch([self.pixels(image)], 1)[0]


class _Eval(PixelTransform):
    """Resize, then centre crop."""

    random = False

    def pixels(self, image: Image.Image) -> Image.Image:
        """Image of any mode and size -> RGB image of the model's size."""
        spec = self.spec
        image = image if image.mode == "RGB" else image.convert("RGB")
        if spec.resize is not None:
            image = self._resized(image, spec.resize)
        return self._cropped(image)

    def _resized(self, image: Image.Image, length: int) -> Image.Image:
        width, height = image.size
        if self.spec.resize_mode == "squash":
            high, wide = self.spec.size
            return self._to(image, round(length * wide / high), length)
        if self.spec.resize_mode == "shortest":  # torchvision's rounding: the long side is cut
            if width <= height:
                return self._to(image, length, int(length * height / width))
            return self._to(image, int(length * width / height), length)
        ratio = length / max(width, height)
        width, height = max(1, round(width * ratio)), max(1, round(height * ratio))
        small = self._to(image, width, height)
        if width == height:
            return small
        canvas = Image.new("RGB", (length, length), (self.spec.fill,) * 3)
        canvas.paste(small, ((length - width) // 2, (length - height) // 2))
        return canvas

    def _to(self, image: Image.Image, width: int, height: int) -> Image.Image:
        if image.size == (width, height):
            return image
        return image.resize((width, height), self._resample)

    def _cropped(self, image: Image.Image) -> Image.Image:
        (height, width), (wide, high) = self.spec.size, image.size
        if (wide, high) == (width, height):
            return image
        if wide < width or high < height:
            padded: Image.Image = tv.functional.center_crop(image, [height, width])
            return padded
        top, left = round((high - height) / 2.0), round((wide - width) / 2.0)
        return image.crop((left, top, left + width, top + height))


class _Train(PixelTransform):
    """A random resized crop, perhaps a flip."""

    def __init__(self, spec: TransformSpec) -> None:
        super().__init__(spec)
        self._log_ratio = torch.log(torch.tensor([3 / 4, 4 / 3])).tolist()

    def pixels(self, image: Image.Image) -> Image.Image:
        """Image of any mode and size -> RGB image of the model's size, drawn at random."""
        height, width = self.spec.size
        image = image if image.mode == "RGB" else image.convert("RGB")
        left, top, wide, high = self._box(*image.size)
        if (wide, high) != image.size:
            image = image.crop((left, top, left + wide, top + high))
        if image.size != (width, height):
            image = image.resize((width, height), self._resample)
        if self.spec.train_flip and torch.rand(1).item() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    def _box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of a crop: the draws of torchvision's RandomResizedCrop.

        Same numbers from the same generator state (a test compares them), in a third of its time,
        which at 32 pixels is half of the whole transform.
        """
        low, high = self._log_ratio
        area = float(width * height)
        for _ in range(10):
            target = area * torch.empty(1).uniform_(*self.spec.train_scale).item()
            ratio = torch.exp(torch.empty(1).uniform_(low, high)).item()
            w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
            if 0 < w <= width and 0 < h <= height:
                top = int(torch.randint(0, height - h + 1, (1,)).item())
                left = int(torch.randint(0, width - w + 1, (1,)).item())
                return left, top, w, h
        w, h = width, height  # a very long image: its middle
        if width / height < 3 / 4:
            h = round(width / (3 / 4))
        elif width / height > 4 / 3:
            w = round(height * (4 / 3))
        return (width - w) // 2, (height - h) // 2, w, h
