"""Types that several kinds of row share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["ExtraData", "Json", "Kind"]

Kind = Literal["published", "reproduced", "measured", "submitted"]
ExtraData = Literal["yes", "no", "unknown"]
Json = Mapping[str, Any]
