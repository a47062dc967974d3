"""The demo: the main job on built-in data, from two recipe files that ship with the package."""

from __future__ import annotations

import yaml

from .library import recipe_file
from .recipe import Recipe, parse_recipe

__all__ = ["demo_recipe"]


def demo_recipe(*, full: bool = False, seed: int = 0, device: str = "auto") -> Recipe:
    """The recipe of ``surefoot demo``.

    Args:
        full: All images over five seeds, instead of a seeded subset and one.
        seed: Of the subset and the fit; the first of five for ``full``.
        device: As the user says.
    """
    data = yaml.safe_load(recipe_file("demo-full" if full else "demo").read_text())
    data["seeds"] = [seed + i for i in range(len(data["seeds"]))]
    data["data"]["seed"] = seed
    data["device"] = device
    return parse_recipe(data, where="the demo's recipe")
