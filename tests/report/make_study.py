"""Makes studies of plausible numbers and tiny images, to develop the report and to test it."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surefoot.evals.score import score as scored
from surefoot.predictions import Predictions
from surefoot.records import Curve, Origin, Score, write_atomic, write_jsonl
from surefoot.runs import Run, Study, open_study
from surefoot.select import select_all

ALPHAS = tuple(round(0.1 * i, 2) for i in range(11))

NAMES = [
    "camera",
    "bell",
    "key",
    "house",
    "umbrella",
    "anchor",
    "bicycle",
    "rocket",
    "apple",
    "tree",
    "cat",
    "scissors",
]


@dataclass(frozen=True)
class Plan:
    """What to make.

    Attributes:
        shifts: Names of the OOD splits.
        synthetic: Those that a program made.
        methods: Method -> (accuracy on ID, under shift) at its end.
        seeds: How many.
        n: Images per split.
        classes: How many.
        class_names: Instead of the usual ones.
        keep: Whether predictions are kept.
        status: Of every run.
        labels: Method -> label.
        log: Whether there are training logs.
        title: Of the study.
    """

    shifts: tuple[str, ...] = ("solid", "colour", "emoji", "sketch")
    synthetic: tuple[str, ...] = ()
    methods: tuple[tuple[str, str, float, float], ...] = (
        ("zero-shot", "Zero-shot", 0.752, 0.56),
        ("lp", "Linear probe", 0.79, 0.545),
        ("ft", "FT (zero-shot head)", 0.852, 0.585),
        ("ft", "FT (random head)", 0.71, 0.44),
        ("lp-ft", "LP-FT", 0.843, 0.60),
    )
    seeds: int = 1
    n: int = 900
    classes: int = 12
    class_names: tuple[str, ...] = ()
    keep: bool = True
    status: str = "finished"
    log: bool = True
    title: str = "Pictograms: outline to solid, colour, emoji, sketch"


def png(pixels: NDArray[np.uint8]) -> str:
    """A data URI of an image (h, w, 3)."""
    h, w, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw))
    data += chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def drawing(seed: int, size: int = 32) -> str:
    """A little picture: rings and bars in two colours on white."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    turn = rng.uniform(0, 3.14)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    image = np.full((size, size, 3), 255, np.uint8)
    ring = np.abs(np.hypot(u, v * rng.uniform(0.6, 1.4)) - rng.uniform(0.2, 0.38)) < 0.05
    bar = (np.abs(u) < 0.09) & (np.abs(v) < rng.uniform(0.15, 0.4))
    ink = rng.integers(0, 150, (2, 3)).astype(np.uint8) * (seed % 2)
    image[ring], image[bar] = ink[0], ink[1]
    return png(image)


def _accuracy(start: float, end: float, alpha: float) -> float:
    """A path that bulges over the straight line between its ends, as WiSE-FT's do."""
    return start + (end - start) * alpha**0.8 + 0.16 * alpha * (1 - alpha) ** 1.3


def _logits(
    rng: np.random.Generator,
    hard: NDArray[np.float64],
    accuracy: float,
    labels: NDArray[np.int64],
    classes: int,
) -> NDArray[np.float32]:
    """Logits that are right on the easier images; the same images are easy for every model."""
    noise = hard + rng.normal(0, 0.13, len(hard))
    right = noise <= np.quantile(noise, accuracy)
    wrong = (labels + 1 + rng.integers(0, classes - 1, len(labels))) % classes
    out = rng.normal(0, 0.1, (len(labels), classes)).astype(np.float32)
    out[np.arange(len(labels)), np.where(right, labels, wrong)] += 3
    return out


def score(p: Predictions, method: str, alpha: float | None, selection: str, seed: int) -> Score:
    """A row with its interval."""
    return scored(p, origin=Origin(method, "head", alpha, selection, seed, "abc123"))


def _splits(plan: Plan) -> list[tuple[str, str]]:
    return [("val", "ID"), ("test", "ID"), *((s, "OOD") for s in plan.shifts)]


def _predict(plan: Plan, split: tuple[str, str], accuracy: float, seed: int) -> Predictions:
    name, domain = split
    where = _splits(plan).index(split)
    base = np.random.default_rng(100 + (2 if name in plan.synthetic else where))
    labels = base.integers(0, plan.classes, plan.n)
    sets = np.array([f"set-{i % 17}" for i in range(plan.n)])
    hard = base.random(plan.n) + 0.1 * np.sin(np.arange(plan.n) % 17)
    rng = np.random.default_rng(1000 * seed + 7 * where + int(accuracy * 1e6))
    names = plan.class_names or tuple(
        NAMES[i] if i < len(NAMES) else f"class {i}" for i in range(plan.classes)
    )
    logits = _logits(rng, hard, accuracy, labels, plan.classes)
    ids = tuple(f"{name if name not in plan.synthetic else 'test'}/{i:05d}" for i in range(plan.n))
    return Predictions(
        name,
        domain,
        logits,
        labels,
        ids,
        names,
        metadata={"set": sets},
        unit="set",
        version="1.0",
        synthetic=name in plan.synthetic,
    )


def _ends(plan: Plan, k: int, method: tuple[str, str, float, float]) -> tuple[float, float]:
    """Accuracies at both ends of a path on split number k."""
    zero = next((m for m in plan.methods if m[0] == "zero-shot"), ("", "", 0.752, 0.56))
    start = zero if "random" not in method[1] else ("", "", 0.1, 0.08)
    gap = 0.0 if k < 2 else 0.22 * np.cos(1.9 * k)
    place = 2 if k < 2 else 3
    return (min(max(start[place] + gap, 0.02), 0.98), min(max(method[place] + gap, 0.02), 0.98))


def _write_run(path: Path, plan: Plan, method: tuple[str, str, float, float], seed: int) -> None:
    name, label, _, _ = method
    sizes = {s: {"n": plan.n, "domain": d} for s, d in _splits(plan)}
    task = {"name": "pictograms", "classes": plan.classes, "splits": sizes}
    run = Run.create(
        path,
        {
            "method": name,
            "label": label,
            "seed": seed,
            "model": "tiny-clip",
            "task": task,
            "seconds": {"train": 31.4, "evaluate": 7.2},
        },
    )
    alphas: Sequence[float | None] = [None] if name == "zero-shot" else ALPHAS
    table: dict[str, list[Score]] = {}
    right: dict[str, list[NDArray[np.bool_]]] = {}
    for k, split in enumerate(_splits(plan)):
        start, end = _ends(plan, k, method)
        for a in alphas:
            # A shift of a fraction per seed: seeds differ by more than by the images.
            wobble = 0.0 if a is None else a * 0.02 * np.sin(2.1 * seed + k)
            accuracy = start if a is None else _accuracy(start, end, a) + wobble
            p = _predict(plan, split, accuracy, seed)
            kind = "end" if a is None else "none"
            table.setdefault(split[0], []).append(score(p, name, a, kind, seed))
            right.setdefault(split[0], []).append(p.correct())
            if plan.keep:
                run.save_predictions(p, a)
    rows = [s for t in table.values() for s in t]
    if name != "zero-shot":
        rows += _selected(run, name, table, right, seed)
    run.write_scores(rows)
    run.write_json(
        "env.json",
        {"python": "3.11.7", "torch": "2.6.0", "cpu": "2 cores", "command": "surefoot demo"},
    )
    write_atomic(path / "recipe.yaml", f"model: tiny-clip\nmethod: {name}\nseed: {seed}\n")
    if plan.log and name != "zero-shot":
        write_jsonl(path / "log.jsonl", _log(seed))
    run.set_status(plan.status)  # type: ignore[arg-type]


def _selected(
    run: Run,
    name: str,
    table: dict[str, list[Score]],
    right: dict[str, list[NDArray[np.bool_]]],
    seed: int,
) -> list[Score]:
    """Ends and chosen points, as the methods write them."""
    scores = {k: tuple(v) for k, v in table.items()}
    curve = Curve(name, ALPHAS, scores, {k: np.stack(v) for k, v in right.items()}, seed)
    picks = select_all(curve)
    run.write_selections(picks)
    rows = [replace(t[-1], selection="end") for t in table.values()]
    for pick in picks:
        at = ALPHAS.index(pick.alpha)
        rows += [
            replace(t[at], selection=pick.rule, method=f"wise-ft({name})") for t in table.values()
        ]
    return rows


def _log(seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for step in range(10, 400, 3):
        loss = 2.2 * np.exp(-step / 90) + 0.25 + rng.normal(0, 0.05)
        lr = 3e-5 * min(step / 40, 0.5 + 0.5 * np.cos(3.14159 * step / 400))
        rows.append(
            {
                "step": step,
                "epoch": step // 40,
                "loss": float(loss),
                "lr": float(lr),
                "images_per_second": 410.0,
                "seconds": step * 0.1,
            }
        )
        if step % 39 == 10:  # after an epoch
            rows[-1]["val"] = float(0.84 - 0.1 * np.exp(-step / 120) + rng.normal(0, 0.004))
    return rows


def make_study(folder: Path, plan: Plan | None = None, *, lone: bool = False) -> Study:
    """Write a study and open it; ``lone`` opens its last run alone."""
    plan = plan or Plan()
    members = []
    for method in plan.methods:
        for seed in range(1 if method[0] == "zero-shot" else plan.seeds):
            slug = "".join(c if c.isalnum() else "-" for c in method[1].lower())
            members.append(f"{method[0]}-{slug}-s{seed}")
            _write_run(folder / members[-1], plan, method, seed)
    if lone:
        return open_study(folder / members[-1])
    facts = {
        "title": plan.title,
        "members": members,
        "command": "surefoot demo",
        "seconds": {"total": 97.0},
        "task": {
            "name": "pictograms",
            "classes": plan.classes,
            "splits": {s: {"n": plan.n, "domain": d} for s, d in _splits(plan)},
        },
        "notes": [
            "Icons from 84 sets, MIT, Apache-2.0, CC-BY-4.0 and CC0; authors are listed by "
            "`surefoot show pictograms`.",
            "QuickDraw drawings: Google, CC-BY-4.0.",
        ],
    }
    write_atomic(folder / "study.json", json.dumps(facts))
    write_atomic(folder / "examples.json", json.dumps(examples(plan)))
    return open_study(folder)


def examples(plan: Plan, count: int = 18) -> list[dict[str, object]]:
    """Images on which three models disagree."""
    rng = np.random.default_rng(0)
    names = plan.class_names or tuple(NAMES)
    out: list[dict[str, object]] = []
    for i in range(count):
        label, *wrong = rng.choice(len(names), min(3, len(names)), replace=False).tolist()
        other = wrong[0] if wrong else label
        guess = [
            [label, other, label],
            [other, label, label],
            [other, label, other],
            [label, other, other],
        ][i % 4]
        out.append(
            {
                "split": (plan.shifts or ("test",))[i % max(len(plan.shifts), 1)],
                "id": f"img/{i:04d}",
                "label": names[label],
                "image": drawing(i),
                "predictions": {
                    m: names[g]
                    for m, g in zip(["zero-shot", "ft", "wise-ft(ft)"], guess, strict=True)
                },
            }
        )
    return out
