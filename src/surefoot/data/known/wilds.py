"""The data sets of WILDS that the papers use."""

from __future__ import annotations

from .fmow import FMOW, FMOW_CONTINENTS
from .iwildcam import IWILDCAM

__all__ = ["FMOW", "FMOW_CONTINENTS", "IWILDCAM"]
