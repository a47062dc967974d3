"""The recipe of ``surefoot demo --full``: every method it names, over several seeds.

All images take an hour; a few of them, in one epoch and at three alphas, go the same way.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surefoot.methods.ft import FineTune
from surefoot.recipes.demo import demo_recipe
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.recipe import parse_recipe
from surefoot.report import render, render_terminal


def test_it_takes_all_images_and_five_seeds() -> None:
    recipe = demo_recipe(full=True, seed=3)
    assert recipe.spec.seeds == [3, 4, 5, 6, 7]
    assert (recipe.spec.data.limit_train, recipe.spec.data.limit_eval) == (None, None)
    heads = [m.head for m in recipe.methods if isinstance(m, FineTune)]
    assert heads == ["zero_shot", "random"]  # the paper compares LP-FT with the second


@pytest.mark.slow
def test_on_few_images_it_ends_with_a_report_over_seeds(tmp_path: Path) -> None:
    plain = demo_recipe(full=True, device="cpu").to_dict()
    plain["data"] |= {"limit_train": 620, "limit_eval": 48}
    plain["path"]["alphas"] = [0, 0.5, 1]
    plain["seeds"] = [0, 1]
    for method in plain["methods"]:
        tuned = method["tune"] if method["name"] == "lp-ft" else method
        if "schedule" in tuned:
            tuned["schedule"] |= {"epochs": 1}
        if method["name"] == "lp":
            method["c_path"] = [0.1, 1.0]
    study = run_recipe(parse_recipe(plain), tmp_path / "study")
    members = json.loads((tmp_path / "study" / "study.json").read_text())["members"]
    assert len(members) == 2 * len(plain["methods"])
    assert "2 seeds" in render(study).read_text(encoding="utf-8")
    said = render_terminal(study)
    for label in ("Zero-shot", "LP", "FT", "LP-FT"):
        assert label in said
