"""The numbers on the cards of tiny-clip and tiny-dino, from ``val`` and ``dev`` alone.

The test split is never opened: these numbers serve design decisions. Run it as::

    python tools/evaluate_tiny.py results/tiny_models.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from pretraining.scratch import VIEWS, from_scratch, predictions
from surefoot.data.builtin import pictograms_card, pictograms_dev, pictograms_split
from surefoot.data.dataset import Split
from surefoot.data.prompts import PICTOGRAM_TEMPLATES
from surefoot.evals.votes import knn
from surefoot.features import extract
from surefoot.models.heads import zero_shot_head
from surefoot.models.model import Model
from surefoot.models.tiny import (
    BUILTIN,
    build,
    dino_spec,
    load_tiny_clip,
    load_tiny_dino,
)
from surefoot.records import write_atomic
from surefoot.stats import clopper_pearson

Row = dict[str, Any]
NEIGHBOURS = 20


def row(model: str, how: str, split: str, domain: str, right: np.ndarray) -> Row:
    """One accuracy with its exact 95 % interval."""
    correct, n = int(right.sum()), len(right)
    interval = clopper_pearson(correct, n)
    print(f"{model:28} {how:10} {split:4} {domain:8} {correct / n:.3f}  n {n}", flush=True)
    return {
        "model": model,
        "evaluator": how,
        "split": split,
        "domain": domain,
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "low": interval.low,
        "high": interval.high,
    }


def scored(name: str, how: str, val: Split, dev: dict[str, Split], predict: Any) -> list[Row]:
    """Rows of ``val`` (outline) and of every domain of ``dev``, then of all of ``dev``.

    Args:
        name: Of the model.
        how: Evaluator.
        val: Outline icons of other designers.
        dev: Domain -> images.
        predict: Split -> predicted labels (n,).
    """
    rows = [row(name, how, "val", "outline", predict(val) == val.require_labels())]
    rights = []
    for domain, split in dev.items():
        rights.append(predict(split) == split.require_labels())
        rows.append(row(name, how, "dev", domain, rights[-1]))
    mean = float(np.mean([r["accuracy"] for r in rows[1:]]))
    print(f"{name:28} {how:10} mean over the domains of dev {mean:.3f}", flush=True)
    return [*rows, row(name, how, "dev", "all", np.concatenate(rights))]


def neighbours(name: str, model: Model, train: Split, val: Split, dev: dict[str, Split]) -> Any:
    """Rows of weighted kNN with ``train`` as the bank."""
    bank, labels = extract(model, train), train.require_labels()

    def predict(split: Split) -> np.ndarray:
        classes = len(train.class_names)
        votes = knn(bank, labels, extract(model, split), classes=classes, ks=(NEIGHBOURS,))
        return votes[NEIGHBOURS].argmax(axis=1)

    return scored(name, "knn", val, dev, predict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="JSON file of the results")
    parser.add_argument("--epochs", type=int, default=60, help="of training from scratch; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train, val = (pictograms_split("outline", use) for use in ("train", "val"))
    dev = pictograms_dev()
    clip, dino = load_tiny_clip(), load_tiny_dino()
    clip.head = zero_shot_head(clip, train.class_names, PICTOGRAM_TEMPLATES)
    rows = scored("tiny-clip", "zero_shot", val, dev, lambda split: predictions(clip, split))
    torch.manual_seed(args.seed)
    spec = dino_spec()
    fresh = build(spec.builder).model(spec)
    for name, model in (("tiny-clip", clip), ("tiny-dino", dino), ("random weights", fresh)):
        rows += neighbours(name, model, train, val, dev)
    chosen = {}
    for views in VIEWS if args.epochs else ():
        best = from_scratch(train, val, views=views, epochs=args.epochs, seed=args.seed)
        name = f"from scratch, views {views}"
        chosen[name] = {"epoch": best.epoch, "of": args.epochs, "chosen_by": "val"}
        rows += scored(name, "head", val, dev, lambda s, m=best.model: predictions(m, s))
    files = {
        f.name: hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(BUILTIN.glob("tiny_*"))
        if f.suffix != ".md"
    }
    result = {
        "command": f"python tools/evaluate_tiny.py {args.out} --epochs {args.epochs}"
        f" --seed {args.seed}",
        "data": {"name": "pictograms", "version": pictograms_card().get("version")},
        "classes": len(train.class_names),
        "templates": list(PICTOGRAM_TEMPLATES),
        "interval": "exact 95 % (Clopper and Pearson)",
        "k": NEIGHBOURS,
        "train_images": len(train),
        "from_scratch": chosen,
        "sha256": files,
        "rows": rows,
    }
    write_atomic(args.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
