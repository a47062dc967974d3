"""Writes the artefacts, then the results: ``python -m tests.records.make [artefacts|results]``.

The artefacts by the commit that README.md names, and by no later one: what is made again by the
code that it is to guard guards nothing. A result only where a change of it is meant.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from surefoot.board.store.store import Store
from surefoot.models.build import build
from surefoot.models.model import ModelSpec
from surefoot.models.save import save_model
from surefoot.models.tiny import BUILTIN, TOKENIZER, clip_spec, dino_spec

from ..conftest import CLASSES, Drawn
from . import cases, openings
from .commands import surefoot
from .settings import ROOT, environment, run

HERE = Path(__file__).parent
_IMAGE = {"size": 32, "dim": 16, "depth": 2, "heads": 2, "channels": [8, 16]}
_TEXT = {"vocab": 259, "context": 24, "dim": 16, "depth": 1, "heads": 2}
_LEFT_OUT = ("report.html", "*.lock", "recipes", "__pycache__")


def shapes() -> None:
    """``shapes/``: coloured rectangles in class folders; under shift the colours change."""
    for name, n, seed in (("train", 24, 0), ("val", 15, 3), ("test", 15, 1), ("recoloured", 15, 2)):
        drawn = Drawn(n, seed=seed, shifted=name == "recoloured")
        for i, label in enumerate(drawn.labels):
            place = Path("shapes", name, CLASSES[label])
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.pixels[i]).save(place / f"{i}.png", optimize=True)


def tokenizer() -> str:
    """The built-in tokenizer without its merges: marks and bytes only."""
    about = json.loads((BUILTIN / TOKENIZER).read_text(encoding="utf-8"))
    vocab = {k: v for k, v in about["model"]["vocab"].items() if v < _TEXT["vocab"]}
    about["model"].update(vocab=vocab, merges=[])
    return json.dumps(about, ensure_ascii=False)


def models() -> None:
    """``models/``: a CLIP and a vision transformer of some ten thousand random weights."""
    content = tokenizer()
    digest = sha256(content.encode()).hexdigest()[:16]
    clip = {"kind": "tiny-clip", "image": _IMAGE, "text": _TEXT, "joint": 16, "tokenizer": digest}
    _save(clip_spec(), "small-clip", clip, {TOKENIZER: content})
    _save(dino_spec(), "small-dino", {"kind": "tiny-dino", "image": _IMAGE}, {})


def _save(like: ModelSpec, name: str, builder: dict[str, Any], files: dict[str, str]) -> None:
    torch.manual_seed(0)
    spec = replace(like, name=name, source=name, builder=builder, notes=("Random weights.",))
    Path("models").mkdir(exist_ok=True)
    save_model(build(builder, files=files).model(spec), Path("models", f"{name}.safetensors"))


def artefacts() -> None:
    """Everything that ``openings.py`` opens, in the working folder."""
    torch.backends.nnpack.set_flags(False)
    torch.backends.mkldnn.set_flags(False)
    platform.platform = lambda *_: "Linux"  # type: ignore[assignment]  # not this machine's kernel
    shapes()
    models()
    openings.settle()
    surefoot("fit", "recipes/shapes-run.yaml", "--out", "run")
    surefoot("fit", "recipes/shapes-study.yaml", "--out", "study")
    cases.interrupted(Path("recipes/shapes-interrupted.yaml"), "interrupted", "epoch 3 of 3")
    dino, clip = "models/small-dino.safetensors", "models/small-clip.safetensors"
    surefoot("align", "--model", dino, "--text", clip, *openings.SHAPES, "--epochs", 1, "--k", 3,
             "--alphas", "0,1", "--batch", 8, "--control", "shuffled",
             "--out", "aligned")  # fmt: skip
    ends = ("run/start.safetensors", "run/end.safetensors")
    surefoot("sweep", *ends, *openings.SHAPES, "--alphas", 6, "--adaptive", "--head", "end",
             "--out", "swept")  # fmt: skip
    both = ("study/flyp-s0/start.safetensors", "study/flyp-s0/end.safetensors")
    surefoot("merge", *both, "--alpha", 0.75, "--virtual", "-o", "virtual.json")
    surefoot("export", "run", "--to", "safetensors", "--alpha", "id_val", "-o",
             "exported.safetensors")  # fmt: skip
    with Store.open("board.sqlite", who="records", create=True):
        pass
    surefoot("board", "add", "run", "study", "--board", "board.sqlite")
    surefoot("board", "pack", "study", "--out", "packed.json", "--command", "surefoot fit ...")
    os.environ["SUREFOOT_CACHE"] = str(Path("cache").resolve())
    surefoot("eval", dino, *openings.SHAPES, "--evaluator", "knn", "-k", 3, "--protocol", "model")
    del os.environ["SUREFOOT_CACHE"]
    cases.claims()
    shutil.rmtree("claims/pictograms")


def make_artefacts() -> None:
    """Make them in an empty folder, in a process of their own, and put them in their place."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "records")
        shutil.copytree(HERE / "artefacts" / "recipes", place / "recipes")
        env = environment() | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
        command = [sys.executable, "-m", "tests.records.make", "inside"]
        subprocess.run(command, env=env, cwd=place, check=True)
        kept = shutil.ignore_patterns(*_LEFT_OUT)
        for old in (HERE / "artefacts").iterdir():
            if old.name != "recipes":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(place, HERE / "artefacts", ignore=kept, dirs_exist_ok=True)


def make_results() -> None:
    """Run every case and keep what it says."""
    with tempfile.TemporaryDirectory() as folder:
        for name, group in cases.GROUPS.items():
            run(group, Path(folder, "found"), Path(folder, name))
        shutil.rmtree(HERE / "results", ignore_errors=True)
        shutil.copytree(Path(folder, "found"), HERE / "results")


if __name__ == "__main__":
    asked = sys.argv[1:] or ["artefacts", "results"]
    for what in asked:
        {"artefacts": make_artefacts, "results": make_results, "inside": artefacts}[what]()
