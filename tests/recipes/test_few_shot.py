"""Few-shot mode: k per class, drawn by the seed, with the zero-shot model among the candidates."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.data.dataset import Task
from surefoot.errors import DataError, RecipeError
from surefoot.evals.evaluate import evaluate
from surefoot.evals.zero_shot import pretrained_end
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.few_shot import drawn
from surefoot.recipes.recipe import Recipe, parse_recipe
from surefoot.registry import METHODS
from surefoot.report import render
from surefoot.runs import open_study

from ..conftest import CLASSES

SCHEDULE = {"epochs": 1, "batch_size": 16, "lr": 1e-3}
FT = {"name": "ft", "schedule": SCHEDULE}


def recipe(data: dict[str, Any], **changes: Any) -> Recipe:
    plain = {
        "model": "tiny-clip",
        "data": {"train": "-", **data},
        "methods": [FT],
        "path": {"alphas": 3},
        "device": "cpu",
    }
    return parse_recipe({**plain, **changes})


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


def ids(task: Task, split: str) -> list[str]:
    part = getattr(task, split)
    return [part.images.id(i) for i in range(len(part))]


def test_k_per_class_by_the_seed(task: Task) -> None:
    asked = recipe({"few_shot": 4, "repeats": 3})
    draws = [drawn(task, asked, seed) for seed in asked.spec.seeds]
    for one in draws:
        for split in (one.train, one.val):
            assert np.bincount(split.require_labels()).tolist() == [4] * len(CLASSES)
        assert one.test is task.test
        assert one.shifts == task.shifts
    for split in ("train", "val"):
        assert ids(draws[1], split) == ids(drawn(task, asked, 1), split)
        for a, b in itertools.combinations(draws, 2):
            assert set(ids(a, split)) != set(ids(b, split))
    assert drawn(task, recipe({}), 0) is task


def test_repeats_are_seeds_and_the_recipe_says_it_all() -> None:
    asked = recipe({"few_shot": 4, "repeats": 5})
    assert asked.spec.seeds == [0, 1, 2, 3, 4]
    assert asked.spec.data.val_fraction == 0.5
    again = parse_recipe(asked.to_dict())
    assert again.to_dict() == asked.to_dict()
    assert again.hash() == asked.hash()
    assert recipe({"few_shot": 4, "val_fraction": 0.2}).spec.data.val_fraction == 0.2
    assert recipe({"repeats": 2}).spec.data.val_fraction == 0.1
    assert recipe({"few_shot": 8}).hash() != recipe({"few_shot": 4}).hash()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"repeats": 3}, "data.repeats is 3, which means the seeds 0 to 2, but seeds are .7."),
        ({"few_shot": 0}, "data.few_shot: Input should be greater than or equal to 1, not 0"),
        ({"repeats": 0}, "data.repeats: Input should be greater than or equal to 1, not 0"),
        ({"few_shots": 4}, "there is no such key; did you mean 'few_shot'"),
    ],
)
def test_what_does_not_fit_is_said(data: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(data, seeds=[7])


def test_a_class_with_too_few_images_is_named(clip: Model, task: Task, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the class 'circle' has 10 images in 'val', fewer than"):
        run_recipe(recipe({"few_shot": 11}), tmp_path / "run", task=task, start=clip)


def test_a_study_repeats_and_reports(clip: Model, task: Task, tmp_path: Path) -> None:
    asked = recipe({"few_shot": 2, "repeats": 2})
    study = run_recipe(asked, tmp_path / "study", task=task, start=clip)
    assert [r.path.name for r in study.runs] == ["ft-s0", "ft-s1"]
    notes = open_study(tmp_path / "study").facts["task"]["notes"]
    assert any("drawn anew for each of the 2 seeds" in note for note in notes)
    kept = []
    for run in study.runs:
        splits = run.facts["task"]["splits"]
        assert {name: s["n"] for name, s in splits.items()} == {
            "train": 6,
            "val": 6,
            "test": 30,
            "recoloured": 30,
        }
        # The zero-shot model is a candidate: it is at alpha 0, which no rule leaves out.
        curve = run.curve()
        assert curve is not None
        assert curve.alphas[0] == 0
        chosen = next(s for s in run.selections() if s.rule == "id_val")
        values = curve.values("val")
        assert values[curve.alphas.index(chosen.alpha)] == values.max()
        predictions = run.predictions("val", 0.0)
        assert predictions is not None
        kept.append(set(predictions.ids))
    assert kept[0] != kept[1]
    assert Path(render(study)).is_file()


@pytest.mark.parametrize(("lr", "stays"), [(0.0001, None), (30.0, True)])
def test_off_the_path_the_zero_shot_model_is_a_candidate_too(
    clip: Model, task: Task, tmp_path: Path, lr: float, stays: bool | None
) -> None:
    method = {"name": "ft", "schedule": {**SCHEDULE, "lr": lr, "clip": None, "optimizer": "sgd"}}
    asked = recipe({"few_shot": 3}, methods=[method], path=None)
    # Where the start must win, it has a head that fits, however well its text tower knows shapes.
    start = METHODS.get("lp")(c_path=(0.1,)).fit(clip, task) if stays else clip
    study = run_recipe(asked, tmp_path / "run", task=task, start=start)
    run = study.runs[0]
    (chosen,) = run.selections()
    begin = pretrained_end(start, task)
    few = drawn(task, asked, 0)
    before = {s.split: s.value for _, s in evaluate(begin, few)}
    after = {r.split: r.value for r in run.scores() if r.selection == "end"}
    expected = before["val"] >= after["val"]
    if stays is not None:
        assert expected is stays
    assert (chosen.rule, chosen.alpha, chosen.chosen_on) == ("id_val", float(not expected), "val")
    got = {r.split: r.value for r in run.scores() if r.selection == "id_val"}
    assert got == (before if expected else after)
    assert f"{before['val']:.4f} before and {after['val']:.4f}" in chosen.reason
    assert Path(render(study)).is_file()
