"""How many of our files a thing passes through, from the command line to the tensor, by a trace."""

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
ALPHA = 0.37
"""A number that nothing else is."""


@contextmanager
def walk_of_alpha() -> Iterator[list[str]]:
    """Our files between the command line and the first tensor that is mixed at ALPHA."""
    found: list[str] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code.co_name != "lerp_into":
            return
        if frame.f_locals.get("alpha") == ALPHA and not found:
            found.extend(reversed(list(files_of(frame))))

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


@contextmanager
def walks_of_images() -> Iterator[dict[str, list[str]]]:
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
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("walk")
    write_folders(root / "train", 18, seed=0)
    write_folders(root / "test", 9, seed=1)
    return ["--train", f"{root / 'train'}", "--test", f"{root / 'test'}",
            "--shift", f"same={root / 'test'}", "--device", "cpu"]  # fmt: skip


def test_alpha_passes_through_few_files(folders: list[str], tmp_path: Path) -> None:
    run, alphas = tmp_path / "run", f"0,{ALPHA},1"
    fit = ["fit", "--model", "tiny-clip", "--method", "ft", "--epochs", "1", "--batch", "9"]
    ends = [f"{run / name}.safetensors" for name in ("start", "end")]
    commands = {
        "fit": [*fit, *folders, "--alphas", alphas, "--out", str(run)],
        "eval": ["eval", str(run), *folders, "--alpha", str(ALPHA)],
        "sweep": ["sweep", *ends, *folders, "--alphas", alphas],
    }
    for name, words in commands.items():
        with walk_of_alpha() as files:
            main(words)
        assert files, f"{name} mixes no tensor at {ALPHA}"
        assert files[0] == "cli/main.py"
        assert files[-2:] == ["paths/path.py", "weights/ops.py"], files
        assert len(files) <= MOST, files


@pytest.mark.parametrize("command", ["predict", "eval", "fit"])
def test_an_image_passes_through_few_files(
    folders: list[str], tmp_path: Path, command: str
) -> None:
    test = folders[folders.index("--test") + 1]
    words = {
        "predict": ["tiny-clip", test, "--classes", "a,b", "--device", "cpu"],
        "eval": ["tiny-clip", *folders],
        "fit": ["--model", "tiny-clip", "--method", "ft", "--epochs", "1", "--batch", "9", *folders,
                "--no-wise", "--out", str(tmp_path / "run")],
    }  # fmt: skip
    with walks_of_images() as found:
        main([command, *words[command]])
    assert found["made a tensor"][0] == "cli/main.py"
    assert found["made a tensor"][-1] == "transforms.py"
    assert ("listed" in found) == (command != "predict")
    if command == "fit":  # it is decoded two files below the batches of the training loop
        del found["decoded"]
    else:
        assert found["decoded"][-1] == "data/images.py"
    for step, files in found.items():
        assert len(files) <= MOST, (step, files)
