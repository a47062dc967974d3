"""How many of our files an image passes, from the command line to its tensor, by a trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from surefoot.cli.main import main

from .conftest import write_folders

ROOT = Path(__file__).parents[1] / "src" / "surefoot"
MOST = 8


@contextmanager
def walks() -> Iterator[dict[str, list[str]]]:
    """Our files on the stack where a folder is listed, and where its first image is a tensor."""
    found: dict[str, list[str]] = {}
    steps = {("from_folder", "data/folder.py"): "listed", ("decode", "data/images.py"): "decoded",
             ("pixels", "transforms.py"): "made a tensor"}  # fmt: skip

    names = {name for name, _ in steps}

    def look(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_name
        if event != "call" or name not in names:
            return
        files = list(files_of(frame))
        step = steps.get((name, files[0])) if files else None
        if step is not None and "data/check.py" not in files and step not in found:
            found[step] = files[::-1]

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


def files_of(frame: FrameType | None) -> Iterator[str]:
    """Our files on a stack, innermost first, each once."""
    seen: set[str] = set()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and (name := path.relative_to(ROOT).as_posix()) not in seen:
            seen.add(name)
            yield name
        frame = frame.f_back


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("walk")
    write_folders(root / "train", 18, seed=0)
    write_folders(root / "test", 9, seed=1)
    return root


@pytest.mark.parametrize("command", ["predict", "eval", "fit"])
def test_an_image_passes_through_few_files(folders: Path, tmp_path: Path, command: str) -> None:
    data = ["--train", str(folders / "train"), "--test", str(folders / "test"), "--shift",
            f"same={folders / 'test'}", "--device", "cpu"]  # fmt: skip
    words = {
        "predict": ["tiny-clip", str(folders / "test"), "--classes", "a,b", "--device", "cpu"],
        "eval": ["tiny-clip", *data],
        "fit": ["--model", "tiny-clip", "--method", "ft", "--epochs", "1", "--batch", "9", *data,
                "--no-wise", "--out", str(tmp_path / "run")],
    }  # fmt: skip
    with walks() as found:
        main([command, *words[command]])
    assert found["made a tensor"][0] == "cli/main.py"
    assert found["made a tensor"][-1] == "transforms.py"
    assert ("listed" in found) == (command != "predict")
    if command == "fit":  # where it is decoded lies two files below the training loop's batches
        del found["decoded"]
    else:
        assert found["decoded"][-1] == "data/images.py"
    for step, files in found.items():
        assert len(files) <= MOST, (step, files)
