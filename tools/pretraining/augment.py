"""Augmentation of whole batches of icons: geometry, line thickness, colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Strength:
    """How far a view may go.

    Attributes:
        zoom: Range of the factor by which the drawing grows.
        shift: Largest shift, as a part of the half width.
        turn: Largest rotation, degrees.
        mirror: Chance of a mirror image.
        thickness: Chance that lines grow or shrink by up to a pixel.
        grey: Chance that colours are dropped.
        recolour: Chance that black and white become two other colours.
        invert: Chance that light and dark change places.
    """

    zoom: tuple[float, float] = (0.85, 1.18)
    shift: float = 0.08
    turn: float = 6.0
    mirror: float = 0.0
    thickness: float = 0.1
    grey: float = 0.1
    recolour: float = 0.15
    invert: float = 0.05


CLIP = Strength()
"""Names say left and right, so nothing is mirrored."""

CLIP_STRONG = Strength(
    zoom=(0.75, 1.3),
    shift=0.12,
    turn=10.0,
    thickness=0.25,
    grey=0.15,
    recolour=0.35,
    invert=0.15,
)
"""For long runs, which see every drawing dozens of times."""

CONTRAST = Strength(
    zoom=(0.85, 1.5),
    shift=0.15,
    turn=15.0,
    mirror=0.5,
    thickness=0.4,
    grey=0.2,
    recolour=0.5,
    invert=0.2,
)
"""For two views of one image (SimCLR): strong, or the task is solved by colour and stroke."""


def view(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    """Images (b, h, w, 3) uint8 -> a random view (b, 3, h, w), float32 in [-1, 1]."""
    pixels = images.permute(0, 3, 1, 2).float().div_(255)
    pixels = _move(pixels, strength, generator)
    pixels = _thicken(pixels, strength, generator)
    return _colour(pixels, strength, generator).clamp_(0, 1).mul_(2).sub_(1)


def _uniform(count: int, low: float, high: float, like: Tensor, g: torch.Generator) -> Tensor:
    """(count,) uniform numbers, drawn on the CPU so that every device sees the same ones."""
    return torch.empty(count).uniform_(low, high, generator=g).to(like.device)


def _move(pixels: Tensor, s: Strength, g: torch.Generator) -> Tensor:
    """Zoom, turn, mirror and shift in one resampling; edges go on outside."""
    b = len(pixels)
    zoom = torch.exp(-_uniform(b, math.log(s.zoom[0]), math.log(s.zoom[1]), pixels, g))
    stretch = torch.exp(_uniform(b, -0.1, 0.1, pixels, g))
    angle = _uniform(b, -1, 1, pixels, g) * math.radians(s.turn)
    sign = torch.where(_uniform(b, 0, 1, pixels, g) < s.mirror, -1.0, 1.0)
    # A drawing that was made larger may hide more of itself than one that was not.
    reach = s.shift + (1 - zoom).clamp_min(0)
    dx, dy = (_uniform(b, -1, 1, pixels, g) * reach for _ in range(2))
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = [cos * stretch * sign, -sin, dx, sin * stretch * sign, cos, dy]
    theta = torch.stack(rows, dim=1).reshape(b, 2, 3)
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _thicken(pixels: Tensor, s: Strength, g: torch.Generator) -> Tensor:
    """Dark lines of some images grow, of others shrink, by a part of a pixel."""
    chosen = _uniform(len(pixels), 0, 1, pixels, g)
    amount = _uniform(len(pixels), 0.2, 0.8, pixels, g)
    for low, high, sign in ((0.0, 0.6, -1), (0.6, 1.0, 1)):
        at = ((chosen >= low * s.thickness) & (chosen < high * s.thickness)).nonzero().flatten()
        if len(at):
            part = pixels[at]
            pooled = sign * F.max_pool2d(sign * part, 3, stride=1, padding=1)
            pixels[at] = torch.lerp(part, pooled, amount[at, None, None, None])
    return pixels


def _colour(pixels: Tensor, s: Strength, g: torch.Generator) -> Tensor:
    """Black and white move to two other ends, channel by channel: recolouring, inversion."""
    b = len(pixels)
    grey = (_uniform(b, 0, 1, pixels, g) < s.grey).float()[:, None, None, None]
    pixels = torch.lerp(pixels, pixels.mean(dim=1, keepdim=True), grey)
    dark = _uniform(b * 3, 0, 0.6, pixels, g).reshape(b, 3)
    # The light end stays lighter by a third at least, or the drawing would vanish.
    light = dark + 0.35 + (0.65 - dark) * _uniform(b * 3, 0, 1, pixels, g).reshape(b, 3)
    plain = (_uniform(b, 0, 1, pixels, g) >= s.recolour)[:, None]
    dark, light = torch.where(plain, 0.0, dark), torch.where(plain, 1.0, light)
    swap = (_uniform(b, 0, 1, pixels, g) < s.invert)[:, None]
    dark, light = torch.where(swap, light, dark), torch.where(swap, dark, light)
    return dark[:, :, None, None] + pixels * (light - dark)[:, :, None, None]
