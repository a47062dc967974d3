"""Images in two splits are told by every command that scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.cli.main import main

Typed = Callable[..., tuple[str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command in this process; gives what it wrote to stdout and stderr."""

    def run(*words: object) -> tuple[str, str]:
        main([*map(str, words), "--device", "cpu"])
        return capsys.readouterr()

    return run


@pytest.fixture
def leaking(folders: Path) -> Path:
    """One training image is in the test set, under another name and class."""
    shutil.copy(folders / "train" / "bar" / "2.png", folders / "test" / "square" / "copy.png")
    return folders


def test_eval_and_sweep_tell_of_training_images_in_the_test_set(
    leaking: Path, typed: Typed
) -> None:
    data = ["--train", leaking / "train", "--val", leaking / "shift", "--test", leaking / "test",
            "--shift", f"again={leaking / 'test'}"]  # fmt: skip
    for words in (["eval", "tiny-clip"], ["sweep", "tiny-clip", "tiny-clip", "--alphas", "0,1"]):
        said = typed(*words, *data)[1]
        assert "WARNING: 1 of 19 images of test are in train too (square/copy.png)" in said
        assert "19 of 19 images of again are in test too" in said
        assert "no val set was given" not in said


def test_eval_without_training_images_tells_only_of_what_is_scored(
    leaking: Path, typed: Typed
) -> None:
    out, said = typed("eval", "tiny-clip", "--test", leaking / "test", "--json",
                 "--shift", f"again={leaking / 'test'}")  # fmt: skip
    assert [json.loads(line)["split"] for line in out.splitlines()] == ["test", "again"]
    assert "in train too" not in said
    assert "cut off" not in said
    assert "19 of 19 images of again are in test too" in said
