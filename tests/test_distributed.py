"""Several processes do what one would: the same weights, the same counts, one run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from surefoot import processes
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.recipe import parse_recipe
from surefoot.runs import open_study
from tests.launch import together

SHARES = """
import os, sys
import numpy as np, torch
from surefoot import processes
from surefoot.evals.predict import predict
from surefoot.features import extract
from surefoot.models.heads import random_head
from surefoot.paths import Path, sweep
from tests.conftest import CLASSES, drawn_split, toy_model

kept = processes.is_main()
processes.begin("cpu")
rank = processes.rank()
assert processes.world() == 2 and kept == (rank == 0)
for n in (0, 1, 2, 5):
    mine = processes.share(n)
    rows = np.arange(3 * n, dtype=np.int64).reshape(n, 3)
    assert np.array_equal(processes.joined(rows[mine], n), rows)
    flat = [i for b in processes.my_batches(n, 2) for i in b.tolist()]
    assert flat == list(range(mine.start, mine.stop))
processes._PIECE = 100  # rows travel in several pieces
rows = np.random.default_rng(0).normal(size=(101, 7)).astype(np.float32)
assert np.array_equal(processes.joined(rows[processes.share(101)], 101), rows)

calls = []
assert processes.agreed(lambda: calls.append(1) or {"a": 3}) == {"a": 3}
assert len(calls) == (1 if rank == 0 else 0)
try:
    processes.agreed(lambda: 1 / 0)
except ZeroDivisionError:
    pass
else:
    raise SystemExit("the others were not told of the error")

model = toy_model()
model.head = random_head(model, CLASSES, seed=0)
found = {}
for n in (1, 3, 10):  # one image for two processes; unequal shares; a short last batch
    split = drawn_split("test", n, 0)
    found[f"logits{n}"] = predict(model, split, batch_size=2).logits
    found[f"features{n}"] = extract(model, split, batch_size=2)
    found[f"cached{n}"] = extract(model, split, batch_size=2, cache_dir=sys.argv[2])
    found[f"again{n}"] = extract(model, split, batch_size=4, cache_dir=sys.argv[2])
other = toy_model(seed=5)
other.head = random_head(other, CLASSES, seed=1)
from surefoot.data.dataset import Shift
split = drawn_split("test", 9, 0)
curve = sweep(Path(model, other), {"test": Shift("test", split)}, alphas=(0, 0.5, 1), batch_size=2)
found["correct"] = curve.correct["test"]
np.savez(f"{sys.argv[1]}/{rank}.npz", **found)
"""


@pytest.mark.slow
def test_every_image_is_looked_at_once_and_all_processes_know(tmp_path: Path) -> None:
    """Logits, features, cached features and curves equal those of this single process."""
    from surefoot.data.dataset import Shift
    from surefoot.evals.predict import predict
    from surefoot.features import extract
    from surefoot.models.heads import random_head
    from surefoot.paths import Path as WeightPath
    from surefoot.paths import sweep
    from tests.conftest import CLASSES, drawn_split, toy_model

    said = together(2, ["-c", SHARES, str(tmp_path), str(tmp_path / "cache")])
    assert [code for code, _ in said] == [0, 0], said
    model, other = toy_model(), toy_model(seed=5)
    model.head = random_head(model, CLASSES, seed=0)
    other.head = random_head(other, CLASSES, seed=1)
    split = drawn_split("test", 9, 0)
    curve = sweep(WeightPath(model, other), {"test": Shift("test", split)}, alphas=(0, 0.5, 1))
    for rank in range(2):
        found = np.load(tmp_path / f"{rank}.npz")
        for n in (1, 3, 10):
            part = drawn_split("test", n, 0)
            logits, features = predict(model, part).logits, extract(model, part)
            np.testing.assert_allclose(found[f"logits{n}"], logits, rtol=1e-5, atol=1e-6)
            for name in ("features", "cached", "again"):
                np.testing.assert_allclose(found[f"{name}{n}"], features, rtol=1e-5, atol=1e-6)
        assert np.array_equal(found["correct"], curve.correct["test"])
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy colours in class folders; numbers that two does not divide."""
    root = tmp_path_factory.mktemp("photos")
    g = np.random.default_rng(0)
    for part, n in (("train", 11), ("val", 4), ("test", 5), ("night", 3)):
        for name, colour in (
            ("red", (200, 30, 30)),
            ("green", (30, 200, 30)),
            ("blue", (30, 30, 200)),
        ):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = np.array(colour) * (0.4 if part == "night" else 1)
                noisy = np.clip(pixels + g.normal(0, 60, (40, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / f"{i}.png")
    return root


def recipe(photos: Path, *methods: str) -> dict[str, object]:
    schedule = {"epochs": 2, "batch_size": 13, "micro_batch": 4}
    tuned = {"name": "ft", "head": "keep", "schedule": {**schedule, "lr": 1e-4}}
    fields: dict[str, dict[str, object]] = {
        "ft": {"schedule": schedule},
        "lp-ft": {"tune": tuned},
        "flyp": {"schedule": schedule},
    }
    plain = [{"name": name, **fields[name]} for name in methods]
    return {
        "model": "tiny-clip",
        "methods": plain,
        "data": {
            "train": str(photos / "train"),
            "val": str(photos / "val"),
            "test": str(photos / "test"),
            "shifts": {"night": str(photos / "night")},
        },
        "path": {"alphas": 3},
        "evaluate": ["head", "knn"],
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def alone(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of one process."""
    out = tmp_path_factory.mktemp("alone") / "study"
    run_recipe(parse_recipe(recipe(photos, "ft", "lp-ft", "flyp")), out)
    return out


def seen(name: str, tensor: Any) -> Any:
    """Without the biases of attention's keys.

    They add the same to every score of a query and the softmax takes it out again: their gradient
    is rounding alone, which Adam blows up to steps of the full learning rate.
    """
    if name.endswith("attn.qkv.bias"):
        third = len(tensor) // 3
        return np.concatenate([tensor[:third], tensor[2 * third :]])
    return tensor


def same(one: Path, several: Path, members: list[str]) -> None:
    for member in members:
        for name in ("recipe.yaml", "log.jsonl", "run.json", "report.html"):
            if (one / member / name).exists():
                assert (several / member / name).exists(), name
        mine, theirs = (open_study(p / member).runs[0] for p in (one, several))
        assert theirs.status == "finished"
        rows = [[(s.split, s.method, s.alpha, s.selection, s.evaluator, s.n, s.value)
                 for s in run.scores()] for run in (mine, theirs)]  # fmt: skip
        assert rows[0] == rows[1]
        assert mine.selections() == theirs.selections()
        for split in ("val", "test", "night"):
            a, b = (run.predictions(split, 1.0) for run in (mine, theirs))
            assert a is not None
            assert b is not None
            assert a.ids == b.ids
            np.testing.assert_allclose(a.logits, b.logits, rtol=1e-3, atol=1e-3)
        ends = [load_file(p / member / "end.safetensors") for p in (one, several)]
        assert ends[0].keys() == ends[1].keys()
        for name, tensor in ends[0].items():
            a, b = seen(name, ends[1][name]), seen(name, tensor)
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5, err_msg=name)
        assert not (several / member / "checkpoints").exists()
        epochs = [[json.loads(line) for line in (p / member / "log.jsonl").read_text().splitlines()]
                  for p in (one, several)]  # fmt: skip
        losses = [[row["loss"] for row in rows if "images_per_second" in row] for rows in epochs]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_fit_in_two_processes_is_fit_in_one(photos: Path, alone: Path, tmp_path: Path) -> None:
    """`torchrun --nproc-per-node 2 -m surefoot fit recipe.yaml`, for FT, LP-FT and FLYP."""
    out, file = tmp_path / "study", tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe(photos, "ft", "lp-ft", "flyp")))
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    fit = ["-m", "surefoot", "fit", str(file), "--out", str(out)]
    [(code, said)] = together(1, [*torchrun, *fit])
    assert code == 0, said
    assert said.count("report: ") == 1  # one process speaks
    same(alone, out, ["ft", "lp-ft", "flyp"])
    # The folder exists now: decided once, told to all, nothing hangs.
    [(code, said)] = together(1, [*torchrun, *fit])
    assert code != 0
    assert "exists already" in said


@pytest.mark.slow
def test_cut_up_over_processes_it_is_the_same(photos: Path, alone: Path, tmp_path: Path) -> None:
    """FSDP; a loss that needs whole weights is refused by every process."""
    out, file = tmp_path / "study", tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe(photos, "ft", "lp-ft")))
    fit = ["-m", "surefoot", "fit", str(file), "--out", str(out)]
    said = together(2, fit, ACCELERATE_USE_FSDP="true")
    assert [code for code, _ in said] == [0, 0], said
    same(alone, out, ["ft", "lp-ft"])
    file.write_text(json.dumps(recipe(photos, "flyp")))
    said = together(2, [*fit[:-1], str(tmp_path / "flyp")], ACCELERATE_USE_FSDP="true")
    assert [code for code, _ in said] == [1, 1]
    assert "needs whole weights, and FSDP cuts them up" in said[0][1]
    assert "(process 1)" in said[1][1]


def test_alone_nothing_changes() -> None:
    rows = np.arange(6).reshape(3, 2)
    assert processes.world() == 1
    assert processes.is_main()
    assert processes.joined(rows, 3) is rows
    assert processes.share(3) == slice(0, 3)
    assert [b.tolist() for b in processes.my_batches(5, 2, start=1)] == [[1, 2], [3, 4]]
    assert processes.agreed(lambda: "yes") == "yes"
    processes.begin("cpu")
    assert processes.world() == 1


def test_other_commands_say_that_they_run_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from surefoot.cli.main import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit) as stop:
        main(["merge", "a", "b"])
    assert stop.value.code == 2
    assert "merge runs in one process" in capsys.readouterr().err
