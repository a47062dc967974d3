"""Style sheet and script of every page with charts. No torch here."""

from __future__ import annotations

from pathlib import Path

__all__ = ["script", "stylesheet"]

_HERE = Path(__file__).parent


def stylesheet() -> str:
    """CSS of the colours, faces and charts; a page's own styles come after it."""
    return "".join((_HERE / n).read_text(encoding="utf-8") for n in ("tokens.css", "chart.css"))


def script() -> str:
    """JavaScript that every page with charts needs: the tip; a page's own script comes after it."""
    return (_HERE / "tip.js").read_text(encoding="utf-8")
