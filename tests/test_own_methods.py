"""A method of one's own: in a file named on the command line, in Python, as a plug-in."""

from __future__ import annotations

import hashlib
import importlib
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import surefoot as sf
from surefoot.cli.check import check_command
from surefoot.cli.runs import fit_command
from surefoot.errors import ModelError, RecipeError
from surefoot.methods.own import OWN, register_class, register_file
from surefoot.recipes.recipe import load_recipe, parse_recipe
from surefoot.registry import METHODS, Registry
from surefoot.testing import check_method

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def forget():
    """What a test registers goes with it."""
    before = dict(METHODS._table)
    yield
    METHODS._table.clear()
    METHODS._table.update(before)
    OWN.clear()


def typed(*arguments: object, code: int = 0):
    done = CliRunner().invoke(fit_command, [*map(str, arguments)], standalone_mode=False)
    if code == 0 and done.exception is not None:
        raise done.exception
    return done


def fit(folders: Path, file: Path, out: Path, *more: object):
    return typed(
        "--model", "tiny-clip", "--train", folders / "train", "--test", folders / "test",
        "--shift", f"dark={folders / 'shift'}", "--method", file, "--epochs", 1, "--batch", 16,
        "--alphas", 3, "--device", "cpu", "--out", out, *more,
    )  # fmt: skip


def test_a_file_of_ones_own_is_fitted_recorded_and_resumed(tmp_path, folders):
    file = tmp_path / "my_ft.py"
    shutil.copy(EXAMPLES / "my_method.py", file)
    out = tmp_path / "run"
    fit(folders, file, out)
    run = sf.Run.open(out)
    assert run.status == "finished"
    assert {row.method for row in run.scores()} >= {"warm-head", "wise-ft(warm-head)"}
    assert (out / "code" / "warm-head.py").read_bytes() == file.read_bytes()
    kept = yaml.safe_load((out / "recipe.yaml").read_text())
    assert kept["own_methods"] == {"warm-head": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert kept["methods"][0]["tune"]["schedule"]["epochs"] == 1
    fit(folders, file, out, "--resume")

    file.write_text(file.read_text() + "\n# changed\n")
    with pytest.raises(RecipeError) as error:
        fit(folders, file, out, "--resume")
    assert "own_methods.warm-head: its file has changed" in str(error.value)


def test_no_recipe_runs_a_file(tmp_path):
    marker = tmp_path / "marker"
    file = tmp_path / "my_ft.py"
    file.write_text(f"open({str(marker)!r}, 'w').close()\n")
    data = {"model": "tiny-clip", "data": {"train": "pictograms"}}
    for methods in ([str(file)], [{"name": str(file)}]):
        with pytest.raises(RecipeError, match="a recipe cannot name"):
            parse_recipe({**data, "methods": methods})
    with pytest.raises(RecipeError, match="a recipe cannot name"):
        sf.fit(model="tiny-clip", train="pictograms", method=str(file))
    recorded = {**data, "methods": ["my-ft"], "own_methods": {"my-ft": "0" * 64}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recorded))
    with pytest.raises(RecipeError, match="--method FILE"):
        load_recipe(tmp_path / "recipe.yaml")
    assert not marker.exists()


def test_recipes_without_methods_of_ones_own_are_as_before():
    recipe = parse_recipe({"model": "tiny-clip", "data": {"train": "x"}, "methods": ["ft"]})
    assert "own_methods" not in recipe.to_dict()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "defines 0 methods"),
        ("raise OSError('no')", "cannot be imported: OSError: no"),
        ("class Mine(FineTune):\n    name = 'ft'", "another method's"),
        ("class Mine(FineTune):\n    name = '../ft'", "has the name"),
        ("class A(FineTune):\n    name = 'a'\nclass B(A):\n    pass", "defines 2 methods"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, said):
    file = tmp_path / "mine.py"
    file.write_text(f"from surefoot import FineTune\n{text}\n")
    with pytest.raises(ModelError, match=said):
        register_file(str(file))
    with pytest.raises(ModelError, match="there is no file"):
        register_file(str(tmp_path / "none.py"))


def test_one_of_several_is_chosen(tmp_path):
    file = tmp_path / "two.py"
    file.write_text(
        "from surefoot import FineTune\nclass A(FineTune):\n    name = 'a'\n"
        "class B(FineTune):\n    name = 'b'\n"
    )
    assert register_file(f"{file}:B") == "b"
    assert METHODS.get("b").__name__ == "B"
    assert "a" not in METHODS


def test_a_class_written_in_python_needs_no_file():
    class Mine(sf.FineTune):
        name = "mine"

    assert register_class(sf.FineTune) == "ft"
    assert "ft" not in OWN
    assert register_class(Mine) == "mine"
    assert OWN["mine"].source == Path(__file__).read_bytes()


def test_the_examples_keep_the_contract():
    file = str(EXAMPLES / "my_method.py")
    assert CliRunner().invoke(check_command, [file]).exit_code == 0
    register_file(file)
    check_method(METHODS.get("warm-head")(epochs=1, batch_size=8))


def test_a_plug_in_is_found_by_its_entry_point(tmp_path, monkeypatch):
    """As pip lays it out: the package on the path, and entry_points.txt beside it."""
    shutil.copytree(EXAMPLES / "plugin" / "src" / "surefoot_slow_encoder",
                    tmp_path / "surefoot_slow_encoder")  # fmt: skip
    toml = (EXAMPLES / "plugin" / "pyproject.toml").read_text()
    [line] = [row for row in toml.splitlines() if row.startswith("slow-encoder")]
    facts = tmp_path / "surefoot_slow_encoder-0.1.0.dist-info"
    facts.mkdir()
    about = "Metadata-Version: 2.1\nName: surefoot-slow-encoder\nVersion: 0.1.0\n"
    (facts / "METADATA").write_text(about)
    (facts / "entry_points.txt").write_text("[surefoot.methods]\n" + line.replace('"', "") + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found = Registry("method", {})
    assert found.names() == ["slow-encoder"]
    kind = found.get("slow-encoder")
    METHODS.add("slow-encoder", kind)
    check_method(kind(epochs=1, batch_size=8))
    sys.modules.pop("surefoot_slow_encoder")
