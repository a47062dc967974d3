"""The recorded cases, each a few commands on little data. ``python -m tests.records.cases OUT``.

Runs in an empty working folder, in a process with the settings of ``settings.py``; writes one JSON
file per record into OUT.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surefoot.cli.main import main
from surefoot.data.builtin import pictograms_split

from . import openings
from .commands import surefoot
from .reading import of_rows, of_study, of_weights
from .settings import versions

__all__ = ["CASES", "GROUPS"]

ARTEFACTS = Path(__file__).parent / "artefacts"

CONCEPTS = ("airplane", "book", "car", "hammer", "key", "ship", "truck", "umbrella")
_SPLITS = {
    "train": ("outline", "train", 4),
    "val": ("outline", "val", 3),
    "test": ("outline", "test", 3),
    "colour": ("colour", "test", 3),
    "sketch": ("sketch", "test", 3),
}

_DATA = ("--train", "data/train", "--val", "data/val", "--test", "data/test",
         "--shift", "colour=data/colour", "--shift", "sketch=data/sketch")  # fmt: skip


def data() -> None:
    """``data/``: class folders with the first few icons of eight concepts; and ``models/``."""
    shutil.copytree(ARTEFACTS / "models", "models")
    for name, (domain, use, n) in _SPLITS.items():
        split = pictograms_split(domain, use)
        for concept in CONCEPTS:
            place = Path("data", name, concept)
            place.mkdir(parents=True, exist_ok=True)
            rows = np.flatnonzero(split.require_labels() == split.class_names.index(concept))
            for i, row in enumerate(rows[:n]):
                split.images[int(row)].convert("RGB").save(place / f"{i}.png")


def fitted(recipe: str) -> dict[str, Any]:
    """``surefoot fit`` of a recipe that lies beside this file."""
    name = Path(recipe).stem
    surefoot("fit", ARTEFACTS / "recipes" / recipe, "--out", name)
    return {f"{name}-{key}": value for key, value in of_study(name).items()}


def fit() -> dict[str, Any]:
    """FT, LP, LP-FT, FLYP, FiLM, WiSE-FT over FT."""
    return fitted("fit.yaml")


def soups() -> dict[str, Any]:
    """Uniform and greedy soups, Model Stock."""
    return fitted("soups.yaml")


def few_shot() -> dict[str, Any]:
    """Two images per class, drawn anew for each of two seeds."""
    return fitted("few-shot.yaml")


class _Stops(io.StringIO):
    """Standard error of a user who presses Ctrl-C when a word appears."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def write(self, text: str) -> int:
        if self._word in text:
            self._word = "\0"
            raise KeyboardInterrupt
        return super().write(text)


def interrupted(recipe: Path, out: str, word: str) -> None:
    """``surefoot fit``, stopped where it says a word: before the checkpoint of that epoch."""
    status: Any = None
    command = ["fit", str(recipe), "--out", out]
    sys.argv[:] = ["surefoot", *command]
    with redirect_stdout(io.StringIO()), redirect_stderr(_Stops(word)):
        try:
            main(command)
        except SystemExit as stop:
            status = stop.code
    assert status == 130, f"it was not stopped: {status}"


def resume() -> dict[str, Any]:
    """Stopped in the last of three epochs and gone on with, beside the undisturbed run."""
    recipe = ARTEFACTS / "recipes" / "resume.yaml"
    surefoot("fit", recipe, "--out", "whole")
    interrupted(recipe, "cut", "epoch 3 of 3")
    said = surefoot("fit", recipe, "--out", "cut", "--resume").err
    assert "resumed after epoch 2 of 3" in said, said
    whole, cut = of_study("whole")["whole"], of_study("cut")["cut"]
    assert cut == whole, "the resumed run differs from the undisturbed one"
    return {"resume": cut}


def sweep() -> dict[str, Any]:
    """The path between two files, every alpha and adaptively; the linear probe and kNN of an end.

    The end has learnt for two epochs, fast enough that the curve is no straight line.
    """
    surefoot("fit", ARTEFACTS / "recipes" / "path.yaml", "--out", "path")
    ends = ("path/start.safetensors", "path/end.safetensors")
    found: dict[str, Any] = {}
    for name, more in (("sweep", ()), ("sweep-adaptive", ("--adaptive",))):
        said = surefoot("sweep", *ends, *_DATA, "--alphas", 6, "--device", "cpu", "--json",
                        "--out", name, *more).out  # fmt: skip
        rows = [json.loads(line) for line in said.splitlines()]
        found[name] = {"said": of_rows(rows), **of_study(name)[name]}
    for name, more in (("knn", ("-k", 3)), ("linear", ())):
        said = surefoot("eval", ends[1], *_DATA, "--evaluator", name, "--device", "cpu", "--json",
                        *more).out  # fmt: skip
        found[f"eval-{name}"] = of_rows([json.loads(line) for line in said.splitlines()])
    return found


def align() -> dict[str, Any]:
    """FiLM and Token Replay on captions, with shuffled captions beside; judged by kNN."""
    surefoot("align", "--model", "tiny-dino", "--text", "tiny-clip", *_DATA, "--epochs", 2,
             "--alphas", 3, "--k", 3, "--batch", 16, "--protocol", "model", "--device", "cpu",
             "--control", "shuffled", "--out", "align")  # fmt: skip
    facts = json.loads(Path("align", "align.json").read_text())
    kept = {k: facts[k] for k in ("comparisons", "pairs", "k") if k in facts}
    return {"align": {"facts": kept, "runs": of_study("align")}}


def claims() -> dict[str, Any]:
    """A study of the claims, smaller than small, of a model that knows nothing; and the theory."""
    from surefoot.claims.plan import Plan
    from surefoot.claims.study import run_claims

    plan = Plan.of(json.loads((Path(__file__).parent / "plan" / "claims.json").read_text()))
    found = run_claims(plan, Path("claims"), parts=("pictograms", "theory"), jobs=1)
    kept = {k: found[k] for k in ("size", "claims", "accuracy", "tuning", "plan_hash")}
    return {"claims": kept}


def merge() -> dict[str, Any]:
    """Merges of files, by every method that needs files alone."""
    surefoot("fit", ARTEFACTS / "recipes" / "ends.yaml", "--out", "ends")
    start, *ends = (f"ends/ft-s{seed}/end.safetensors" for seed in (0, 1, 2))
    three = [start, *ends]
    asked: dict[str, list[Any]] = {
        "lerp": [*three[:2], "--alpha", 0.3],
        "extrapolate": [*three[:2], "--alpha", 1.25, "--extrapolate"],
        "mean": [*three, "--weights", "1,2,0.5"],
        "float16": [*three[:2], "--dtype", "float16"],
        "task-arithmetic": [*three, "--method", "task-arithmetic", "--scales", "0.4,0.3"],
        "ties": [*three, "--method", "ties", "--density", 0.3],
        "model-stock": [*three, "--method", "model-stock"],
        "lines": [*three[:2], "--method", "lines"],
    }
    found = {}
    for name, words in asked.items():
        surefoot("merge", *words, "-o", f"{name}.safetensors")
        found[name] = of_weights(f"{name}.safetensors")
    surefoot("merge", *three[:2], "--alpha", 0.3, "--virtual", "-o", "virtual.json")
    found["virtual"] = of_weights("virtual.json")
    assert found["virtual"] == found["lerp"]
    return {"merge": {"weights": found}}


def artefacts() -> dict[str, Any]:
    """What was written before: opened, read, scored, gone on with. See ``openings.py``."""
    shutil.copytree(ARTEFACTS, ".", dirs_exist_ok=True)
    openings.settle()
    return {f"open-{name}": opened() for name, opened in openings.OPENINGS.items()}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    case.__name__.replace("_", "-"): case
    for case in (fit, soups, few_shot, resume, sweep, align, claims, merge, artefacts)
}

GROUPS = {
    "fit": ("fit", "resume"),
    "paths": ("sweep", "soups", "few-shot"),
    "studies": ("align", "claims", "merge"),
    "artefacts": ("artefacts",),
}
"""What runs in one process, of about the same length."""


def _run(out: Path, names: list[str]) -> None:
    torch.backends.nnpack.set_flags(False)
    torch.backends.mkldnn.set_flags(False)
    torch.use_deterministic_algorithms(True)
    out.mkdir(parents=True, exist_ok=True)
    data()
    for name in names:
        for record, numbers in CASES[name]().items():
            about = {"versions": versions(), "case": name, "numbers": numbers}
            (out / f"{record}.json").write_text(_written(about))


def _written(record: dict[str, Any]) -> str:
    """JSON with a line for each list of plain values, so that a changed row is a changed line."""
    plain = re.compile(r"\[\n\s+((?:[^\[\]{}]|\{\})*?)\n\s+\]")
    text = json.dumps(record, indent=1)
    return plain.sub(lambda found: "[" + re.sub(r"\n *", " ", found[1]) + "]", text) + "\n"


if __name__ == "__main__":
    _run(Path(sys.argv[1]), list(sys.argv[2:]) or list(CASES))
