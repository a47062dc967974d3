"""Methods that no path leads to, runs without a path, and the head policy "text"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.data.dataset import Task
from surefoot.errors import AlphaError
from surefoot.evals.evaluate import evaluate
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.recipes.ends import load_path, model_of_run
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.members import resolve_model
from surefoot.recipes.recipe import Recipe, parse_recipe
from surefoot.report import render, render_terminal
from surefoot.runs import Run
from surefoot.weights.fingerprint import fingerprint

SCHEDULE = {"epochs": 1, "batch_size": 16, "lr": 1e-3}
FT = {"name": "ft", "schedule": SCHEDULE}
SIDE = {"name": "side-tuning", "schedule": SCHEDULE}
ENSEMBLE = {"name": "output-ensemble", "inner": FT}
FLYP = {"name": "flyp", "schedule": SCHEDULE}


def recipe(**changes: Any) -> Recipe:
    plain = {
        "model": "tiny-clip",
        "data": {"train": "-"},
        "methods": [FT],
        "path": {"alphas": 3},
        "device": "cpu",
    }
    return parse_recipe({**plain, **changes})


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


def test_off_path_methods_are_scored_beside_the_others(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    asked = recipe(methods=["zero-shot", SIDE, ENSEMBLE])
    study = run_recipe(asked, tmp_path / "study", task=task, start=clip)
    for run in study.runs:
        assert run.status == "finished"
        assert run.curve() is None
        assert run.selections() == []
        rows = run.scores()
        assert {r.split for r in rows} == {"val", "test", "recoloured"}
        assert {(r.alpha, r.selection) for r in rows} == {(None, "end")}
    zero, side, both = (r.path for r in study.runs)
    assert not (zero / "end.safetensors").exists()
    for folder in (side, both):
        assert not (folder / "start.json").exists()
        again = model_of_run(folder)[0]
        stored = Run.open(folder).predictions("test", None)
        assert stored is not None
        np.testing.assert_allclose(predict(again, task.test).logits, stored.logits, atol=1e-4)
        assert fingerprint(resolve_model(str(folder))) == fingerprint(again)
        assert fingerprint(load(str(folder))) == fingerprint(again)
    with pytest.raises(AlphaError, match=r"kept its tuned end alone, no path: alpha 0\.5"):
        model_of_run(side, 0.5)
    page = render(study)
    assert "Side-tuning" in Path(page).read_text()
    assert "Side-tuning" in render_terminal(study)


def test_a_run_without_a_path_keeps_what_it_trained(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    run_recipe(recipe(path=None), tmp_path / "run", task=task, start=clip)
    model, alpha = model_of_run(tmp_path / "run", "end")
    assert alpha == 1.0
    swept = run_recipe(recipe(), tmp_path / "swept", task=task, start=clip)
    assert fingerprint(model) == fingerprint(load_path(swept.runs[0]).end)


def test_the_head_policy_text_is_kept_and_others_fall_back(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    asked = recipe(methods=[FLYP, FT], path={"alphas": 3, "head": "text"})
    flyp, ft = run_recipe(asked, tmp_path / "study", task=task, start=clip).runs
    assert flyp.read_json("start.json")["head"] == "text"
    assert ft.read_json("start.json")["head"] == "interpolate"
    log = (ft.path / "log.jsonl").read_text().splitlines()
    notes = [json.loads(line).get("note", "") for line in log]
    assert any("is not what its text tower writes" in note for note in notes)
    path = load_path(flyp)
    assert fingerprint(path.at(0)) == fingerprint(pretrained_end(clip, task))
    stored = flyp.predictions("test", 0.5)
    assert stored is not None
    again = predict(path.at(0.5), task.test)
    np.testing.assert_allclose(again.logits, stored.logits, atol=1e-4)


@pytest.mark.parametrize("alphas", [{"alphas": 2}, None])
def test_a_result_without_a_head_is_scored_by_neighbours(
    clip: Model, task: Task, tmp_path: Path, alphas: Any
) -> None:
    """Language supervision by its name among other methods; the others keep their heads."""
    language = {"name": "language", "text": "random:16", "schedule": SCHEDULE}
    asked = recipe(methods=["zero-shot", language], path=alphas)
    study = run_recipe(asked, tmp_path / "study", task=task, start=clip)
    first, second = study.runs
    assert {row.evaluator for row in first.scores()} == {"head"}
    rows = second.scores()
    assert second.status == "finished"
    assert second.facts["evaluator"] == "knn"
    assert {row.evaluator for row in rows} == {"knn"}
    assert {row.split for row in rows} == {"val", "test", "recoloured"}
    assert "without a head" in (second.path / "log.jsonl").read_text()
    if alphas is not None:
        assert {row.alpha for row in rows} == {0.0, 0.5, 1.0}
        said = second.predictions("test", 0.0, "knn")
        assert said is not None
        [(expected, _)] = evaluate(clip, task, evaluator="knn", splits=["test"], device="cpu")
        np.testing.assert_allclose(said.logits, expected.logits, atol=1e-4)
    assert Path(render(study)).is_file()
    assert "language" in render_terminal(study).lower()
