"""What a run, a study or a command says, as plain numbers that compare to the last digit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.models.load import load
from surefoot.predictions import Predictions
from surefoot.records import read_jsonl
from surefoot.runs import Run, open_study
from surefoot.weights import fingerprint

__all__ = ["of_predictions", "of_rows", "of_run", "of_study", "of_weights"]

_COLUMNS = ("split", "evaluator", "selection", "alpha", "metric", "value", "n", "low", "high",
            "interval", "domain", "method", "seed", "version",
            "synthetic", "extra")  # fmt: skip


def of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score rows as a table; the recipe's hash is left out, which new options may change."""
    return {"columns": list(_COLUMNS), "rows": [[row[c] for c in _COLUMNS] for row in rows]}


def of_run(run: Run) -> dict[str, Any]:
    """Everything that a run folder says in numbers."""
    places = sorted((run.path / "predictions").rglob("*.npz"))
    return {
        "status": run.status,
        "facts": {k: run.facts[k] for k in ("method", "label", "seed", "model")},
        "splits": {k: [v["n"], v["manifest"]] for k, v in run.facts["task"]["splits"].items()},
        "scores": of_rows([score.to_json() for score in run.scores()]),
        "selections": [asdict(selection) for selection in run.selections()],
        "epochs": _epochs(run.path / "log.jsonl"),
        "weights": {
            name: of_weights(run.path / f"{name}.safetensors")
            for name in ("start", "end")
            if (run.path / f"{name}.safetensors").is_file()
        },
        "predictions": {
            p.relative_to(run.path / "predictions").as_posix(): of_predictions(p) for p in places
        },
    }


def of_study(folder: str | Path) -> dict[str, Any]:
    """Every run of a study by its name, or the one run that a folder is."""
    return {run.path.name: of_run(run) for run in open_study(folder).runs}


def of_weights(model: str | Path) -> str:
    """The fingerprint of the weights that ``surefoot.load`` gives."""
    return fingerprint(load(str(model)))


def of_predictions(file: Path) -> dict[str, Any]:
    """Which images are right, and a hash over every bit of the logits."""
    found = Predictions.load(file)
    bits = np.ascontiguousarray(found.logits, dtype="<f4").tobytes()
    return {
        "right": int(found.correct().sum()),
        "n": len(found.ids),
        "ids": hashlib.sha256("\n".join(found.ids).encode()).hexdigest()[:16],
        "logits": hashlib.sha256(bits).hexdigest()[:16],
    }


def _epochs(log: Path) -> list[list[Any]]:
    """Stage, epoch, loss and accuracy on ID validation of every epoch that was logged.

    A resumed run logs the epoch anew in which it was stopped; the same line counts once.
    """
    rows = read_jsonl(log) if log.is_file() else []
    found = [
        (row["stage"], row["epoch"], row["loss"], row.get("val"))
        for row in rows
        if "images_per_second" in row
    ]
    return [list(row) for row in dict.fromkeys(found)]
