"""Every recipe of the papers, end to end on generated miniatures with a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from surefoot.cli.runs import fit_command
from surefoot.errors import RecipeError
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.library import paper_names, recipe_file
from surefoot.recipes.miniature import miniature
from surefoot.recipes.recipe import load_recipe, parse_recipe
from surefoot.report.measured import measured

pytestmark = [
    # Banks and probes of a handful of images: kNN and scikit-learn say that they are small.
    pytest.mark.filterwarnings("ignore:k = .* neighbours were asked:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data root for all recipes: a miniature is written once."""
    return tmp_path_factory.mktemp("miniatures")


@pytest.mark.parametrize("name", paper_names())
def test_a_recipe_runs_end_to_end(name: str, data: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(name))
    small = miniature(recipe, data)
    assert [m.label() for m in small.methods] == [m.label() for m in recipe.methods]
    study = run_recipe(small, tmp_path / "run")
    assert len(study.runs) == len(recipe.methods)
    for run in study.runs:
        assert run.status in ("finished", "trial")
        scored = {s.split for s in run.scores()}
        assert {"val", "test", *recipe.spec.data.shifts} <= scored
        assert {s.rule for s in run.selections()} == {"fixed", "id_val", "one_se", "oracle"}
    cells = measured(study)
    assert cells
    assert all(c.toy for c in cells), "a miniature must never pass for the data set"


def test_a_recipe_on_ones_own_data_has_no_miniature(tmp_path: Path) -> None:
    recipe = parse_recipe(
        {"model": "tiny-clip", "data": {"train": "photos/train"}, "methods": ["lp"]}
    )
    with pytest.raises(RecipeError, match=r"data\.train: photos/train is no published data set"):
        miniature(recipe, tmp_path)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(fit_command, ["wise-ft/cars-vit-l14-336", "--miniature"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs/miniature-wise-ft-cars-vit-l14-336/report.html").is_file()
    for words, message in (
        (["--miniature"], "name one"),
        (["wise-ft/karz", "--miniature"], "wise-ft/cars-vit-l14-336"),
        (["flyp/cars", "--miniature", "--resume"], "never resumed"),
        (["flyp/cars", "--epochs", "3"], "--epochs cannot be combined"),
    ):
        wrong = CliRunner().invoke(fit_command, words)
        assert wrong.exit_code == 2, words
        assert message in wrong.output
