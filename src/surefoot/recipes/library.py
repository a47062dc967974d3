"""Recipe files that ship with the package. No torch here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ..errors import UnknownName
from ..registry import nearest

__all__ = ["recipe_file", "recipe_names"]


def _folder() -> Path:
    return Path(str(resources.files("surefoot.recipes") / "files"))


def recipe_names() -> list[str]:
    """Names of the recipes that ship, sorted."""
    return sorted(p.stem for p in _folder().glob("*.yaml"))


def recipe_file(name: str) -> Path:
    """The file behind a name.

    Raises:
        UnknownName: No recipe of that name ships.
    """
    path = _folder() / f"{name}.yaml"
    if not path.is_file():
        raise UnknownName("recipe", name, recipe_names(), nearest(name, recipe_names()))
    return path
