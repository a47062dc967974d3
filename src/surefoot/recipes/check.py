"""Check without running: recipes and data, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..data.check_folder import check_folder
from ..data.prompts import TEMPLATE_SETS, check_templates, templates
from ..errors import DataError, MissingDependency, RecipeError, SurefootError, UnknownName
from .check_parts import data_problems, model_problem
from .recipe import DataSpec, load_recipe

__all__ = ["check_recipe", "check_target"]


_SHIPPED = Path(__file__).resolve().parent / "files"
"""Recipes in it may name checkpoints that the user brings."""


def check_target(target: str | Path, unit: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """(name, problems) of a recipe, of every recipe in a folder, or of a data folder or table.

    A folder that holds YAML files, at any depth, is taken for recipes; any other for data, of
    which ``unit`` is to say what hangs together (recipes name their own).
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
    yield str(path), check_folder(path, unit=unit)


def _recipes_in(folder: Path) -> list[Path]:
    """YAML files at any depth, links followed: recipes/ of the repository holds some."""
    return sorted(
        Path(where) / name
        for where, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith((".yaml", ".yml"))
    )


def check_recipe(path: str | Path) -> list[str]:
    """Every problem of one recipe file, of the model and of the local data that it names.

    Parts that do not validate do not hide what is wrong with the others.
    """
    problems: list[str] = []
    model: Any
    data: DataSpec | None
    try:
        spec = load_recipe(path).spec
        model, data = spec.model, spec.data
    except RecipeError as error:
        problems += error.problems
        model, data = _valid_parts(path)
    except SurefootError as error:
        return [str(error)]
    if isinstance(model, str):
        ships = Path(path).resolve().is_relative_to(_SHIPPED)
        wrong = model_problem(model, bring_files=ships)
        problems += [f"model: {wrong}"] if wrong else []
    if data is not None:
        problems += data_problems(data) + _templates(data.templates)
    return problems


def _valid_parts(path: str | Path) -> tuple[Any, DataSpec | None]:
    """The model and the data of a recipe that does not validate as a whole, where they do."""
    try:
        plain = yaml.safe_load(Path(path).read_text())
        if not isinstance(plain, dict):
            return None, None
        return plain.get("model"), DataSpec.model_validate(plain.get("data"))
    except ValidationError:
        return plain.get("model"), None
    except (OSError, ValueError, yaml.YAMLError):
        return None, None


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
