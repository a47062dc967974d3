"""The papers' recipes: all valid, headers and hyper-parameters held, docs generated."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from surefoot.cli.check import check_command
from surefoot.cli.info import ls_command
from surefoot.data.known.find import parse_known
from surefoot.recipes.auto_lr import schedules
from surefoot.recipes.check import check_recipe, look_at
from surefoot.recipes.library import paper_names, papers_folder, recipe_file, recipe_names
from surefoot.recipes.recipe import load_recipe

REPOSITORY = Path(__file__).parents[2]
spec = spec_from_file_location("recipes_page", REPOSITORY / "tools" / "recipes_page.py")
assert spec is not None
assert spec.loader is not None
page = module_from_spec(spec)
sys.modules[spec.name] = page  # its dataclass looks itself up
spec.loader.exec_module(page)
header, hyperparameters = page.header, page.hyperparameters
markdown_table, published_of = page.markdown_table, page.published_of
NAMES = paper_names()


def test_every_experiment_of_the_papers_has_a_recipe() -> None:
    expected = {
        *(f"wise-ft/imagenet-vit-{m}" for m in ("b32", "b16", "l14", "l14-336", "l14-336-linear")),
        *(f"wise-ft/{d}-vit-l14-336" for d in ("cifar10", "cifar100", "cars", "dtd", "sun397",
                                               "food101", "iwildcam", "fmow")),
        *(f"lp-ft/{d}" for d in ("living17", "entity30", "cifar10", "domainnet", "fmow",
                                 "imagenet", "imagenet-ft")),
        *(f"flyp/{d}" for d in ("imagenet", "iwildcam", "fmow", "caltech101", "cars",
                                "flowers102")),
        *(f"flyp/{d}-{k}shot" for d in ("sst2", "pcam") for k in (4, 16, 32)),
        *(f"language/{a}" for a in ("film", "film-all", "token-replay")),
    }  # fmt: skip
    assert set(NAMES) == expected | {"wise-ft/imagenet-vit-b16-16shot"}
    assert set(NAMES) < set(recipe_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_validates_and_its_header_is_what_follows_from_it(name: str) -> None:
    file = recipe_file(name)
    assert check_recipe(file) == []
    text = file.read_text(encoding="utf-8")
    assert text.startswith(header(name))
    assert f"# command: surefoot fit {name} --data-root DIR\n" in text
    assert ("# published: not transcribed\n" in text) == (not published_of(name))
    assert max(len(line) for line in text.splitlines()) <= 100
    recipe = load_recipe(file)
    data = recipe.spec.data
    for spec in (data.train, data.test, *data.shifts.values()):
        known = parse_known(spec or "")
        assert known is not None, spec
    if recipe.spec.path is not None:
        assert "id_val" in recipe.spec.path.rules


def test_headers_carry_the_papers_numbers() -> None:
    text = recipe_file("wise-ft/imagenet-vit-b16").read_text()
    assert "WiSE-FT a=0.5: ImageNet 81.7" in text
    assert "[oracle]" in text
    assert "ObjectNet 72.1" in recipe_file("wise-ft/imagenet-vit-l14-336").read_text()
    assert "STL 90.7" in recipe_file("lp-ft/cifar10").read_text()


def test_few_shot_headers_do_not_carry_numbers_of_whole_training_sets() -> None:
    few = [n for n in NAMES if "shot" in n]
    assert len(few) == 7
    for name in few:
        assert published_of(name) == []
    assert published_of("language/film"), "of the pretrained encoder"


def place(plain: Any, path: str) -> Any:
    """The value at "methods.0.schedule.lr"."""
    for part in path.split("."):
        plain = plain[int(part)] if isinstance(plain, list) else plain[part]
    return plain


def test_hyperparameters_are_those_of_the_sourced_table() -> None:
    """As written, and as the built methods have them."""
    rows = hyperparameters()
    assert {r.recipe for r in rows} == set(NAMES)
    assert all(r.source for r in rows)
    for row in rows:
        written = yaml.safe_load(recipe_file(row.recipe).read_text())
        assert place(written, row.place) == row.value, row
        built = place(load_recipe(recipe_file(row.recipe)).to_dict(), row.place)
        assert built == (tuple(row.value) if isinstance(built, tuple) else row.value), row


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_is_in_the_table(name: str) -> None:
    """No number of a schedule is there without a source; swept rates are in the search."""
    recipe = load_recipe(recipe_file(name))
    own = {r.place: r.value for r in hyperparameters() if r.recipe == name}
    count = sum(len(schedules(m)) for m in recipe.methods)
    for key in ("epochs", "batch_size", "optimizer", "decay", "warmup_steps"):
        assert sum(p.endswith(f"schedule.{key}") for p in own) == count, key
    swept = recipe.spec.tune is not None
    assert sum(p.endswith("schedule.lr") for p in own) == (0 if swept else count)
    assert ("tune.lr" in own) == swept


@pytest.mark.parametrize(
    ("name", "lr", "decay", "batch", "epochs"),
    [
        ("wise-ft/imagenet-vit-b16", 3e-5, 0.1, 512, 10),
        ("wise-ft/imagenet-vit-b16-16shot", 1e-5, 0.1, 512, 10),
        ("wise-ft/imagenet-vit-l14-336-linear", 3e-5, 0.1, 512, 10),
        ("flyp/imagenet", 1e-5, 0.1, 512, 10),
        ("flyp/iwildcam", 1e-5, 0.2, 256, 20),
        ("flyp/caltech101", 1e-5, 0.0, 256, 100),
        ("flyp/sst2-16shot", 1e-5, 0.2, 256, 20),
        ("flyp/pcam-4shot", 1e-6, 0.0, 256, 20),
    ],
)
def test_the_table_says_what_the_papers_say(
    name: str, lr: float, decay: float, batch: int, epochs: int
) -> None:
    """A second transcription, by hand, of the best known ones."""
    (schedule,) = schedules(load_recipe(recipe_file(name)).methods[0])
    found = (schedule.lr, schedule.weight_decay, schedule.batch_size, schedule.epochs)
    assert found == (lr, decay, batch, epochs)


def test_docs_have_the_generated_table() -> None:
    page = (REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert markdown_table() in page, "write it again: python tools/recipes_page.py"


def test_check_says_how_many() -> None:
    result = CliRunner().invoke(check_command, ["--recipes"])
    assert result.exit_code == 0, result.output
    assert f"{len(recipe_names())} checked, 0 with problems" in result.output
    listed = CliRunner().invoke(ls_command, ["recipes"])
    assert "lp-ft/living17" in listed.output
    nothing = CliRunner().invoke(check_command, [])
    assert nothing.exit_code == 2
    assert "--recipes" in nothing.output


def test_the_repositorys_folder_leads_to_all_of_them() -> None:
    folder = REPOSITORY / "recipes"
    found = [Path(one.name) for one in look_at(folder) if not one.problems]
    names = {p.relative_to(folder).with_suffix("").as_posix() for p in found}
    assert names == set(NAMES)
    assert all(p.resolve().is_relative_to(papers_folder().resolve()) for p in found)


def test_a_wrong_recipe_in_a_folder_is_named(tmp_path: Path) -> None:
    text = recipe_file("flyp/cars").read_text().replace("train: cars:train", "train: carz:train")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cars.yaml").write_text(text)
    result = CliRunner().invoke(check_command, [str(tmp_path)])
    assert result.exit_code == 1
    assert "carz" in result.output
