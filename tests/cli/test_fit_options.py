"""``surefoot fit``: options that reach every method, and few-shot, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from surefoot.cli.main import main
from surefoot.cli.runs import fit_command
from surefoot.recipes.recipe import Recipe, load_recipe

from ..conftest import write_folders


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type ``fit`` with these arguments; returns the recipe that it would carry out."""

    class Caught(Exception):
        pass

    def type_(*arguments: object) -> Recipe:
        kept: list[Recipe] = []

        def catch(recipe: Recipe, out: str, **options: Any) -> None:
            kept.append(recipe)
            raise Caught

        monkeypatch.setattr("surefoot.recipes.experiment.run_recipe", catch)
        words = ["--model", "tiny-clip", "--train", "x", *map(str, arguments)]
        done = CliRunner().invoke(fit_command, words, standalone_mode=False)
        if isinstance(done.exception, click.ClickException):
            raise done.exception
        assert isinstance(done.exception, Caught), done.exception
        return kept[0]

    return type_


def schedules(recipe: Recipe) -> list[tuple[int, int, float]]:
    from surefoot.recipes.auto_lr import schedules as found

    return [(s.epochs, s.batch_size, s.lr) for m in recipe.methods for s in found(m)]


@pytest.mark.parametrize("name", ["ft", "lp-ft", "wise-ft", "flyp", "film", "lora", "l2-sp",
                                  "paint", "side-tuning", "token-replay"])  # fmt: skip
def test_the_schedule_reaches_every_method(asked: Any, name: str) -> None:
    recipe = asked("--method", name, "--epochs", 3, "--batch", 7, "--lr", "2e-4")
    assert set(schedules(recipe)) == {(3, 7, 2e-4)}


def test_what_decays_and_what_hangs_together_go_into_the_recipe(asked: Any) -> None:
    from surefoot.recipes.auto_lr import schedules as found

    recipe = asked("--method", "lp-ft", "--method", "flyp", "--decayed", "matrices",
                   "--unit", "folder:1")  # fmt: skip
    assert {s.decayed for m in recipe.methods for s in found(m)} == {"matrices"}
    assert recipe.spec.data.unit == "folder:1"
    plain = asked("--method", "ft")
    assert {s.decayed for m in plain.methods for s in found(m)} == {"all"}
    assert plain.spec.data.unit is None


def test_a_method_without_schedule_is_left_alone(asked: Any) -> None:
    recipe = asked("--method", "zero-shot", "--method", "lp", "--method", "ft", "--epochs", 3)
    assert [m.name for m in recipe.methods] == ["zero-shot", "lp", "ft"]
    assert [epochs for epochs, _, _ in schedules(recipe)] == [3]


def test_the_head_reaches_trained_heads_only(asked: Any) -> None:
    recipe = asked(
        "--method", "film", "--method", "wise-ft", "--method", "lp-ft", "--head", "zeros"
    )
    film, wise, lp_ft = recipe.methods
    assert film.head == "zeros"
    assert (wise.inner.head, wise.head) == ("zeros", "auto")
    assert lp_ft.tune.head == "keep"


def test_few_shot_and_repeats_go_into_the_recipe(asked: Any) -> None:
    recipe = asked("--method", "ft", "--few-shot", 4, "--repeats", 5)
    assert (recipe.spec.data.few_shot, recipe.spec.data.repeats) == (4, 5)
    assert recipe.spec.seeds == [0, 1, 2, 3, 4]
    assert asked("--method", "ft", "--seeds", "3,4").spec.seeds == [3, 4]
    with pytest.raises(click.UsageError, match="give it or --seeds"):
        asked("--method", "ft", "--repeats", 2, "--seeds", "0,1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    write_folders(root / "train", 36, seed=0)
    write_folders(root / "test", 9, seed=1)
    write_folders(root / "shift", 9, seed=2, shifted=True)
    return root


def typed(photos: Path, out: Path, *more: object) -> int:
    """The exit code of a whole command."""
    words = ["fit", "--model", "tiny-clip", "--train", photos / "train", "--test", photos / "test",
             "--shift", f"dim={photos / 'shift'}", "--method", "ft", "--epochs", 1, "--batch", 8,
             "--alphas", 2, "--device", "cpu", "--out", out, *more]  # fmt: skip
    try:
        main(list(map(str, words)))
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_few_shot_as_a_user_types_it(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    assert typed(photos, out, "--few-shot", 4, "--repeats", 2) == 0
    assert (out / "report.html").is_file()
    for seed in (0, 1):
        facts = json.loads((out / f"ft-s{seed}" / "run.json").read_text())
        assert facts["seed"] == seed
        sizes = {k: v["n"] for k, v in facts["task"]["splits"].items()}
        assert sizes == {"train": 12, "val": 12, "test": 9, "dim": 9}
        assert (
            f"few-shot: 4 images per class in train and val, seed {seed}" in facts["task"]["notes"]
        )
    kept = load_recipe(out / "recipe.yaml")
    assert kept.spec.data.few_shot == 4
    assert yaml.safe_load((out / "recipe.yaml").read_text())["data"]["val_fraction"] == 0.5


def test_too_few_images_are_explained(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(photos, tmp_path / "run", "--few-shot", 7) == 1
    said = capsys.readouterr().err
    assert "has 6 images in" in said
    assert "choose k of at most 6" in said
