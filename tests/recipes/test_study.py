"""From a recipe to a folder: what is kept, what is refused, what goes on after a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.data.dataset import Task
from surefoot.data.loading import images_at_once
from surefoot.errors import AlphaError, RunError
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.inventory import Inventory
from surefoot.methods.ft import FineTune
from surefoot.methods.lp_ft import LPFT
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.recipes import job as job_module
from surefoot.recipes.auto_lr import schedules, with_schedule
from surefoot.recipes.ends import load_path, model_of_run
from surefoot.recipes.experiment import member_names, run_recipe
from surefoot.recipes.recipe import Recipe, parse_recipe
from surefoot.runs import Run, open_study
from surefoot.weights.fingerprint import fingerprint

SCHEDULE = {"epochs": 2, "batch_size": 16, "lr": 1e-3}
FT = {"name": "ft", "schedule": SCHEDULE}


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


@pytest.fixture
def finished(clip: Model, task: Task, tmp_path: Path) -> Run:
    run_recipe(recipe(), tmp_path / "run", task=task, start=clip, command="surefoot fit ...")
    return Run.open(tmp_path / "run")


def test_a_run_keeps_everything(finished: Run, clip: Model, task: Task) -> None:
    kept = {p.name for p in finished.path.iterdir()}
    assert kept == {
        "recipe.yaml",
        "env.json",
        "run.json",
        "log.jsonl",
        "scores.jsonl",
        "selections.jsonl",
        "predictions",
        "start.json",
        "start.safetensors",
        "end.safetensors",
        "examples.json",
        "decision.json",
    }
    assert finished.status == "finished"
    assert finished.read_json("env.json")["command"] == "surefoot fit ..."
    rows = finished.scores()
    assert {r.selection for r in rows} == {"none", "end", "fixed", "id_val", "one_se", "oracle"}
    assert {r.split for r in rows} == {"val", "test", "recoloured"}
    assert all(r.n == 30 and r.low <= r.value <= r.high and r.recipe for r in rows)
    assert {r.method for r in rows if r.selection == "fixed"} == {"wise-ft(ft)"}
    curve = finished.curve()
    assert curve is not None
    assert curve.alphas == (0.0, 0.5, 1.0)
    assert set(curve.correct) == {"val", "test", "recoloured"}


def test_any_alpha_can_be_had_later(finished: Run, clip: Model, task: Task) -> None:
    path = load_path(finished)
    assert fingerprint(path.at(0)) == fingerprint(pretrained_end(clip, task))
    stored = finished.predictions("test", 0.5)
    assert stored is not None
    again = predict(path.at(0.5), task.scored()["test"])
    np.testing.assert_allclose(again.logits, stored.logits, atol=1e-4)
    model, alpha = model_of_run(finished.path, "fixed")
    assert alpha == 0.5
    assert fingerprint(model) == fingerprint(path.at(0.5))
    with pytest.raises(AlphaError, match="neither a number nor a rule"):
        model_of_run(finished.path, "best")


def test_a_start_that_changed_is_noticed(finished: Run) -> None:
    facts = finished.read_json("start.json")
    finished.write_json("start.json", {**facts, "sha256": "0" * 64})
    with pytest.raises(RunError, match="other weights"):
        load_path(finished)


def test_nothing_is_overwritten(finished: Run, clip: Model, task: Task) -> None:
    with pytest.raises(RunError, match="exists already"):
        run_recipe(recipe(), finished.path, task=task, start=clip)
    with pytest.raises(RunError, match="another recipe"):
        run_recipe(recipe(seeds=[5]), finished.path, task=task, start=clip, resume=True)


def test_other_pixels_under_the_same_names_are_not_gone_on_with(
    finished: Run, clip: Model, task: Task
) -> None:
    turned = list(reversed(range(len(task.train))))

    class Others:
        def __len__(self) -> int:
            return len(turned)

        def __getitem__(self, index: int) -> Any:
            return task.train.images[turned[index]].rotate(90)

        def id(self, index: int) -> str:
            return task.train.images.id(index)

    other = replace(task, train=replace(task.train, images=Others()))
    with pytest.raises(RunError, match="other images of 'train'"):
        run_recipe(recipe(), finished.path, task=other, start=clip, resume=True)
    run_recipe(recipe(), finished.path, task=task, start=clip, resume=True)


def test_two_methods_and_two_seeds_make_a_study(clip: Model, task: Task, tmp_path: Path) -> None:
    asked = recipe(methods=["zero-shot", FT], seeds=[0, 1])
    study = run_recipe(asked, tmp_path / "study", task=task, start=clip)
    names = ["zero-shot-s0", "ft-s0", "zero-shot-s1", "ft-s1"]
    assert [r.path.name for r in study.runs] == names
    assert [r.facts["seed"] for r in open_study(tmp_path / "study").runs] == [0, 0, 1, 1]
    zero, tuned = study.runs[0], study.runs[1]
    assert zero.curve() is None
    start = {r.split: r.value for r in zero.scores()}
    at0 = {r.split: r.value for r in tuned.scores() if r.alpha == 0 and r.selection == "none"}
    assert start == at0


def test_a_killed_study_goes_on_where_it_stopped(
    clip: Model, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe(methods=["zero-shot", FT])
    whole = run_recipe(asked, tmp_path / "whole", task=task, start=clip)
    monkeypatch.setattr(job_module, "sweep", _killed)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(asked, tmp_path / "cut", task=task, start=clip)
    monkeypatch.undo()
    assert Run.open(tmp_path / "cut" / "zero-shot").status == "finished"
    assert Run.open(tmp_path / "cut" / "ft").status == "interrupted"
    said: list[str] = []
    again = run_recipe(asked, tmp_path / "cut", task=task, start=clip, resume=True, say=said.append)
    told = Inventory.from_json(whole.facts["inventory"]).lines()
    assert said[: len(told)] == told
    assert "  train       45; 15 a class" in told
    assert said[len(told)] == "zero-shot: finished already"
    values = [[(r.split, r.alpha, r.value) for r in s.runs[1].scores()] for s in (whole, again)]
    assert values[0] == values[1]
    log = (again.runs[1].path / "log.jsonl").read_text().splitlines()
    notes = [json.loads(line).get("note") for line in log]
    assert "resumed after epoch 2 of 2" in notes


def test_a_resumed_run_looks_at_as_many_images_at_once_as_it_began_with(
    clip: Model, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default that depends on the device, and logits repeat only in equal batches."""
    monkeypatch.setattr(job_module, "sweep", _killed)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe(), tmp_path, task=task, start=clip)
    monkeypatch.undo()
    begun = Run.open(tmp_path)
    size = clip.spec.transform.size
    assert begun.facts["eval_batch_size"] == images_at_once(size, "cpu")
    begun.write_json("run.json", {**begun.facts, "eval_batch_size": 7})
    asked: list[int] = []
    real = job_module.sweep

    def seen(*arguments: Any, **options: Any) -> Any:
        asked.append(options["batch_size"])
        return real(*arguments, **options)

    monkeypatch.setattr(job_module, "sweep", seen)
    run_recipe(recipe(), tmp_path, task=task, start=clip, resume=True)
    assert asked == [7]
    assert Run.open(tmp_path).facts["eval_batch_size"] == 7


def _killed(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def test_limits_make_it_a_trial(clip: Model, tmp_path: Path, folders: Path) -> None:
    data = {
        "train": str(folders / "train"),
        "test": str(folders / "test"),
        "shifts": {"dim": str(folders / "shift")},
        "limit_train": 12,
        "limit_eval": 9,
    }
    study = run_recipe(recipe(data=data), tmp_path / "run", start=clip)
    assert study.runs[0].status == "trial"
    splits = study.runs[0].facts["task"]["splits"]
    assert {name: s["n"] for name, s in splits.items()} == {
        "train": 12,
        "val": 3,
        "test": 9,
        "dim": 9,
    }


def test_the_learning_rate_is_chosen_on_id_validation(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    said: list[str] = []
    asked = recipe(tune={"lr": [1e-5, 1e-3], "epochs": 1})
    run_recipe(asked, tmp_path / "run", task=task, start=clip, say=said.append)
    [line] = [line for line in said if "2 values" in line]
    assert "1 epochs of 45 images" in line
    table = json.loads((tmp_path / "run" / "tuning.json").read_text())
    assert table["chosen_on"] == "val"
    best = max(table["trials"], key=lambda t: (t["val"], -t["val_nll"], -t["lr"]))
    assert table["lr"] == best["lr"]
    assert task.scored()["test"].split.images.decoded == 30 + examples(tmp_path)  # type: ignore[attr-defined]


def test_a_resumed_run_does_not_choose_its_learning_rate_again(
    clip: Model, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe(tune={"lr": [1e-5, 1e-3], "epochs": 1})
    monkeypatch.setattr(job_module, "sweep", _killed)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(asked, tmp_path / "run", task=task, start=clip)
    monkeypatch.undo()
    table = (tmp_path / "run" / "tuning.json").read_text()
    said: list[str] = []
    run_recipe(asked, tmp_path / "run", task=task, start=clip, resume=True, say=said.append)
    assert any("chosen before" in line for line in said)
    assert (tmp_path / "run" / "tuning.json").read_text() == table
    assert not any("2 values" in line for line in said)
    assert any("resumed after epoch" in line for line in said)


def test_a_learning_rate_is_chosen_by_the_tasks_own_metric(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    said: list[str] = []
    asked = recipe(tune={"lr": [1e-3], "epochs": 1})
    run_recipe(asked, tmp_path / "run", task=replace(task, metric="macro_f1"), start=clip,
              say=said.append)  # fmt: skip
    assert any("macro_f1" in line for line in said)
    run_recipe(recipe(methods=["zero-shot"], tune={"lr": "auto"}), tmp_path / "none", task=task,
              start=clip, say=said.append)  # fmt: skip
    assert any("has none to choose" in line for line in said)


def examples(tmp_path: Path) -> int:
    rows = json.loads((tmp_path / "run" / "examples.json").read_text())
    return sum(row["split"] == "test" for row in rows)


def test_schedules_are_found_and_changed_in_nested_methods() -> None:
    method = LPFT()
    assert [s.lr for s in schedules(method)] == [1e-3]
    changed = with_schedule(method, lr=0.5)
    assert changed.tune.schedule.lr == 0.5
    assert changed.probe == method.probe


@pytest.mark.parametrize("changes", [
    {"evaluate": ["head", "knn"]}, {"path": None}, {"methods": ["zero-shot"]},
    {"data": {"train": "-", "few_shot": 2}, "path": None},
])  # fmt: skip
def test_every_row_has_the_version_of_its_own_split(
    clip: Model, task: Task, tmp_path: Path, changes: dict[str, Any]
) -> None:
    shift = task.shifts[0]
    mixed = replace(
        task,
        val=replace(task.val, version="val 1"),
        test=replace(task.test, version="test 2"),
        shifts=(replace(shift, split=replace(shift.split, version="shift 3")),),
    )
    run_recipe(recipe(**changes), tmp_path / "run", task=mixed, start=clip)
    versions = {(row.split, row.version) for row in Run.open(tmp_path / "run").scores()}
    assert versions == {("val", "val 1"), ("test", "test 2"), ("recoloured", "shift 3")}


def test_member_names_are_unique() -> None:
    methods = [FineTune(), FineTune(head="random"), FineTune(), FineTune(), LPFT()]
    assert member_names(methods) == ["ft", "ft-random-head", "ft-2", "ft-3", "lp-ft"]


def test_knn_is_scored_at_both_ends_and_every_chosen_alpha(
    clip: Model, task: Task, tmp_path: Path
) -> None:
    run_recipe(recipe(evaluate=["head", "knn"]), tmp_path / "run", task=task, start=clip)
    run = Run.open(tmp_path / "run")
    rows = [r for r in run.scores() if r.evaluator == "knn"]
    assert {r.alpha for r in rows} >= {0.0, 0.5, 1.0}
    assert {r.selection for r in rows} >= {"none", "end", "fixed", "one_se"}
    kept = run.predictions("test", 0.5, "knn")
    assert kept is not None
    half = next(r for r in rows if r.split == "test" and r.selection == "fixed")
    assert half.value == kept.correct().mean()
    curve = run.curve()
    assert curve is not None
    head = next(r for r in run.scores() if r.split == "test" and r.alpha == 0.5)
    assert curve.values("test")[1] == head.value
