"""Check without running: recipes and data, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..data.check import check_folder
from ..data.known.find import as_known
from ..data.prompts import TEMPLATE_SETS, check_templates, templates
from ..errors import DataError, MissingDependency, RecipeError, SurefootError, UnknownName
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
    recipes = _recipes_in(path)
    if recipes:
        for recipe in recipes:
            yield str(recipe), check_recipe(recipe)
        return
    yield str(path), check_folder(path)


def _recipes_in(folder: Path) -> list[Path]:
    """YAML files at any depth, links followed: recipes/ of the repository holds some."""
    return sorted(
        Path(where) / name
        for where, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith((".yaml", ".yml"))
    )


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
        f"{key}: {problem}"
        for key, value in named.items()
        if value and (problem := _not_there(value, data.root))
    ]
    stray = sorted(set(data.class_maps) - set(data.shifts))
    problems += [f"data.class_maps.{name}: there is no shift {name!r}" for name in stray]
    return problems + _templates(data.templates)


def _templates(given: str | list[str] | None) -> list[str]:
    """What is wrong with the templates; sets of a package that is not installed are believed."""
    try:
        if isinstance(given, str):
            templates(given)
        elif given is not None:
            check_templates(given, where="data.templates")
    except MissingDependency:
        pass
    except DataError as error:
        return [f"data.templates: {error.wrong}"]
    except UnknownName as error:
        return [f"data.templates: {error.wrong} There are {', '.join(TEMPLATE_SETS)}."]
    return []


def _not_there(value: str, root: str | None) -> str:
    """What is wrong with a path; "" where it exists, or is a name or a prefixed source.

    Published data sets are named rightly or wrongly; whether they are on this disk is not asked.
    """
    if value.startswith(("hf:", "wds:", "pictograms")):
        return ""
    try:
        if as_known(value, root) is not None:
            return ""
    except DataError as error:
        return error.wrong
    return "" if Path(value).exists() else f"{value} does not exist"
