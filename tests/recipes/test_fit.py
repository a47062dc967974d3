"""``sf.fit`` is the command line's ``fit``; ``evaluate`` and ``sweep`` agree with it too."""

from __future__ import annotations

import inspect
from typing import Any

import click
import pytest

import surefoot as sf
from surefoot.cli.eval import eval_command
from surefoot.cli.runs import fit_command
from surefoot.cli.sweep import sweep_command
from surefoot.errors import ModelError, RecipeError
from surefoot.evals import evaluate as evaluation
from surefoot.evals.predict import predict
from surefoot.recipes.sweep import sweep_models

FIT = {"shift": "shifts", "class_map": "class_maps", "methods": "method", "batch": "batch_size",
       "batch_size": "eval_batch_size"}  # fmt: skip
"""Where an argument of ``sf.fit`` is called otherwise than the option."""

TYPED = {"seeds": {"0": 0}, "alphas": {"11": 11}}
"""What an option's text means."""


def options(command: click.Command) -> dict[str, Any]:
    """Name of every option -> its default; None where there is none."""
    found = {}
    for one in command.params:
        given = isinstance(one.default, (str, int, float, bool))
        flag = isinstance(one, click.Option) and one.is_flag
        default = one.default if given else False if flag else None
        found[str(one.name)] = TYPED.get(str(one.name), {}).get(str(default), default)
    return found


def defaults(function: Any) -> dict[str, Any]:
    return {
        name: None if p.default is inspect.Parameter.empty else p.default
        for name, p in inspect.signature(function).parameters.items()
    }


def test_fit_has_every_option_and_every_default():
    typed, called = options(fit_command), defaults(sf.fit)
    only_typed = {"recipe", "miniature"}  # sf.run_recipe
    only_called = {"task", "progress", "say"}
    assert {FIT.get(n, n) for n in typed if n not in only_typed} == set(called) - only_called
    for name, default in typed.items():
        if name not in only_typed:
            assert called[FIT.get(name, name)] == default, name


def test_evaluate_agrees_with_eval():
    typed = options(eval_command)
    called = {**defaults(predict), **defaults(evaluation.answers), **defaults(sf.evaluate)}
    for name in ("evaluator", "k", "protocol", "metric", "batch_size", "workers"):
        assert called[name] == typed[name], name


def test_sweep_agrees_with_sweep():
    typed, called = options(sweep_command), defaults(sweep_models)
    for name in ("alphas", "head", "extrapolate", "adaptive", "out", "batch_size"):
        assert called[name] == typed[name], name
    python = defaults(sf.sweep)
    assert (python["adaptive"], python["evaluator"]) == (typed["adaptive"], "head")
    assert len(sf.paths.alpha_grid()) == typed["alphas"]


@pytest.fixture
def asked(monkeypatch):
    """Call ``sf.fit``; gives what it would run."""
    kept: list[Any] = []
    monkeypatch.setattr(
        "surefoot.recipes.experiment.run_recipe", lambda *a, **k: kept.append((a, k))
    )

    def call(**arguments: Any):
        sf.fit(**{"model": "tiny-clip", "train": "x", **arguments})
        return kept[-1]

    return call


def test_methods_are_names_or_objects(asked):
    (recipe, out), _ = asked(method=["lp-ft", sf.FineTune(epochs=3)], lr=1e-3)
    assert [m.name for m in recipe.methods] == ["lp-ft", "ft"]
    assert recipe.methods[0].tune.schedule.lr == recipe.methods[1].schedule.lr == 1e-3
    assert recipe.methods[1].schedule.epochs == 3
    assert out.as_posix() == "runs/tiny-clip-lp-ft-ft"
    (recipe, _), _ = asked(method=sf.WiseFT(), head="random")
    assert recipe.methods[0].inner.head == "random"
    with pytest.raises(ModelError, match="was given a schedule"):
        asked(method=sf.FineTune(schedule=sf.Schedule(epochs=2)), epochs=3)


def test_a_model_and_a_task_that_are_there_are_used(asked, task):
    model = sf.load("tiny-clip")
    (recipe, _), passed = asked(model=model, train=None, task=task, method="ft", limit=9)
    assert recipe.spec.model == "tiny-clip"
    assert passed["start"] is model
    assert len(passed["task"].train) == 9
    for both in ({"task": task}, {"train": None}):
        with pytest.raises(RecipeError, match=r"give train .* or task"):
            asked(method="ft", **both)


def test_every_problem_is_listed(asked):
    with pytest.raises(RecipeError) as error:
        asked(method="lp-tf", precision="fp8", lr="auto")
    assert {p.split(":")[0] for p in error.value.problems} == {"methods[0]", "precision"}


def test_a_study_comes_back_and_shows_itself(tmp_path, folders):
    study = sf.fit(
        model="tiny-clip", train=folders / "train", test=folders / "test",
        shifts={"dark": folders / "shift"}, method="ft", epochs=1, batch_size=16, alphas=3,
        out=tmp_path / "run", device="cpu",
    )  # fmt: skip
    assert [run.status for run in study.runs] == ["finished"]
    rules = [row[3] for row in study.table().rows]
    assert rules == ["end", "fixed", "id_val", "one_se", "oracle"]
    assert study.table().columns[-3:] == ("val", "test", "dark")
    assert study.runs[0].curve().alphas == (0.0, 0.5, 1.0)


def test_models_are_listed():
    every = sf.list_models()
    assert every[:2] == ["tiny-clip", "tiny-dino"]
    assert "open_clip:ViT-B-16/openai" in sf.list_models("vit-b-16/*")
    assert sf.list_models("timm:vit_base_patch16_224.*")
    assert all(n.startswith("timm:") for n in sf.list_models("timm:*"))
    assert sf.list_models("nothing-like-it") == []
    from surefoot.models.names import parse

    assert {parse(name).scheme for name in every} == {"", "open_clip", "timm"}


def test_ls_takes_a_pattern():
    from click.testing import CliRunner

    from surefoot.cli.info import ls_command

    def listed(*words: str) -> list[str]:
        return CliRunner().invoke(ls_command, list(words), standalone_mode=False).output.split()

    assert listed("models", "TINY-*") == ["tiny-clip", "tiny-dino"]
    assert listed("models", "open_clip:vit-b-16/openai") == ["open_clip:ViT-B-16/openai"]
    assert listed("methods", "*soup") == ["greedy-soup", "uniform-soup"]


def test_bars_are_shown_where_somebody_watches(monkeypatch):
    import sys

    import tqdm.auto

    from surefoot import progress
    from surefoot.progress import watched

    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert not watched()
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert watched()
    assert progress.tqdm is tqdm.auto.tqdm  # a widget in a notebook
