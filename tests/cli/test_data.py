"""``surefoot data``, ``ls datasets`` and ``show``, as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from surefoot.cli.main import cli, main
from surefoot.data.known.find import known_names
from surefoot.testing.miniature import make_miniature


def surefoot(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done


def test_ls_lists_every_set_and_show_describes_it() -> None:
    assert set(known_names()) < set(surefoot("ls", "datasets").stdout.split())
    assert "NAME@DIR" in surefoot("ls").stdout
    shown = surefoot("show", "objectnet").stdout
    for piece in ("113 classes", "18,574 images", "objectnet-1.0/mappings/", "objectnet.dev",
                  "red border", "objectnet:control", "largest logit"):  # fmt: skip
        assert piece in shown
    assert "matched frequency" in surefoot("show", "imagenetv2").stdout
    assert "Did you mean imagenet-r" in surefoot("show", "imagenet-rr", code=2).stderr


def test_a_miniature_is_made_and_checked(tmp_path: Path) -> None:
    made = surefoot("data", "miniature", "imagenet-r", tmp_path).stdout.strip()
    assert Path(made) == tmp_path / "imagenet-r"
    for place in (tmp_path, made):
        done = surefoot("data", "check", "imagenet-r", place, "--full")
        assert done.stdout == "imagenet-r: good\n"
        assert "generated miniature" in done.stderr
        assert "every image was opened" in done.stderr


def test_problems_are_listed_and_end_with_one(tmp_path: Path) -> None:
    folder = make_miniature("imagenet", tmp_path)
    shutil.rmtree(next((folder / "train").iterdir()))
    done = surefoot("data", "check", "imagenet", tmp_path, code=1)
    assert done.stdout.startswith(f"imagenet in {folder}: ")
    assert "train: 9 classes, expected 10" in done.stdout
    assert "extract the archive again" in done.stdout
    assert surefoot("data", "check", "imagenet:val", tmp_path).stdout == "imagenet:val: good\n"
    assert "3 problems" not in surefoot("data", "check", "imagenet:train", folder, code=1).stdout


def test_a_folder_of_the_right_name_is_checked_though_it_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "objectnet-1.0").mkdir()
    done = surefoot("data", "check", "objectnet", tmp_path, code=1)
    assert "images does not exist" in done.stdout


def test_what_is_not_there_or_misspelt_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["data", "check", "imagenet-r", str(tmp_path)])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert str(tmp_path / "imagenet-r") in said
    assert "github.com/hendrycks/imagenet-r" in said
    with pytest.raises(SystemExit) as stop:
        main(["data", "check", "imagenet-rr", str(tmp_path)])
    assert stop.value.code == 1
    assert "Did you mean 'imagenet-r'" in capsys.readouterr().err
    assert (
        "check imagenet:val instead"
        in surefoot("data", "check", "imagenet-r:control", tmp_path, code=2).stderr
    )


def test_eval_finds_sets_below_a_root(tmp_path: Path) -> None:
    for name in ("imagenet", "imagenet-r"):
        make_miniature(name, tmp_path)
    done = surefoot(
        "eval", "tiny-clip", "--train", "imagenet", "--shift", "r=imagenet-r", "--shift",
        "r-id=imagenet-r:control", "--templates", "single", "--evaluator", "zero_shot",
        "--data-root", tmp_path, "--json",
    )  # fmt: skip
    rows = {row["split"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {"test", "r", "r-id"} <= set(rows)
    assert (rows["r"]["domain"], rows["r-id"]["domain"]) == ("OOD", "ID")
    assert rows["r"]["version"] == "miniature of imagenet-r"
