"""The inventory is the same in the terminal, in run.json and in the report of every command."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch

import surefoot as sf
from surefoot.board.runs.files import read_rows
from surefoot.board.runs.scores import Placing, run_entries
from surefoot.board.store.store import Store
from surefoot.cli.main import cli
from surefoot.context import InParts
from surefoot.data.dataset import Task
from surefoot.errors import SurefootError, TrainingError
from surefoot.evals.linear import C_PATH, fit_linear
from surefoot.features import extract
from surefoot.inventory import Inventory, Note, SplitFacts
from surefoot.models.model import Model
from surefoot.recipes.auto_lr import end_of_grid
from surefoot.recipes.inventory import take_inventory
from surefoot.registry import METHODS

from ..conftest import drawn_split, toy_model
from .test_inventory_agreement import GOOD, same_val, shifted, typed, write

SOURCE = Path(sf.__file__).parent


def run_json(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return facts


def test_terminal_run_json_and_report_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shifted(tmp_path, GOOD, "--model", "tiny-clip", "--alphas", "2")
    assert not typed(["fit", *words, "--method", "lp", "--out", str(tmp_path / "run")])
    told = capsys.readouterr().err.splitlines()
    kept = Inventory.from_json(run_json(tmp_path / "run")["inventory"])
    assert told[: len(kept.lines())] == kept.lines()
    assert len(kept.lines()) <= 12
    page = (tmp_path / "run" / "report.html").read_text()
    for line in kept.lines():
        assert line.replace('"', "&#34;").replace("'", "&#39;") in page

    data = [w for w in words if w not in ("--model", "tiny-clip", "--alphas", "2")]
    for command in (["eval", str(tmp_path / "run")], ["sweep", "tiny-clip", "tiny-clip"]):
        assert not typed([*command, *data])
        said = [line.split() for line in capsys.readouterr().err.splitlines()]
        splits = [line.split() for line in kept.lines() if line.split()[0] in ("val", "dim")]
        assert len(splits) == 2
        assert [line for line in said if line in splits] == splits, command
    image = next((tmp_path / "test" / "cat").iterdir())
    assert not typed(["predict", str(tmp_path / "run"), str(image)])
    assert "over all 3 classes that it knows" in capsys.readouterr().err


def test_align_says_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = shifted(tmp_path, GOOD)
    out = tmp_path / "study"
    assert not typed(["align", "--model", "tiny-dino", *words, "--k", "3", "--epochs", "1",
                      "--batch", "8", "--adapter", "film", "--control", "none", "--alphas", "2",
                      "--out", str(out)])  # fmt: skip
    kept = Inventory.from_json(json.loads((out / "study.json").read_text())["inventory"])
    said = capsys.readouterr().err.splitlines()
    assert said[: len(kept.lines())] == kept.lines()
    assert "3 nearest neighbours in train" in kept.head


def test_json_gives_it_back(task: Task, model: Model) -> None:
    found = take_inventory(task, model, head="its own")
    again = Inventory.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    assert again.lines() == found.lines()
    assert [type(n) for n in again.notes] == [Note] * len(found.notes)


def test_many_good_shifts_still_fit_into_twelve_lines() -> None:
    splits = tuple(SplitFacts(f"shift{i}", 50, 50, 5, (10, 10)) for i in range(30))
    found = Inventory("photos", 5, "top1", splits, 435, (), {"m": {}}, "its own", ("one", "two"))
    assert len(found.lines()) == 12
    assert all(f"shift{i} 50" in found.lines()[7] for i in range(6, 30))


def test_rows_read_kept_and_left_out_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a", {"cat": 30, "dog": 30}, 0)
    (tmp_path / "a" / "cat" / "Thumbs.db").write_bytes(b"x")
    typed(["check", "--train", str(tmp_path / "a"), "--limit", "20"])
    out = capsys.readouterr().out
    assert "20 of 61 rows" in out  # one no image, six cut off as val and six as test, a limit
    assert "1 file that is no image is ignored (cat/Thumbs.db)" in out
    assert "; limit" in out


def test_masks_written_as_ones_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(6):
            pixels = np.random.default_rng([i, len(name), ord(name[0])]).integers(0, 2, (9, 9, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    typed(["check", "--train", str(tmp_path)])
    assert "no pixel is brighter than 1 of 255" in capsys.readouterr().out


def test_what_is_chosen_on_test_images_is_named_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*same_val(tmp_path), "--model", "tiny-clip", "--method", "lp", "--alphas", "2"]
    out = ["--out", str(tmp_path / "run")]
    assert "--chosen-on-test" in typed(["fit", *words, *out])
    assert not (tmp_path / "run").exists()
    capsys.readouterr()
    assert not typed(["fit", *words, *out, "--chosen-on-test"])
    printed = capsys.readouterr()
    assert "CHOSEN ON TEST" in printed.err
    assert "CHOSEN ON TEST" in printed.out.replace("\n", " ")
    run = tmp_path / "run"
    assert "CHOSEN ON TEST" in (run / "report.html").read_text()
    assert Inventory.from_json(run_json(run)["inventory"]).chosen_on_test
    with Store.open(tmp_path / "board.db", create=True) as store:
        notes = [e.entry.source.note for e in run_entries(store, read_rows(run), Placing())]
    assert notes
    assert all("CHOSEN ON TEST" in note for note in notes)
    data = [w for w in words if w not in ("--model", "tiny-clip", "--method", "lp")][:-2]
    for command in (["eval", "tiny-clip"], ["sweep", "tiny-clip", str(run / "end.safetensors")]):
        assert "--chosen-on-test" in typed([*command, *data])
        assert not typed([*command, *data, "--chosen-on-test"])


def test_the_others_go_on_where_one_method_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*shifted(tmp_path, GOOD), "--model", "tiny-dino", "--method", "lp", "--method", "ft",
             "--no-wise", "--keep-going"]  # fmt: skip
    assert cli.main(["fit", *words, "--out", str(tmp_path / "a")], standalone_mode=False) == 1
    facts = json.loads((tmp_path / "a" / "study.json").read_text())
    assert facts["members"] == ["lp"]
    assert "no text tower" in facts["failed"]["ft"]
    assert not (tmp_path / "a" / "ft").exists()
    assert "FAILED, and not in the table: ft" in capsys.readouterr().out

    def fails(*arguments: Any, **options: Any) -> None:
        raise TrainingError("the loss is nan")

    monkeypatch.setattr("surefoot.methods.lp_ft.LPFT.fit", fails)
    words[words.index("ft")] = "lp-ft"
    code = cli.main(["fit", *words, "--out", str(tmp_path / "b")], standalone_mode=False)
    assert code == 1
    facts = json.loads((tmp_path / "b" / "study.json").read_text())
    assert (facts["members"], facts["failed"]) == (["lp"], {"lp-ft": "the loss is nan"})


class Unread:
    """Images that must not be asked for."""

    class Asked(Exception):
        pass

    def __init__(self, images: Any) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        raise Unread.Asked

    def id(self, index: int) -> str:
        return str(index)

    def content(self, index: int) -> bytes:
        return bytes(self.images.content(index))


@pytest.mark.parametrize("start", ["toy", "tiny-clip"])
@pytest.mark.parametrize("name", [n for n in METHODS.names() if n != "language"])
def test_a_method_says_beforehand_what_its_fit_would_say(name: str, start: str, task: Task) -> None:
    from dataclasses import replace

    model = toy_model() if start == "toy" else sf.load(start)
    unread = {
        use: replace(getattr(task, use), images=Unread(getattr(task, use).images))
        for use in ("train", "val", "test")
    }
    blind, method = replace(task, **unread), METHODS.get(name)()
    beforehand = fitted = ""
    try:
        method.check(model, blind)
    except SurefootError as error:
        beforehand = error.wrong
    try:
        method.fit(model, blind)
    except (Unread.Asked, NotImplementedError):
        pass
    except SurefootError as error:
        fitted = error.wrong
    assert bool(beforehand) == bool(fitted), (beforehand, fitted)


def test_ties_go_to_the_likeliest() -> None:
    """Sixteen validation images that every C gets right: the strongest penalty is not taken."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = (np.eye(3)[labels] * 4 + rng.normal(size=(60, 3)) * 0.3).astype(np.float32)
    held = (np.eye(3)[labels[:16]] * 4 + rng.normal(size=(16, 3)) * 0.3).astype(np.float32)
    fit = fit_linear(features, labels, classes=3, val_features=held, val_labels=labels[:16])
    assert sum(row["val"] == 1.0 for row in fit.table) > 40
    assert fit.c > C_PATH[0] * 1e3
    tied = [row for row in fit.table if row["val"] == 1.0]
    assert fit.c == min(tied, key=lambda row: row["val_nll"])["c"]


def test_the_end_of_a_grid_is_named(task: Task) -> None:
    assert end_of_grid([1e-5, 1e-4, 1e-3], 1e-3) == (
        "the largest of 3 tried: a larger one might do better"
    )
    assert end_of_grid([1e-5, 1e-4, 1e-3], 1e-4) == end_of_grid([1e-5], 1e-5) == ""
    tuned = sf.LinearProbe(c_path=(0.1, 10.0)).fit(toy_model(), task)
    path = sf.Path.between(toy_model().with_head(tuned.head), tuned, task)
    chosen = sf.sweep(path, task, alphas=3).choose("id_val")
    assert (chosen.alpha, chosen.end) == (0.0, "It is the smallest of the 3 alphas tried.")
    assert chosen.told.endswith(chosen.end)


class Small(torch.nn.Module):
    """An encoder that takes four images at once."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.most = inner, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.most = max(self.most, len(images))
        out: torch.Tensor = self.inner(images)
        return out


def test_memory_that_runs_out_in_evaluation_halves_the_batch(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    whole = sf.LinearProbe(c_path=(0.1,)).fit(toy_model(), task)
    tight = whole.clone()
    tight.encoder = Small(tight.encoder)
    said = [sf.predict(m, task.scored()["test"]).logits for m in (whole, tight)]
    np.testing.assert_allclose(*said, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        extract(whole, task.train), extract(tight, task.train), rtol=1e-5, atol=1e-6
    )
    assert "out of memory in evaluation: batch halved to 4" in caplog.text
    path = sf.Path.between(tight, tight, task)
    sf.sweep(path, task, alphas=2)
    one = InParts(lambda images: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(TrainingError, match="at one image"):
        one(torch.zeros(3, 1))


def test_few_steps_are_warned_of_with_the_batch_that_mends_it(model: Model) -> None:
    small = Task("t", drawn_split("train", 291, 0, use="train"), drawn_split("val", 9, 1),
                 drawn_split("test", 9, 2), (), ("circle", "square", "bar"))  # fmt: skip
    [note] = take_inventory(small, model, methods=[sf.FineTune()]).notes
    assert note == ("FT: 291 images in batches of 512 are 10 steps in 10 epochs; --batch 64 makes "
                    "it 50")  # fmt: skip
    assert not take_inventory(small, model, methods=[sf.FineTune(batch_size=64)]).notes


OTHERS = {"--sort", "--upgrade", "--use", "--faint", "--hair", "--sans", "--soft"}
"""Of tar, pip and accelerate; and variables of style sheets."""


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    for one in command.params:
        if isinstance(one, click.Option):
            yield from (*one.opts, *one.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from options(inner, context)


def test_every_option_that_a_message_names_exists() -> None:
    known = {*options(cli, click.Context(cli)), "--help", *OTHERS}
    wrong = [
        f"{file.relative_to(SOURCE)}:{node.lineno}: {option}"
        for file in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]", node.value)
        if option not in known
    ]
    assert not wrong
