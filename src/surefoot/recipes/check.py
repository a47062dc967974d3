"""Check without running: recipes and data, all problems at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..data.check import check_folder
from ..errors import RecipeError, SurefootError
from .recipe import load_recipe

__all__ = ["check_recipe", "check_target"]


def check_target(target: str | Path) -> Iterator[tuple[str, list[str]]]:
    """(name, problems) of a recipe, of every recipe in a folder, or of a data folder or table.

    A folder that holds YAML files, at any depth, is taken for recipes; any other for data.
    """
    path = Path(target)
    if path.suffix in (".yaml", ".yml"):
        yield str(path), check_recipe(path)
        return
    recipes = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else []
    if recipes:
        for recipe in recipes:
            yield str(recipe), check_recipe(recipe)
        return
    yield str(path), check_folder(path)


def check_recipe(path: str | Path) -> list[str]:
    """Every problem of one recipe file; local paths that it names must exist."""
    try:
        recipe = load_recipe(path)
    except RecipeError as error:
        return list(error.problems)
    except SurefootError as error:
        return [str(error)]
    data = recipe.spec.data
    named = {"data.train": data.train, "data.val": data.val, "data.test": data.test}
    named |= {f"data.shifts.{k}": v for k, v in data.shifts.items()}
    named |= {f"data.class_maps.{k}": v for k, v in data.class_maps.items()}
    problems = [
        f"{key}: {value} does not exist"
        for key, value in named.items()
        if value and _is_local(value) and not Path(value).exists()
    ]
    stray = sorted(set(data.class_maps) - set(data.shifts))
    problems += [f"data.class_maps.{name}: there is no shift {name!r}" for name in stray]
    return problems


def _is_local(value: str) -> bool:
    """A path, rather than a built-in name or a prefixed source."""
    return not value.startswith(("hf:", "wds:", "pictograms"))
