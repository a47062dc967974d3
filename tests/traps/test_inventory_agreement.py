"""``check`` with the options of ``fit`` says what ``fit`` would: the inventory or the refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from surefoot.cli.main import cli
from surefoot.errors import Refused, SurefootError

Words = list[str]
GOOD = {"cat": 6, "dog": 5, "bus": 4}


def write(root: Path, counts: dict[str, int], seed: int) -> Path:
    """Class folders of noise, no image twice."""
    rng = np.random.default_rng(seed)
    for name, n in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            pixels = rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def parts(root: Path, **more: Any) -> Words:
    """--train, --val and --test of good images."""
    found: Words = []
    for seed, name in enumerate(("train", "val", "test")):
        found += [f"--{name}", str(write(root / name, more.get(name, GOOD), seed))]
    return found


def shifted(root: Path, counts: dict[str, int], *words: str) -> Words:
    return [*parts(root), "--shift", f"dim={write(root / 'dim', counts, 9)}", *words]


def broken(root: Path, *words: str) -> Words:
    found = parts(root)
    (root / "test" / "cat" / "0.png").write_bytes(b"no image")
    return [*found, *words]


def named(root: Path, names: tuple[str, ...], text: str = "") -> Words:
    found = ["--train", str(write(root / "train", dict.fromkeys(names, 4), 0))]
    if not text:
        return found
    (root / "names.txt").write_text(text)
    return [*found, "--names", str(root / "names.txt")]


def table(root: Path) -> Words:
    write(root, GOOD, 0)
    rows = [f"{name}/{i}.png,{name},{'train' if i % 2 else 'test'}"
            for name, n in GOOD.items() for i in range(n)]  # fmt: skip
    (root / "t.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    return ["--train", str(root / "t.csv"), "--test", str(root / "t.csv")]


def mapped(root: Path) -> Words:
    found = shifted(root, {"kitten": 3, "puppy": 3}, "--class-map", f"dim={root / 'map.yaml'}")
    (root / "map.yaml").write_text("kitten: cat\npuppy: dog\n")
    return found


def same_val(root: Path, *words: str) -> Words:
    place = str(write(root / "held", GOOD, 3))
    return ["--train", str(write(root / "train", GOOD, 0)), "--val", place, "--test", place, *words]


def val_is_shift(root: Path) -> Words:
    found = parts(root)
    return [*found, "--shift", f"dim={root / 'val'}"]


def empty_class(root: Path) -> Words:
    found = parts(root)
    (root / "train" / "ant").mkdir()
    return found


def roles(root: Path) -> Words:
    parts(root)
    return ["--train", str(root)]


def lone(root: Path) -> Words:
    return ["--train", str(write(root / "photos", {"photos": 5}, 0))]


def wrong_model(root: Path, *words: str) -> Words:
    return [*parts(root), "--model", "tiny-klip", *words]


INPUTS: dict[str, Callable[[Path], Words]] = {
    "good": parts,
    "val is cut": lambda r: named(r, ("cat", "dog")),
    "val is cut, strictly": lambda r: [*named(r, ("cat", "dog")), "--strict"],
    "val is cut, the share said": lambda r: [*shifted(r, GOOD), "--val-fraction", "0.2"],
    "all said, strictly": lambda r: [*shifted(r, GOOD), "--strict"],
    "a shift": lambda r: shifted(r, GOOD),
    "a shift lacks a class": lambda r: shifted(r, {"cat": 3, "dog": 3}),
    "a shift has another class": lambda r: shifted(r, {"cat": 3, "fox": 3}),
    "a class map": mapped,
    "a class map of no shift": lambda r: [*parts(r), "--class-map", "dim=none.yaml"],
    "a broken image": broken,
    "a broken image, left out": lambda r: broken(r, "--skip-bad"),
    "a broken image and no text tower": lambda r: broken(
        r, "--model", "tiny-dino", "--method", "ft"),
    "val is test": same_val,
    "val is test, allowed": lambda r: same_val(r, "--chosen-on-test"),
    "val is a shift": val_is_shift,
    "all three the same": lambda r: ["--train", str(write(r / "a", GOOD, 0)), "--test",
                                     str(r / "a")],
    "numbers for names": lambda r: named(r, ("0", "1", "2")),
    "numbers with names": lambda r: named(r, ("0", "1", "2"), "cat\ndog\nbus\n"),
    "a name for no class": lambda r: named(r, ("0", "1"), "0: cat\n7: dog\n"),
    "WordNet ids": lambda r: named(r, ("n01440764", "n02123045")),
    "a table with a column split": table,
    "an empty class folder": empty_class,
    "one folder too high": roles,
    "one class": lone,
    "no such folder": lambda r: ["--train", str(r / "nope")],
    "no such model": wrong_model,
    "neither model nor folder": lambda r: ["--train", str(r / "nope"), "--model", "tiny-klip"],
    "fewer images than classes": lambda r: [*parts(r), "--method", "lp", "--limit", "2"],
    "no text tower": lambda r: [*parts(r), "--model", "tiny-dino", "--method", "ft", "--method",
                                "flyp", "--method", "zero-shot", "--method", "lp"],
    "a random head": lambda r: [*parts(r), "--model", "tiny-dino", "--method", "ft", "--head",
                                "random"],
    "more shots than images": lambda r: [*parts(r), "--method", "lp", "--few-shot", "9"],
    "one method of two cannot start": lambda r: [
        *parts(r), "--model", "tiny-dino", "--method", "ft", "--method", "lp", "--keep-going"],
    "no method can start": lambda r: [*parts(r), "--model", "tiny-dino", "--method", "ft",
                                      "--method", "flyp", "--keep-going"],
    "few shots, many images": lambda r: [*parts(r), "--method", "ft", "--few-shot", "2",
                                         "--batch", "2", "--epochs", "4"],
    "few shots": lambda r: [*parts(r), "--method", "lp", "--few-shot", "2"],
    "a metric without its column": lambda r: [*parts(r), "--metric", "worst_group"],
    "no such metric": lambda r: [*parts(r), "--metric", "top0"],
    "no such method": lambda r: [*parts(r), "--method", "tf"],
}  # fmt: skip


class Stopped(Exception):
    """Everything was good: training would begin."""


def typed(words: Words) -> str:
    """What a command raised; "" where it ended well."""
    try:
        cli.main(args=words, prog_name="surefoot", standalone_mode=False)
    except Stopped:
        return ""
    except Refused as error:
        return "".join(f"{problem}\n" for problem in error.problems)
    except SurefootError as error:
        return f"{error}\n"
    return ""


@pytest.mark.parametrize("name", INPUTS)
def test_check_says_what_fit_says(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = INPUTS[name](tmp_path / "data")
    words += ["--model", "tiny-clip"] if "--model" not in words else []
    words += ["--method", "ft"] if "--method" not in words else []
    monkeypatch.chdir(tmp_path)

    def stop(*arguments: Any, **options: Any) -> None:
        raise Stopped

    monkeypatch.setattr("surefoot.recipes.experiment.Experiment.run_all", stop)
    wrong = typed(["fit", *words, "--out", "out"])
    told = capsys.readouterr().err.splitlines()
    assert not (tmp_path / "out").exists()

    checked = typed(["check", *words])
    if "top0" in words or "tf" in words:  # the options themselves are wrong
        assert checked == wrong != ""
        return
    first, *lines = capsys.readouterr().out.splitlines()
    if not wrong:
        assert first == "fit: good"
        assert lines == told
    else:
        assert not told
        assert first.startswith("fit: ")
        assert [line[4:] for line in lines] == wrong.splitlines()


REFUSED = {
    "val is cut, strictly": "say it: --val DIR, or the share to cut off (--val-fraction)",
    "a shift has another class": "1 class that the task does not have: fox",
    "a broken image": "cat/0.png: not an image",
    "val is test": "CHOSEN ON TEST",
    "val is a shift": "what is chosen on val is chosen on images of dim, CHOSEN ON TEST",
    "all three the same": "CHOSEN ON TEST",
    "a name for no class": "There is no class named '7'",
    "no such model": "There is no model named 'tiny-klip'",
    "no text tower": "has no text tower",
    "more shots than images": "fewer than k = 9",
    "a metric without its column": "worst_group on 'val' finds no column 'group'",
}
SAID = {
    "a shift lacks a class": "2 of 3 classes, 3 each",
    "a class map": "masked to 2 of 3 classes by its class map",
    "a broken image, left out": "test: 1 of 15 images cannot be decoded and are left out",
    "val is test, allowed": "WARNING: 15 of 15 images of test are in val too",
    "numbers for names": "3 of 3 classes have names that say nothing in a prompt (0, 1, 2)",
    "numbers with names": '"a photo of a cat."; "a photo of a dog."',
    "WordNet ids": '"a photo of a tench."; "a photo of a tabby cat."',
    "a table with a column split": "rows of t.csv with split=train: 7 of 15; the others are left",
    "val is cut": "~ val",
    "one method of two cannot start": "FT is LEFT OUT: ",
    "few shots, many images": "FT: 6 images in batches of 2 are 12 steps in 4 epochs",
    "fewer images than classes": "1 class has no image: cat; a larger --limit",
    "good": "no image is in two splits (3 pairs compared)",
}


@pytest.mark.parametrize("name", [*REFUSED, *SAID])
def test_the_words(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = INPUTS[name](tmp_path)
    words += ["--model", "tiny-clip"] if "--model" not in words else []
    words += ["--method", "ft"] if "--method" not in words else []
    typed(["check", *words])
    out = capsys.readouterr().out
    assert (REFUSED | SAID)[name] in out
    assert (": good" in out) == (name in SAID)


def test_model_and_folder_are_refused_in_one_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(["check", "--train", str(tmp_path / "nope"), "--model", "tiny-klip", "--method", "ft"])
    out = capsys.readouterr().out
    assert out.startswith("fit: 2 problems")
    assert "tiny-klip" in out
    assert "does not exist" in out


def test_methods_are_refused_before_any_image_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*parts(tmp_path), "--model", "tiny-dino", "--method", "lp", "--method", "ft"]

    def decoded(*arguments: Any) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr("surefoot.data.check.decode", decoded)
    assert "no text tower" in typed(["fit", *words, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
