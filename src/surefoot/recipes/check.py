"""Check without running: recipes and data, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from ..context import cap_threads
from ..data.check_folder import check_folder
from ..data.prompts import TEMPLATE_SETS, check_templates, templates
from ..data.reading import SplitReader
from ..data.source import Source
from ..data.specs import make_task
from ..data.units import with_unit
from ..errors import (
    DataError,
    MissingDependency,
    RecipeError,
    Refused,
    SurefootError,
    UnknownName,
)
from ..inventory import Inventory
from ..models.load import load
from .check_parts import data_problems, model_problem
from .inventory import records_of, refused, take_inventory
from .recipe import DataSpec, Recipe, load_recipe
from .tasks import prepare, task_of

__all__ = ["Checked", "check_parts_of", "check_recipe", "look_at"]


_SHIPPED = Path(__file__).resolve().parent / "files"
"""Recipes in it may name checkpoints that the user brings."""


class Checked(NamedTuple):
    """What was found of one thing.

    Attributes:
        name: Of it.
        problems: In words, some of several lines; none where it is good.
        lines: Of its inventory, where there is one.
    """

    name: str
    problems: tuple[str, ...]
    lines: tuple[str, ...] = ()


def look_at(
    target: str | Path, unit: str | None = None, *, root: str | None = None
) -> Iterator[Checked]:
    """What is wrong with a recipe, with every recipe in a folder, or with a data folder or table.

    A folder that holds YAML files, at any depth, is taken for recipes; any other for data, of
    which ``unit`` is to say what hangs together (recipes name their own). ``root`` holds the
    published data sets that a recipe names.
    """
    path = Path(target)
    if path.suffix in (".yaml", ".yml"):
        yield _checked_recipe(path, root)
        return
    recipes = _recipes_in(path)
    yield from (_checked_recipe(recipe, root) for recipe in recipes)
    if not recipes:
        yield _checked_data(target, unit)


def _checked_recipe(path: Path, root: str | None) -> Checked:
    """A recipe; one of the user's is looked at as ``fit`` would, with its data and its model."""
    problems = tuple(check_recipe(path))
    if problems or path.resolve().is_relative_to(_SHIPPED):
        return Checked(str(path), problems)
    recipe = load_recipe(path).at(root)
    return check_parts_of(recipe, {"model", "train", "methods"}, name=str(path))


def _checked_data(target: str | Path, unit: str | None) -> Checked:
    """Data as ``fit --train`` would take them; of broken ones everything that is wrong."""
    name, threads = str(target), cap_threads() if cap_threads() > 2 else 0
    try:
        with SplitReader(workers=threads).together() as reader:
            split = reader.read(Source.parse(target), "train", "ID", "train")
        if unit is not None:
            split = with_unit(split, unit)
        split = replace(split, notes=(*split.notes, *reader.notes))
        make_task(train=target, check=False)
    except SurefootError as error:
        return Checked(name, tuple(check_folder(target, unit=unit)) or (str(error),))
    return Checked(name, (), tuple(take_inventory(split).lines()))


def check_parts_of(
    recipe: Recipe,
    parts: Collection[str],
    *,
    name: str = "fit",
    strict: bool = False,
    keep_going: bool = False,
) -> Checked:
    """What a run of a recipe would say before it trains; nothing is trained, no folder made.

    Args:
        recipe: What would be run.
        parts: Which of "model", "train" and "methods" are meant.
        name: For the result.
        strict: As in :func:`~.tasks.prepare`.
        keep_going: Likewise.
    """
    try:
        if {"model", "train"} <= set(parts):
            methods = recipe.methods if "methods" in parts else ()
            asked = replace(recipe, methods=methods)
            found = prepare(asked, strict=strict, keep_going=keep_going).inventory
        elif "train" in parts:
            found = take_inventory(task_of(recipe.spec.data))
            if wrong := refused(
                found, strict=strict, chosen_on_test=recipe.spec.data.chosen_on_test
            ):
                raise Refused.of(wrong)
        else:
            model = load(recipe.spec.model) if "model" in parts else None
            found = Inventory("none", model={} if model is None else records_of(model))
    except Refused as error:
        return Checked(name, tuple(map(str, error.problems)))
    except SurefootError as error:
        return Checked(name, (str(error),))
    return Checked(name, (), tuple(found.lines()))


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
