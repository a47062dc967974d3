"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surefoot.errors import RunError
from surefoot.recipes.check import check_recipe
from surefoot.recipes.ends import model_of_run
from surefoot.registry import METHODS
from surefoot.runs import Run

from ..warm import surefoot

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ..conftest import write_folders

    root = tmp_path_factory.mktemp("data")
    write_folders(root / "train", 36, seed=0)
    write_folders(root / "test", 18, seed=1)
    write_folders(root / "shift", 18, seed=2, shifted=True)
    return root


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    """The one line of the README on a folder of one's own."""
    surefoot(
        "fit",
        "--model",
        "tiny-clip",
        "--train",
        data / "train",
        "--test",
        data / "test",
        "--shift",
        f"dim={data / 'shift'}",
        "--method",
        "lp-ft",
        "--wise",
        "--epochs",
        1,
        "--batch",
        16,
        "--alphas",
        3,
        "--out",
        data / "run",
    )
    return data / "run"


def test_help_lists_every_command_and_never_imports_torch() -> None:
    code = (
        "import sys, surefoot.cli.main as m\n"
        "for a in (['--help'], ['ls'], ['ls', 'methods'], ['fit', '--help']):\n"
        "    try: m.main(a)\n"
        "    except SystemExit as e: assert not e.code, (a, e.code)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("demo", "fit", "eval", "sweep", "merge", "compare", "report", "predict"):
        assert f"\n  {command} " in done.stdout


def test_fit_writes_a_run_with_its_report(run: Path) -> None:
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    page = (run / "report.html").read_text()
    assert "<svg" in page
    assert "LP-FT" in page


def test_results_go_to_stdout_and_talk_to_stderr(run: Path) -> None:
    done = surefoot("compare", run)
    assert "LP-FT" in done.stdout
    rows = [json.loads(line) for line in surefoot("compare", run, "--json").stdout.splitlines()]
    assert {r["split"] for r in rows} == {"val", "test", "dim"}


def test_the_stored_recipe_does_it_again(run: Path, tmp_path: Path) -> None:
    surefoot("fit", run / "recipe.yaml", "--out", tmp_path / "again")
    for name in ("scores.jsonl", "selections.jsonl"):
        assert (tmp_path / "again" / name).read_text() == (run / name).read_text()


def test_a_recipe_and_options_do_not_mix(run: Path) -> None:
    done = surefoot("fit", run / "recipe.yaml", "--epochs", 3, code=2)
    assert "--epochs cannot be combined" in done.stderr


def test_an_existing_folder_is_refused(run: Path) -> None:
    done = surefoot("fit", run / "recipe.yaml", "--out", run, code=1)
    assert "exists already" in done.stderr
    assert "Traceback" not in done.stderr


def test_resume_of_a_finished_run_changes_nothing(run: Path) -> None:
    before = (run / "scores.jsonl").stat().st_mtime_ns
    done = surefoot("fit", run / "recipe.yaml", "--out", run, "--resume")
    assert "finished already" in done.stderr
    assert (run / "scores.jsonl").stat().st_mtime_ns == before


def test_eval_of_a_run_at_an_alpha(run: Path, data: Path) -> None:
    options = [
        "--train",
        data / "train",
        "--test",
        data / "test",
        "--shift",
        f"dim={data / 'shift'}",
        "--json",
    ]
    done = surefoot("eval", run, "--alpha", "fixed", *options)
    got = {r["split"]: r["value"] for r in map(json.loads, done.stdout.splitlines())}
    kept = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    assert got == {r["split"]: r["value"] for r in kept if r["selection"] == "fixed"}


def test_eval_on_some_of_the_classes_keeps_the_runs_own_head(
    run: Path, data: Path, tmp_path: Path
) -> None:
    for name in ("square", "bar"):
        shutil.copytree(data / "test" / name, tmp_path / "two" / name)
    shutil.copytree(tmp_path / "two" / "bar", tmp_path / "one" / "bar")
    options = ("--test", tmp_path / "two", "--shift", f"one={tmp_path / 'one'}")
    rows = list(map(json.loads, surefoot("eval", run, *options, "--json").stdout.splitlines()))
    said = Run.open(run).predictions("test", 1.0)
    assert said is not None
    right = said.correct()
    for row in rows:
        mine = np.isin(said.labels, [said.class_names.index(n)
                                     for n in (("bar",) if row["split"] == "one"
                                               else ("bar", "square"))])  # fmt: skip
        assert row["value"] == right[mine].mean()
        assert row["extra"]["masked"]["classes"] == (1 if row["split"] == "one" else 2)
    shown = surefoot("eval", run, *options).stdout
    assert "masked to the 2 classes that occur: " in shown
    assert "masked to the 1 class that occurs: 100.0" in shown
    swept = surefoot("sweep", run / "start.safetensors", run / "end.safetensors", *options,
                     "--alphas", 2).stdout  # fmt: skip
    assert "one, masked to the 1 class that occurs: 100.0 at alpha 1.00" in swept
    shutil.move(tmp_path / "two" / "bar", tmp_path / "two" / "stick")
    wrong = surefoot("eval", run, "--test", tmp_path / "two", code=1)
    assert "does not know 1 of the 2 classes of the data: stick" in wrong.stderr


def test_a_shift_may_have_classes_that_the_test_set_lacks(
    run: Path, data: Path, tmp_path: Path
) -> None:
    """The head knows them, whatever lies in the folder that is read first."""
    shutil.copytree(data / "test" / "bar", tmp_path / "one" / "bar")
    options = ("--test", tmp_path / "one", "--shift", f"dim={data / 'shift'}")
    kept = {r["split"]: r["value"]
            for r in map(json.loads, (run / "scores.jsonl").read_text().splitlines())
            if r["selection"] == "none" and r["alpha"] == 1}  # fmt: skip
    for command in (
        ("eval", run),
        ("eval", run / "end.safetensors"),
        ("sweep", run / "start.safetensors", run / "end.safetensors", "--alphas", 2),
    ):
        rows = map(json.loads, surefoot(*command, *options, "--json").stdout.splitlines())
        last = {r["split"]: r for r in rows if command[0] == "eval" or r["alpha"] == 1}
        assert last["dim"]["value"] == kept["dim"]
        assert "masked" not in last["dim"]["extra"]
        assert last["test"]["extra"]["masked"]["of"] == 3
    # Without a head, the classes of the data are the task's, as before.
    wrong = surefoot("eval", "tiny-clip", *options, code=1)
    assert "that the task does not have" in wrong.stderr


def test_a_study_whose_run_is_none_is_refused_by_that_name(run: Path, tmp_path: Path) -> None:
    (tmp_path / "ft").mkdir()
    shutil.copy(run / "end.safetensors", tmp_path / "ft")
    shutil.copy(run / "recipe.yaml", tmp_path)
    (tmp_path / "study.json").write_text('{"members": ["ft"]}')
    said = surefoot("predict", tmp_path, run, code=1).stderr
    assert f"{tmp_path / 'ft'} is not a run folder" in " ".join(said.split())


def test_the_start_of_a_run_lies_in_its_folder(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    shutil.move(tmp_path / "run" / "start.safetensors", tmp_path)
    facts = json.loads((run / "start.json").read_text())
    for place in ("../start.safetensors", str(tmp_path / "start.safetensors"), 3, ""):
        (tmp_path / "run" / "start.json").write_text(json.dumps({**facts, "file": place}))
        with pytest.raises(RunError, match="names the file"):
            model_of_run(tmp_path / "run", 0.5)


def test_eval_by_knn(data: Path) -> None:
    done = surefoot(
        "eval",
        "tiny-clip",
        "--train",
        data / "train",
        "--test",
        data / "test",
        "--shift",
        f"dim={data / 'shift'}",
        "--evaluator",
        "knn",
    )
    assert "NN" in done.stdout


def test_merge_and_sweep_of_two_checkpoints(run: Path, data: Path, tmp_path: Path) -> None:
    start, end, half = (
        run / "start.safetensors",
        run / "end.safetensors",
        tmp_path / "half.safetensors",
    )
    surefoot("merge", start, end, "--alpha", 0.5, "-o", half)
    options = [
        "--train",
        data / "train",
        "--test",
        data / "test",
        "--shift",
        f"dim={data / 'shift'}",
    ]
    done = surefoot("sweep", start, end, *options, "--alphas", "0,0.5,1", "--json")
    curve = [json.loads(line) for line in done.stdout.splitlines()]
    at_half = {r["split"]: r["value"] for r in curve if r["alpha"] == 0.5}
    merged = surefoot("eval", half, *options, "--json").stdout.splitlines()
    assert at_half == {r["split"]: r["value"] for r in map(json.loads, merged)}
    table = surefoot("sweep", start, end, *options, "--alphas", 2, "--out", tmp_path / "s").stdout
    assert "one_se: alpha" in table
    assert (tmp_path / "s" / "report.html").is_file()


def test_alpha_outside_needs_leave(run: Path, tmp_path: Path) -> None:
    ends = [run / "start.safetensors", run / "end.safetensors"]
    done = surefoot("merge", *ends, "--alpha", 1.5, "-o", tmp_path / "m.safetensors", code=1)
    assert "1.5" in done.stderr
    assert not list(tmp_path.iterdir())
    surefoot("merge", *ends, "--alpha", 1.5, "--extrapolate", "-o", tmp_path / "m.safetensors")


def test_predict_with_a_run_and_zero_shot(run: Path, data: Path) -> None:
    image = next((data / "test" / "square").glob("*.png"))
    row = json.loads(surefoot("predict", run, image, "--json").stdout)
    assert {p["class"] for p in row["top"]} == {"circle", "square", "bar"}
    assert sum(p["probability"] for p in row["top"]) == pytest.approx(1, abs=1e-4)
    text = surefoot("predict", "tiny-clip", image, "--classes", "square,camera").stdout
    assert "square" in text


def test_predict_names_bad_files(run: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    done = surefoot("predict", run, tmp_path / "broken.png", code=1)
    assert "broken.png" in done.stderr
    done = surefoot("predict", "tiny-clip", tmp_path / "none.png", code=1)
    assert "no file" in done.stderr


@pytest.mark.parametrize("kind", ["open_clip", "timm", "hf", "safetensors"])
def test_export_formats(kind: str, run: Path, tmp_path: Path) -> None:
    """What fits the model is written; what does not is refused with a reason, and no file."""
    fits = kind == "safetensors"  # tiny-clip is none of the libraries' architectures
    done = surefoot("export", run, "--to", kind, "--alpha", "one_se", "-o", tmp_path / "model",
                    code=0 if fits else 1)  # fmt: skip
    if fits:
        assert all(Path(p).exists() for p in done.stdout.split())
    else:
        assert "expected" in done.stderr
        assert not list(tmp_path.iterdir())


def test_check_finds_all_problems_and_runs_nothing(data: Path, tmp_path: Path) -> None:
    assert "good" in surefoot("check", data / "train").stdout
    bad = tmp_path / "photos"
    shutil.copytree(data / "train", bad)
    (bad / "bar" / "torn.png").write_bytes((next((bad / "bar").iterdir())).read_bytes()[:60])
    (bad / "empty").mkdir()
    done = surefoot("check", bad, code=1)
    assert "torn.png" in done.stdout
    assert "empty" in done.stdout
    recipe = tmp_path / "r.yaml"
    recipe.write_text("model: tiny-clip\ndata: {train: nowhere}\nmethods: [lpft]\nseed: 3\n")
    done = surefoot("check", recipe, code=1)
    assert "did you mean 'seeds'?" in done.stdout
    assert "lp-ft" in done.stdout


def test_bad_images_stop_the_run_before_training(data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "photos"
    shutil.copytree(data / "train", bad)
    (bad / "bar" / "torn.png").write_bytes(b"no image")
    shift = tmp_path / "shift"
    shutil.copytree(data / "shift", shift)
    (shift / "bar" / "cut.png").write_bytes(b"")
    arguments = [
        "fit",
        "--model",
        "tiny-clip",
        "--train",
        bad,
        "--test",
        data / "test",
        "--shift",
        f"dim={shift}",
        "--method",
        "ft",
        "--epochs",
        1,
        "--alphas",
        "0,1",
        "--batch",
        16,
    ]
    done = surefoot(*arguments, "--out", tmp_path / "run", code=1)
    assert f"1 file of train, {bad}:\n    bar/torn.png: not an image" in done.stderr
    assert f"1 file of dim, {shift}:\n    bar/cut.png: the file is empty" in done.stderr
    assert "--skip-bad" in done.stderr
    assert not (tmp_path / "run").exists()
    surefoot(*arguments, "--skip-bad", "--out", tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    notes = " ".join(n for s in facts["task"]["splits"].values() for n in s["notes"])
    assert "1" in notes
    assert "skip" in notes or "left out" in notes


def test_classes_that_differ_need_a_class_map(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(data / "shift", other)
    (other / "bar").rename(other / "stick")
    arguments = [
        "eval",
        "tiny-clip",
        "--train",
        data / "train",
        "--test",
        data / "test",
        "--shift",
        f"other={other}",
    ]
    done = surefoot(*arguments, code=1)
    assert "stick" in done.stderr
    assert "--class-map" in done.stderr
    ghost = tmp_path / "ghost.yaml"
    ghost.write_text("stick: banana\n")
    done = surefoot(*arguments, "--class-map", f"other={ghost}", code=1)
    assert "banana" in done.stderr
    joined = tmp_path / "map.yaml"
    joined.write_text("stick: bar\ncircle: circle\nsquare: square\n")
    assert "other" in surefoot(*arguments, "--class-map", f"other={joined}").stdout


def test_an_empty_class_is_named(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "train", tmp_path / "train")
    (tmp_path / "train" / "triangle").mkdir()
    done = surefoot(
        "eval", "tiny-clip", "--train", tmp_path / "train", "--test", data / "test", code=1
    )
    assert "triangle" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fitt"], 2, "Did you mean fit"),
        (["fit", "--model", "tiny-clip"], 2, "--train is missing"),
        (["fit", "--model", "tiny-clip", "--train", "x"], 2, "--method is missing"),
        (["fit", "--model", "tiny-clip", "--train", "x", "--method", "wiseft"], 1, "wise-ft"),
        (["eval", "tiny-clop", "--train", "pictograms"], 1, "tiny-clip"),
        (["eval", "tiny-clip", "--train", "pictograms", "--metric", "topp1"], 1, "top1"),
        (["eval", "tiny-clip", "--train", "no/such/folder"], 1, "no/such/folder"),
        (["eval", "tiny-clip", "--train", "pictograms", "--shift", "oops"], 2, "NAME=VALUE"),
        (["show", "lp_ftt"], 2, "lp-ft"),
        (["cp", "nothing", "x.py"], 2, "There are"),
        (["report", "."], 1, "not a run folder"),
    ],
)
def test_mistakes_are_met_with_help(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = surefoot(*arguments, code=code, cwd=tmp_path)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ls_and_show(tmp_path: Path) -> None:
    listed = json.loads(surefoot("ls", "--json").stdout)
    assert set(METHODS.names()) == set(listed["methods"])
    assert "tiny-clip" in listed["models"]
    shown = surefoot("show", "lp-ft").stdout
    for part in ("arXiv 2202.10054", "probe", "tune", "eval_mode=True"):
        assert part in shown
    card = surefoot("show", "tiny-clip").stdout
    assert "zero-shot" in card.lower()
    credit = surefoot("show", "pictograms").stdout
    assert "Google" in credit
    assert "MIT" in credit


def test_cp_gives_a_method_that_runs_from_anywhere(tmp_path: Path) -> None:
    surefoot("cp", "lp-ft", "mine.py", cwd=tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "import mine; print(mine.LPFT())"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.stdout.startswith("LPFT("), done.stderr
    surefoot("cp", "demo", "demo.yaml", cwd=tmp_path)
    assert "good" in surefoot("check", "demo.yaml", cwd=tmp_path).stdout
    again = surefoot("cp", "demo", "demo.yaml", cwd=tmp_path, code=2)
    assert "exists already" in again.stderr


def test_output_into_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m surefoot ls | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_images_of_any_kind_are_read(run: Path, tmp_path: Path) -> None:
    Image.new("L", (50, 30), 200).save(tmp_path / "grey.png")
    Image.new("RGBA", (50, 30), (1, 2, 3, 4)).save(tmp_path / "alpha.png")
    done = surefoot("predict", run, tmp_path, "--json")
    assert len(done.stdout.splitlines()) == 2


def test_an_adaptive_sweep_chooses_as_the_whole_one(run: Path, data: Path) -> None:
    ends = [run / "start.safetensors", run / "end.safetensors"]
    options = ["--train", data / "train", "--test", data / "test", "--alphas", 6]
    whole, adaptive = (
        [
            line.partition("(")[0]  # the reasons count equals, of which fewer were scored
            for line in surefoot("sweep", *ends, *options, *more).stdout.splitlines()
            if line.startswith(("fixed", "id_val", "one_se"))
        ]
        for more in ([], ["--adaptive"])
    )
    assert adaptive == whole
    assert len(adaptive) == 3


def test_predict_sees_images_as_training_does(run: Path, tmp_path: Path) -> None:
    """Transparency is white and EXIF turns; a plain convert("RGB") would see a black square."""
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGB", (40, 40), (255, 255, 255)).save(tmp_path / "white.png")
    half = Image.new("RGB", (40, 40), (255, 255, 255))
    half.paste((200, 30, 30), (0, 0, 40, 12))
    half.save(tmp_path / "upright.png")
    turned = half.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # show it turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    rows = map(json.loads, surefoot("predict", run, tmp_path, "--json").stdout.splitlines())
    said = {Path(row["image"]).stem: row["top"] for row in rows}
    assert said["clear"] == said["white"]
    assert said["turned"] == said["upright"]
    assert said["upright"] != said["white"]


def test_an_export_is_not_written_over(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    done = surefoot("export", run, "--to", "safetensors", "-o", target)
    assert "alpha = 1 (the tuned end; --alpha takes" in done.stderr
    target.write_bytes(b"mine")
    done = surefoot("export", run, "--to", "safetensors", "-o", target, code=2)
    assert "exists already" in done.stderr
    assert target.read_bytes() == b"mine"
    surefoot("export", run, "--to", "safetensors", "-o", target, "--force")
    assert target.stat().st_size > 1_000_000


def test_nothing_is_chosen_or_learnt_on_test_images(run: Path, data: Path, tmp_path: Path) -> None:
    """Without --train and --val a validation part could only come from the test set."""
    ends = [run / "start.safetensors", run / "end.safetensors"]
    test = ["--test", data / "test", "--shift", f"dim={data / 'shift'}"]
    done = surefoot("sweep", *ends, *test, "--alphas", 3, "--json", "--out", tmp_path / "swept")
    assert {json.loads(line)["split"] for line in done.stdout.splitlines()} == {"test", "dim"}
    assert "no alpha is chosen" in done.stderr
    kept = (tmp_path / "swept" / "selections.jsonl").read_text().splitlines()
    assert [json.loads(line)["rule"] for line in kept] == ["fixed", "oracle"]
    assert (tmp_path / "swept" / "report.html").is_file()
    done = surefoot("sweep", *ends, *test, "--adaptive", code=2)
    assert "--train or --val" in done.stderr
    done = surefoot("eval", run, *test, "--json")
    assert {json.loads(line)["split"] for line in done.stdout.splitlines()} == {"test", "dim"}
    for evaluator in ("knn", "linear"):
        done = surefoot("eval", run, *test, "--evaluator", evaluator, code=2)
        assert "--train is missing" in done.stderr
    with_val = surefoot("sweep", *ends, *test, "--val", data / "train", "--alphas", 3)
    assert "id_val: alpha" in with_val.stdout


def test_what_is_done_to_the_data_is_said(data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "photos" / "train"
    shutil.copytree(data / "train", bad)
    (bad / "bar" / "torn.png").write_bytes(b"no image")
    (bad / "bar" / "readme.txt").write_text("no image either")
    done = surefoot("fit", "--model", "tiny-clip", "--train", bad, "--test", data / "test",
                    "--shift", f"dim={data / 'shift'}", "--method", "ft", "--epochs", 1,
                    "--alphas", "0,1", "--batch", 16, "--skip-bad",
                    "--out", tmp_path / "run")  # fmt: skip
    assert "no val set was given" in done.stderr
    assert "1 of 37 images cannot be decoded and are left out (bar/torn.png)" in done.stderr
    assert "1 file that is no image is ignored (bar/readme.txt)" in done.stderr
    assert "ft: epoch 1 of 1, loss" in done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["task"]["name"] == "photos"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "1 of 37 images cannot be decoded and are left out (bar/torn.png)" in page
    assert "Zero-shot (α = 0)" in page
    assert "Start of the path" not in page


def test_check_of_a_recipe_finds_what_fit_would(data: Path, tmp_path: Path) -> None:
    """Model, data, class maps and schema: every problem at once, each with its place."""
    other, torn = tmp_path / "other", tmp_path / "torn"
    shutil.copytree(data / "shift", other)
    (other / "bar").rename(other / "stick")
    shutil.copytree(data / "train", torn)
    (torn / "bar" / "torn.png").write_bytes(b"no image")
    ghost = tmp_path / "ghost.yaml"
    ghost.write_text("stick: banana\n")
    recipe = tmp_path / "r.yml"
    recipe.write_text(
        f"""
model: tiny-clop
data:
  train: {torn}
  val: {other}
  test: {tmp_path / "nowhere"}
  shifts: {{same: {other}, mapped: {other}}}
  class_maps: {{mapped: {ghost}, stray: {ghost}}}
methods: [lpft]
"""
    )
    done = surefoot("check", recipe, code=1)
    for place, what in (
        ("methods[0]", "lp-ft"),
        ("model", "tiny-clip"),
        ("data.train", "bar/torn.png: not an image"),
        ("data.val", "no class stick"),
        ("data.test", "nowhere"),
        ("data.shifts.same", "stick"),
        ("data.class_maps.mapped", "banana"),
        ("data.class_maps.stray", "no shift 'stray'"),
    ):
        assert any(f"- {place}: " in line and what in line for line in done.stdout.splitlines()), (
            place,
            done.stdout,
        )
    good = tmp_path / "good.yaml"
    good.write_text(
        f"model: timm:resnet10t/random\ndata: {{train: {torn}, skip_bad: true}}\nmethods: [lp]\n"
    )
    assert "good" in surefoot("check", good).stdout
    for model, said in (
        ("open_clip:ViT-B-16/openia", "Did you mean 'openai'?"),
        ("open_clip:ViT-B-61/openai", "ViT-B-16"),
        ("open_clip:ViT-B-16", "which weights"),
        ("open_clip:ViT-B-16@nowhere.pt", "no file nowhere.pt"),
        ("timm:resnet5O", "resnet50"),
        ("tiny-clip?activation=relu", "activation"),
    ):
        good.write_text(f"model: {model}\ndata: {{train: pictograms}}\nmethods: [ft]\n")
        assert check_recipe(good)[0].startswith("model: ")
        assert said in check_recipe(good)[0]


def test_check_of_a_method_of_ones_own(tmp_path: Path) -> None:
    surefoot("cp", "lp-ft", tmp_path / "mine.py")
    assert "good" in surefoot("check", tmp_path / "mine.py").stdout
    text = (tmp_path / "mine.py").read_text()
    (tmp_path / "mine.py").write_text(text.replace("@dataclass(frozen=True)", "@dataclass"))
    assert "frozen" in surefoot("check", tmp_path / "mine.py", code=1).stdout
    (tmp_path / "none.py").write_text("x = 1\n")
    assert "no surefoot.Method" in surefoot("check", tmp_path / "none.py", code=1).stdout
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    assert "cannot be imported" in surefoot("check", tmp_path / "broken.py", code=1).stdout
