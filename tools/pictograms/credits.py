"""Who drew a set, and under which licence."""

from __future__ import annotations

from .sources import Sources

QUICKDRAW: dict[str, str] = {
    "set": "quickdraw",
    "title": "The Quick, Draw! Dataset",
    "author": "Google",
    "author_url": "https://github.com/googlecreativelab/quickdraw-dataset",
    "licence": "CC BY 4.0",
    "spdx": "CC-BY-4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
}


def credit(sources: Sources, prefix: str) -> dict[str, str]:
    """Title, author and licence of one icon set, or of QuickDraw."""
    if prefix == QUICKDRAW["set"]:
        return QUICKDRAW
    info = sources.collections[prefix]
    author, licence = info["author"], info["license"]
    return {
        "set": prefix,
        "title": info["name"],
        "author": author["name"],
        "author_url": author.get("url", ""),
        "licence": licence["title"],
        "spdx": licence["spdx"],
        "licence_url": licence.get("url", ""),
    }
