"""The live server of the board; FastAPI and uvicorn are imported when it starts. No torch here."""

from __future__ import annotations

from .limits import Limits
from .serve import serve

__all__ = ["Limits", "serve"]
