"""Recipes: validated at the door, every problem at once, and back to YAML without loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from surefoot.errors import RecipeError, UnknownName
from surefoot.methods.ft import FineTune
from surefoot.recipes.check import look_at
from surefoot.recipes.library import recipe_file, recipe_names
from surefoot.recipes.recipe import load_recipe, parse_recipe

PLAIN = {
    "model": "tiny-clip",
    "data": {"train": "photos/train", "shifts": {"sketch": "photos/sketch"}},
    "methods": [{"name": "ft", "schedule": {"epochs": 2}}, "zero-shot"],
}


def test_defaults_are_written_out_and_read_back(tmp_path: Path) -> None:
    recipe = parse_recipe(PLAIN)
    assert recipe.methods[0] == FineTune(schedule=FineTune().schedule.__class__(epochs=2))
    recipe.save(tmp_path / "recipe.yaml")
    again = load_recipe(tmp_path / "recipe.yaml")
    assert again.to_dict() == recipe.to_dict()
    assert again.methods == recipe.methods
    assert again.hash() == recipe.hash()
    text = (tmp_path / "recipe.yaml").read_text()
    assert "weight_decay: 0.1" in text


def test_the_hash_follows_what_can_change_a_number() -> None:
    other = {**PLAIN, "methods": [{"name": "ft", "schedule": {"epochs": 3}}, "zero-shot"]}
    assert parse_recipe(PLAIN).hash() != parse_recipe(other).hash()


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            {
                "modle": "tiny-clip",
                "data": {"train": 3, "shift": {}},
                "methods": [{"name": "ft", "schedule": {"epochs": 0}}, {"name": "lpft"}],
                "path": {"rules": ["best"]},
                "seeds": [],
            }
        )
    text = str(caught.value)
    for part in (
        "modle: there is no such key; did you mean 'model'?",
        "model: this key is missing",
        "data.train",
        "data.shift: there is no such key; did you mean 'shifts'?",
        "epochs is 0",
        "lp-ft",
        "path.rules.0",
        "seeds",
    ):
        assert part in text
    assert len(caught.value.problems) == 8


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "model: [unclosed"])
def test_files_that_are_no_recipes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        load_recipe(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_validate(name: str) -> None:
    assert [one.problems for one in look_at(recipe_file(name))] == [()]


def test_there_are_recipes_to_check() -> None:
    assert {"demo", "demo-full"} <= set(recipe_names())
    with pytest.raises(UnknownName, match="demo-full"):
        recipe_file("demo-ful")


def test_check_names_paths_that_do_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                **PLAIN,
                "data": {
                    "train": str(tmp_path / "no"),
                    "class_maps": {"art": str(tmp_path / "map.yaml")},
                },
            }
        )
    )
    [(_, problems, _)] = look_at(path)
    assert [p.split(":")[0] for p in problems] == [
        "data.train",
        "data.class_maps.art",
        "data.class_maps.art",
    ]
