"""``surefoot align`` as a user types it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from PIL import Image

from surefoot.cli.main import main

from ..conftest import Drawn, write_folders


def surefoot(*arguments: object, code: int = 0) -> tuple[str, str]:
    """What the command writes on stdout and stderr, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
            found = 0
        except SystemExit as stop:
            found = int(stop.code or 0)
    assert found == code, f"exit {found}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue(), err.getvalue()


SMALL = ("--epochs", 1, "--alphas", 2, "--k", 3, "--device", "cpu", "--adapter", "film",
         "--batch", 16)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("align")
    for name, n, seed in (("train", 30, 0), ("val", 12, 3), ("test", 12, 1), ("shift", 12, 2)):
        write_folders(root / name, n, seed=seed, shifted=name == "shift")
    drawn = Drawn(24, seed=7)
    rows = ["path,caption"]
    for i, label in enumerate(drawn.labels):
        Image.fromarray(drawn.pixels[i]).save(root / f"{i}.png")
        rows.append(f"{i}.png,shape {label} at {i % 3}")
    (root / "pairs.csv").write_text("\n".join(rows) + "\n")
    return root


def splits(data: Path) -> tuple[object, ...]:
    return (
        "--train", data / "train", "--val", data / "val", "--test", data / "test",
        "--shift", f"dim={data / 'shift'}",
    )  # fmt: skip


def test_one_command_ends_with_a_table_and_a_report(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    stdout, stderr = surefoot(
        "align", "--model", "tiny-dino", "--pairs", data / "pairs.csv", "--n-pairs", 20,
        "--control", "shuffled", *splits(data), *SMALL, "--out", out,
    )  # fmt: skip
    assert "FiLM, shuffled captions" in stdout
    assert "against pretrained, test" in stdout
    assert "against with" not in stdout
    assert "text_saw_images" in stdout
    assert f"report: {out / 'report.html'}" in stderr
    assert (out / "report.html").is_file()
    facts = json.loads((out / "align.json").read_text())
    assert facts["pairs"] == 20
    assert facts["k"] == 3
    rows = (out / "language-film" / "scores.jsonl").read_text().splitlines()
    alphas = {json.loads(row)["alpha"] for row in rows}
    assert alphas == {0.0, 0.5, 1.0}
    _, again = surefoot(
        "align", "--model", "tiny-dino", "--pairs", data / "pairs.csv", "--n-pairs", 20,
        "--control", "shuffled", *splits(data), *SMALL, "--out", out, "--resume",
    )  # fmt: skip
    assert "language-film: finished already" in again
    _, refused = surefoot(
        "align", "--model", "tiny-dino", *splits(data), *SMALL, "--out", out, code=1
    )
    assert "exists already" in refused


def test_without_pairs_class_names_are_captions_and_it_says_so(data: Path, tmp_path: Path) -> None:
    stdout, _ = surefoot(
        "align", "--model", "tiny-dino", "--control", "none", *splits(data), *SMALL,
        "--out", tmp_path / "s",
    )  # fmt: skip
    assert "100 % of the images have a caption that names their class" in stdout
    assert "shuffled" not in stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Missing option '--model'"),
        (("--model", "tiny-dino", "--adapter", "lora"), 2, "'lora' is not one of"),
        (("--model", "tiny-dino", "--seeds", "a"), 2, "whole numbers, comma-separated"),
        (("--model", "tiny-dino", "--pairs", "coco:x.json"), 1, "is not coco:FILE.json:FOLDER"),
        (("--model", "tiny-dino", "--text", "sentence:nowhere"), 1, "there is no folder nowhere"),
        (("--model", "tiny-dino", "--text", "tiny-dino"), 1, "has no text tower"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    _, stderr = surefoot("align", *arguments, code=code)
    assert message in stderr
    assert not (tmp_path / "runs").exists()


def test_help_names_the_built_in_run() -> None:
    stdout, _ = surefoot("align", "--help")
    assert "two to three minutes" in stdout
    assert "our reading" in stdout
