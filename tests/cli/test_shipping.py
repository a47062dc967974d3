"""A study's choice in files: the export command and the code that a report ends with, as typed."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import surefoot as sf
from surefoot.errors import AlphaError
from surefoot.recipes.ends import ON_TEST, model_of_run
from surefoot.recipes.members import resolve_model
from surefoot.report.decision import Decision
from surefoot.weights.fingerprint import fingerprint

from ..conftest import write_folders
from ..warm import surefoot

METHODS: list[dict[str, Any]] = [
    {"name": "zero-shot"},
    {"name": "lp", "c_path": [5]},
    {"name": "ft", "schedule": {"epochs": 1, "batch_size": 31, "lr": 0.02}},  # far too large
    {"name": "lp-ft", "probe": {"c_path": [5]},
     "tune": {"schedule": {"epochs": 1, "batch_size": 31, "lr": 1e-4}}},
    {"name": "film", "schedule": {"epochs": 1, "batch_size": 31, "lr": 1e-3}},
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> sf.runs.Study:
    """Five methods on built-in data, in a folder whose name a shell must not read."""
    whole = sf.pictograms().subset(train=248, evaluation=120)
    task = replace(whole, shifts=whole.shifts[-2:])
    plain = {
        "model": "tiny-clip",
        "methods": METHODS,
        "data": {"train": "pictograms"},
        "path": {"alphas": [0, 0.25, 0.5, 1]},
        "device": "cpu",
        "workers": 0,
        "name": "five methods",
    }
    folder = tmp_path_factory.mktemp("shipping") / "it's $HOME; five"
    return sf.run_recipe(sf.parse_recipe(plain), folder, task=task)


@pytest.fixture(scope="module")
def decision(study: sf.runs.Study) -> Decision:
    return sf.decide(study)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_folders(folder / "shapes", 9, seed=3)
    Image.new("RGB", (40, 30), "white").save(folder / "photo.jpg")
    return folder


def test_the_winner_is_not_ft_and_the_folder_keeps_it(
    study: sf.runs.Study, decision: Decision
) -> None:
    same = [d for d in decision.doubts if d.endswith("that is the pretrained model itself.")]
    assert len(decision.candidates) + len(same) == 5
    assert decision.method != "FT"
    values = [c.value for c in decision.candidates]
    assert values == sorted(values, reverse=True)
    assert study.decision == json.loads(json.dumps(decision.to_json()))
    assert sf.open_study(study.path).decision == study.decision


def test_the_command_and_the_code_run_as_they_are_shown(
    decision: Decision,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = ["/bin/sh", "-c", "printf '%s\\0' " + decision.command]  # what a shell makes of it
    words = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    assert words[:-1] == shlex.split(decision.command)
    done = surefoot(*words[1:-1])
    assert done.stdout.strip() == str(decision.file)
    monkeypatch.chdir(photos)
    exec(decision.code, {})
    assert capsys.readouterr().out.startswith("photo.jpg {'class': ")
    alpha = "end" if decision.alpha is None else decision.alpha
    expected, _ = model_of_run(decision.run, alpha)
    assert fingerprint(sf.load(decision.file)) == fingerprint(expected)


def test_a_study_exports_its_choice_and_says_so(
    study: sf.runs.Study, decision: Decision, tmp_path: Path
) -> None:
    done = surefoot("export", study.path, tmp_path / "chosen.safetensors")
    expected, _ = model_of_run(decision.run, "end" if decision.alpha is None else decision.alpha)
    assert fingerprint(sf.load(tmp_path / "chosen.safetensors")) == fingerprint(expected)
    assert f"the run {decision.run.name} of {study.path}: {decision.name} is best" in done.stderr
    for c in decision.tied:
        assert c.name in done.stderr


def test_another_run_of_a_study_at_its_chosen_alpha_or_another(
    study: sf.runs.Study, tmp_path: Path
) -> None:
    run = study.path / "film"
    chosen = next(s.alpha for s in sf.Run.open(run).selections() if s.rule == "id_val")
    for options, alpha in (((), chosen), (("--alpha", 0.25), 0.25), (("--alpha", "end"), 1.0)):
        out = tmp_path / f"{alpha}-{len(options)}.safetensors"
        done = surefoot("export", study.path, out, "--run", "film", *options)
        assert f"at alpha = {alpha:g}" in done.stderr
        assert fingerprint(sf.load(out)) == fingerprint(model_of_run(run, alpha)[0])
    for place in (run, study.path / "zero-shot"):  # a run's own folder means its end, as ever
        surefoot("export", place, tmp_path / f"{place.name}.safetensors")
    assert sf.load(tmp_path / "zero-shot.safetensors").require_head().kind == "zero_shot"


def test_what_cannot_be_exported_is_refused(study: sf.runs.Study, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    for options, code, words in (
        ((study.path, out, "--run", "flyp"), 1, "has no run 'flyp'"),
        ((study.path / "ft", out, "--run", "ft"), 1, "is a run, so there is no run 'ft'"),
        ((study.path, out, "--run", "lp", "--alpha", "best"), 1, "neither a number nor a rule"),
        ((study.path / "zero-shot", out, "--alpha", 0.5), 1, "kept its pretrained end alone"),
        ((study.path,), 2, "OUT is missing"),
        ((study.path, out, "-o", out), 2, "OUT is given twice"),
    ):
        done = surefoot("export", *options, code=code)
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert not out.exists()


def test_the_oracle_needs_a_flag_and_is_named_everywhere(
    study: sf.runs.Study, photos: Path, tmp_path: Path
) -> None:
    run, out = study.path / "lp", tmp_path / "oracle.safetensors"
    with pytest.raises(AlphaError, match="was chosen on a test set"):
        model_of_run(run, "oracle")
    for command in (("export", run, out), ("predict", run, photos / "photo.jpg"),
                    ("eval", run, "--test", photos / "shapes")):  # fmt: skip
        refused = surefoot(*command, "--alpha", "oracle", code=1)
        assert "--chosen-on-test" in refused.stderr
    assert not out.exists()
    said = surefoot("export", run, out, "--alpha", "oracle", "--chosen-on-test")
    assert ON_TEST in said.stderr
    assert any(ON_TEST in note for note in sf.load(out).spec.notes)
    for model, more in ((run, ("--alpha", "oracle", "--chosen-on-test")), (out, ())):
        text = surefoot("predict", model, photos / "photo.jpg", *more)
        assert ON_TEST in text.stderr
        rows = surefoot("predict", model, photos / "photo.jpg", "--json", *more).stdout.splitlines()
        assert all(ON_TEST in json.loads(row)["notes"][0] for row in rows)


def test_eval_and_predict_take_the_choice_of_a_study(
    study: sf.runs.Study, decision: Decision, photos: Path, tmp_path: Path
) -> None:
    said = surefoot("predict", study.path, photos / "photo.jpg", "--json")
    own = surefoot("predict", decision.run, photos / "photo.jpg", "--json", *(
        () if decision.alpha is None else ("--alpha", decision.alpha)))  # fmt: skip
    assert said.stdout == own.stdout
    assert decision.name in said.stderr
    lines: list[str] = []
    model = resolve_model(str(study.path), run="ft", alpha=1, say=lines.append)
    assert lines == [f"the run ft of {study.path}; alpha = 1"]
    names = model.require_head().class_names[:2]
    for name in names:
        (tmp_path / name).mkdir()
        for grey in (200, 250):
            Image.new("RGB", (20, 20), (grey,) * 3).save(tmp_path / name / f"{grey}.png")
    done = surefoot("eval", study.path, "--test", tmp_path, "--json")
    assert {json.loads(row)["selection"] for row in done.stdout.splitlines()} == {"none"}
    assert decision.name in done.stderr
    done = surefoot("eval", study.path, "--run", "lp", "--alpha", "oracle", "--chosen-on-test",
                    "--test", tmp_path, "--json")  # fmt: skip
    assert {json.loads(row)["selection"] for row in done.stdout.splitlines()} == {"oracle"}
    assert ON_TEST in done.stderr


def test_an_encoder_without_a_head_has_code_for_its_features(
    decision: Decision, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    encoder = sf.load("tiny-dino")
    from surefoot.models.save import save_model

    save_model(encoder, "shipped.safetensors")
    names: dict[str, Any] = {}
    exec(replace(decision, folder=Path(), answers=False).code, names)
    assert names["features"].shape == (1, encoder.feature_dim)
    assert torch.isfinite(names["features"]).all()
