"""Recipe files that ship with the package. No torch here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ..errors import UnknownName
from ..registry import nearest

__all__ = ["paper_names", "papers_folder", "recipe_file", "recipe_names"]

_PAPERS = "papers"


def _folder() -> Path:
    return Path(str(resources.files("surefoot.recipes") / "files"))


def papers_folder() -> Path:
    """Where the recipes of the papers are, a folder per paper."""
    return _folder() / _PAPERS


def paper_names() -> list[str]:
    """Names of the papers' recipes, "wise-ft/imagenet-vit-b16", sorted."""
    root = papers_folder()
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))


def recipe_names() -> list[str]:
    """Names of the recipes that ship, sorted: those of the demo, then those of the papers."""
    return [*sorted(p.stem for p in _folder().glob("*.yaml")), *paper_names()]


def recipe_file(name: str) -> Path:
    """The file behind a name.

    Raises:
        UnknownName: No recipe of that name ships.
    """
    if name not in recipe_names():
        raise UnknownName("recipe", name, recipe_names(), nearest(name, recipe_names()))
    return (papers_folder() if "/" in name else _folder()) / f"{name}.yaml"
