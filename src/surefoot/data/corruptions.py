"""Common corruptions of a test set, for users who bring no shifted one. Not ImageNet-C.

Operations are torchvision's (JPEG: Pillow's). Strengths follow the two tables of Hendrycks and
Dietterich (arXiv 1903.12261), as in ``make_cifar_c.py`` and ``make_imagenet_c.py`` of their public
code (hendrycks/robustness, commit ca36008): CIFAR-10-C's at 32 pixels, ImageNet-C's at 224, and
between them in proportion (geometric in the shorter side): a blur of 3 pixels that a photograph
survives wipes out an icon.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2 as tv
from torchvision.transforms.v2 import functional as tvf

from ..errors import DataError, UnknownName
from ..registry import nearest
from .brightness import white_of
from .dataset import Split
from .rng import kept_rng, mix
from .sequence import Images, content

__all__ = ["KINDS", "corrupt", "corruptions"]

KINDS = ("noise", "blur", "contrast", "jpeg", "pixelate", "brightness", "elastic")
"""Every corruption there is; the first five are the default."""

_BENDS = 8
_Row = tuple[float, float, float, float, float]
_STRENGTH: dict[str, tuple[_Row, _Row]] = {  # severity 1 to 5: at 32 px, at 224 px
    "noise": ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),  # sd of [0, 1]
    "blur": ((0.4, 0.6, 0.7, 0.8, 1.0), (1.0, 2.0, 3.0, 4.0, 6.0)),  # sd, pixels
    "contrast": ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),  # share kept
    "jpeg": ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),  # quality
    "pixelate": ((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),  # side kept
    # Ours, not of the paper: darker instead of brighter (an icon on white cannot get brighter),
    # and a root-mean-square displacement as a share of the side.
    "brightness": ((0.8, 0.65, 0.5, 0.38, 0.25), (0.8, 0.65, 0.5, 0.38, 0.25)),
    "elastic": ((0.01, 0.015, 0.02, 0.03, 0.04), (0.01, 0.015, 0.02, 0.03, 0.04)),
}


def corruptions(
    test: Split,
    *,
    kinds: Sequence[str] = KINDS[:5],
    severity: int = 3,
    seed: int = 0,
) -> list[Split]:
    """The test images, each corrupted in one way per split, when they are asked for.

    Args:
        test: The ID test split.
        kinds: Names out of ``KINDS``.
        severity: 1 (mild) to 5 (strong).
        seed: Random draws depend on (seed, kind, index) alone.

    Returns:
        One OOD split per kind, named ``noise (synthetic)`` and so on.

    Raises:
        UnknownName: No such kind; the nearest names are given.
        DataError: The severity is not 1 to 5, or a kind is named twice.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UnknownName("corruption", kind, list(KINDS), nearest(kind, list(KINDS)))
    if len(set(kinds)) < len(kinds):
        raise DataError("a corruption is named twice", expected="distinct names")
    if severity not in (1, 2, 3, 4, 5):
        raise DataError(
            f"the severity of corruptions is {severity}", expected="a whole number from 1 to 5"
        )
    note = (
        f"made by a program from the ID test ({{}}, severity {severity} of 5, seed {seed}); "
        "torchvision's operations, not ImageNet-C: not comparable with its published numbers"
    )
    return [
        replace(
            test,
            name=f"{kind} (synthetic)",
            images=_Corrupted(test.images, kind, severity, seed),
            domain="OOD",
            use="test",
            synthetic=True,
            source=f"{test.source or test.name} + {kind}",
            notes=(*test.notes, note.format(kind)),
        )
        for kind in kinds
    ]


class _Corrupted:
    """Another sequence, corrupted image by image."""

    def __init__(self, images: Images, kind: str, severity: int, seed: int) -> None:
        self._images, self._kind, self._severity = images, kind, severity
        self._keys = (seed, KINDS.index(kind))

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Image.Image:
        image = self._images[index]
        with kept_rng() as generator:
            generator.manual_seed(int(mix(np.array([index], dtype=np.int64), *self._keys)[0]))
            return corrupt(image, self._kind, self._severity)

    def content(self, index: int) -> bytes:
        """The image's own, and all that its corruption depends on."""
        light = "".join(f"{k}{v} " for k, v in white_of(self._images).items())
        how = f"{self._kind} {self._severity} {self._keys} {index} {light}".encode()
        return hashlib.sha256(how + content(self._images, index)).digest()

    def id(self, index: int) -> str:
        return self._images.id(index)


def corrupt(image: Image.Image, kind: str, severity: int) -> Image.Image:
    """One RGB image, corrupted; draws from torch's global CPU generator.

    Args:
        image: RGB, of any size.
        kind: One of ``KINDS``.
        severity: 1 to 5.
    """
    strength = _strength(kind, severity, min(image.size))
    return _image(_OPERATIONS[kind](_pixels(image), strength))


def _strength(kind: str, severity: int, side: int) -> float:
    """Between the two tables in the logarithm of the side; outside, the nearer table.

    Lengths (blur) go on in proportion to the side above 224 px.
    """
    small, large = (row[severity - 1] for row in _STRENGTH[kind])
    share = min(1.0, max(0.0, math.log(side / 32) / math.log(224 / 32)))
    value = math.exp((1 - share) * math.log(small) + share * math.log(large))
    return value * max(1.0, side / 224) if kind == "blur" else value


def _noise(pixels: Tensor, deviation: float) -> Tensor:
    noisy: Tensor = tvf.gaussian_noise(pixels.float() / 255, sigma=deviation, clip=True)
    return (noisy * 255).round().to(torch.uint8)


def _jpeg(pixels: Tensor, quality: float) -> Tensor:
    """Through Pillow: torchvision's own codecs are deprecated since its version 0.29."""
    buffer = io.BytesIO()
    _image(pixels).save(buffer, "JPEG", quality=round(quality))
    return _pixels(Image.open(buffer))


def _pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)


def _image(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def _pixelate(pixels: Tensor, share: float) -> Tensor:
    """Shrunk by averaging, grown again without: blocks."""
    height, width = pixels.shape[-2:]
    less = [max(1, round(height * share)), max(1, round(width * share))]
    small = tvf.resize(pixels, less, tv.InterpolationMode.BILINEAR, antialias=True)
    blocks: Tensor = tvf.resize(small, [height, width], tv.InterpolationMode.NEAREST)
    return blocks


def _blur(pixels: Tensor, deviation: float) -> Tensor:
    """Rows, then columns: torchvision's own blur is one convolution with the whole square."""
    out = pixels.float()
    for axis in (0, 1):  # width, height
        # Reflection at the border reaches no further than the image.
        radius = min(math.ceil(3 * deviation), pixels.shape[2 - axis] - 1)
        size = [1, 1]
        size[axis] = 2 * radius + 1
        out = tvf.gaussian_blur(out, size, [deviation] * 2)
    return out.round().clamp(0, 255).to(torch.uint8)


def _elastic(pixels: Tensor, share: float) -> Tensor:
    """Smooth random displacement on each axis: its root mean square is a share of the side.

    An 8 x 8 grid of normal draws, enlarged: blurring noise at full size, as torchvision's own
    ``ElasticTransform`` does, takes seconds for a photograph.
    """
    height, width = pixels.shape[-2:]
    grid = torch.randn(1, 2, _BENDS, _BENDS)
    field = torch.nn.functional.interpolate(grid, (height, width), mode="bicubic")
    field = field / field.square().mean().sqrt() * share * min(height, width)
    units = torch.tensor([2 / width, 2 / height])  # the image runs from -1 to 1
    ground = int(pixels.float().mean())
    bent: Tensor = tvf.elastic(pixels, field.permute(0, 2, 3, 1) * units, fill=[ground] * 3)
    return bent


_OPERATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "contrast": tvf.adjust_contrast,
    "jpeg": _jpeg,
    "pixelate": _pixelate,
    "brightness": tvf.adjust_brightness,
    "elastic": _elastic,
}
"""uint8 (3, h, w) and strength -> uint8 (3, h, w)."""
