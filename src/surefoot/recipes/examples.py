"""Images on which models disagree, kept for the report."""

from __future__ import annotations

import base64
import io
from typing import Any

from ..data.dataset import Task
from ..evals.diagnose import pick_examples
from ..predictions import Predictions
from ..runs import Run, Study

__all__ = ["data_uri", "write_examples"]


def write_examples(study: Study, task: Task, *, count: int = 24, seed: int = 0) -> None:
    """Keep some images on which zero-shot, tuned and mixed models disagree (examples.json).

    Drawn at random, seeded, among all disagreements, evenly over the ID test and the shifts.
    """
    scored = {name: s for name, s in task.scored().items() if name != "val"}
    said = {name: _said(study, name) for name in scored}
    said = {name: models for name, models in said.items() if len(models) > 1}
    rows = []
    for name, i in pick_examples(said, k=count, seed=seed) if said else []:
        models = said[name]
        first = next(iter(models.values()))
        rows.append(
            {
                "split": name,
                "id": first.ids[i],
                "label": task.class_names[first.labels[i]],
                "image": data_uri(scored[name].split.images[i]),
                "predictions": {who: task.class_names[p.top1()[i]] for who, p in models.items()},
            }
        )
    if rows:
        Run(study.path).write_json("examples.json", rows)


def _said(study: Study, split: str) -> dict[str, Predictions]:
    """Zero-shot, tuned and half-way predictions of the study's leading method."""
    ends = ("start.json", "end.safetensors")
    tuned = [r for r in study.runs if all((r.path / name).is_file() for name in ends)]
    if not tuned:
        return {}
    rank = {"ft": 0, "lp-ft": 1}
    run = min(tuned, key=lambda r: rank.get(r.facts["method"], 2))
    chosen = next((s.alpha for s in run.selections() if s.rule == "fixed"), 0.5)
    label = run.facts["label"]
    wanted = {"Pretrained": 0.0, label: 1.0, f"WiSE-FT of {label}, α = {chosen:g}": chosen}
    found = {name: run.predictions(split, alpha) for name, alpha in wanted.items()}
    return {name: p for name, p in found.items() if p is not None}


def data_uri(image: Any, *, longest: int = 96) -> str:
    """An image as a PNG data URI; large ones are made smaller, small ones are left alone."""
    image = image.convert("RGB")
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
