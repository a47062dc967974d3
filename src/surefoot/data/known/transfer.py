"""The sets on which WiSE-FT and FLYP measure transfer, in the layouts that torchvision reads."""

from __future__ import annotations

from .cars import CARS
from .flowers import FLOWERS102
from .pcam import PCAM
from .transfer_folders import CALTECH101, PETS, RENDERED_SST2
from .transfer_lists import DTD, FOOD101, SUN397

__all__ = [
    "CALTECH101",
    "CARS",
    "DTD",
    "FLOWERS102",
    "FOOD101",
    "PCAM",
    "PETS",
    "RENDERED_SST2",
    "SUN397",
]
