"""What a run measured, cell by cell, with all that decides what it may be compared with. No torch.

A cell is one score at one point of one path: a model, a way of choosing alpha, a data set. Files
are the source, not memory: ``recipe.yaml`` says which data set a split is and ``run.json`` how
many images it held.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..errors import DataError
from ..metrics import get_metric, interval, lines
from ..records import Score
from ..runs import Run, Study
from ..stats import Interval, mean_interval_over_seeds

__all__ = [
    "Measured",
    "label_of",
    "measured",
    "model_of",
    "over_seeds",
    "rescored",
    "standard_error",
]

_Z = 1.959963984540054


@dataclass(frozen=True)
class Measured:
    """One number of one run.

    Attributes:
        run: The folder's name.
        model: As the recipe names it: "open_clip:ViT-B-16/openai".
        train: The training data as the recipe names them: "imagenet:train".
        label: Of the method: "FT", "LP-FT", "FLYP".
        stage: "start" (alpha 0), "end" (alpha 1, or off a path) or "mixed".
        selection: How alpha was chosen; "end" at the end.
        alpha: Position on the path; None off one.
        evaluator: "head" or "knn".
        data: What the split is: a spec of the registry where the recipe gives one, else the
            version of the data set.
        split: As the run names it.
        metric: surefoot's name.
        value: Points of a hundred.
        se: Its standard error in points; NaN where there is none.
        n: Images (anchors for pm_k).
        templates: How many prompt templates the task had.
        few_shot: Training images of each class where there were only so many; None: all.
        toy: "" or why the number is about no published data ("generated miniature").
        seed: Of the run.
        folder: Of the run.
    """

    run: str
    model: str
    train: str
    label: str
    stage: str
    selection: str
    alpha: float | None
    evaluator: str
    data: str
    split: str
    metric: str
    value: float
    se: float
    n: int
    templates: int
    few_shot: int | None
    toy: str
    seed: int | None
    folder: Path


def standard_error(score: Score) -> float:
    """Of the value, in points, from the width of its interval; NaN where there is none."""
    return 100 * _error(score.reach)


def _error(found: Interval) -> float:
    """The standard error of a normal number whose interval would be as wide; NaN: there is none."""
    return (found.high - found.low) / (2 * _Z)


def measured(study: Study) -> list[Measured]:
    """Every cell of every run, runs in order; several seeds stay apart."""
    return [cell for run in study.runs for cell in _cells(run)]


def model_of(run: Run) -> str:
    """The pretrained model as the recipe names it."""
    return str(_recipe(run).get("model") or run.facts.get("model", ""))


def label_of(run: Run) -> str:
    """The method as reports name it."""
    return str(run.facts.get("label") or run.facts.get("method", ""))


def _recipe(run: Run) -> Mapping[str, Any]:
    path = run.path / "recipe.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found if isinstance(found, dict) else {}


def _cells(run: Run) -> Iterable[Measured]:
    recipe, facts = _recipe(run), run.facts
    data = recipe.get("data") or {}
    task = facts.get("task") or {}
    splits: Mapping[str, Any] = task.get("splits") or {}
    whole = (run.read_json("start.json") or {}).get("head") != "end"
    for score in run.scores():
        if score.split == "val":
            continue  # what chose alpha is no result
        about = splits.get(score.split) or {}
        yield Measured(
            run=run.path.name,
            model=model_of(run),
            train=_plain(str(data.get("train") or "")),
            label=label_of(run),
            stage=_stage(score, whole),
            selection=score.selection,
            alpha=score.alpha,
            evaluator=score.evaluator,
            data=_data(data, score.split) or str(about.get("version") or score.version),
            split=score.split,
            metric=score.metric,
            value=100 * score.value,
            se=standard_error(score),
            n=score.n,
            templates=len(task.get("templates") or ()),
            few_shot=data.get("few_shot"),
            toy=_toy(run, score, about, splits),
            seed=score.seed,
            folder=run.path,
        )


def _stage(score: Score, whole: bool) -> str:
    """Where on the path; a start with the tuned end's head is no pretrained model."""
    if score.selection == "end" or (score.selection == "none" and score.alpha in (None, 1.0)):
        return "end"
    return "start" if score.alpha == 0 and score.selection == "none" and whole else "mixed"


def _plain(spec: str) -> str:
    """A spec without the folder behind "@", as the registry writes it."""
    return spec.partition("@")[0].lower().replace("_", "-") if ":/" not in spec else spec


def _data(data: Mapping[str, Any], split: str) -> str:
    """The spec that the recipe gives a split; "" where it gives none."""
    given = data.get(split) if split in ("val", "test") else (data.get("shifts") or {}).get(split)
    plain = _plain(str(given or ""))
    name, _, part = plain.partition(":")
    # Names of splits keep their underscores: id_test is WILDS' own word.
    return f"{name}:{str(given).partition('@')[0].partition(':')[2]}" if part else plain


def _toy(run: Run, score: Score, about: Mapping[str, Any], splits: Mapping[str, Any]) -> str:
    train = splits.get("train") or {}
    versions = [str(x.get("version", "")) for x in (about, train)]
    if any(v.startswith("miniature") for v in versions):
        return "a generated miniature, not the data set"
    if score.synthetic:
        return "images made by a program"
    if any("pictograms" in v for v in versions):
        return "surefoot's built-in pictograms"
    if run.status != "finished":
        return f"the run's status is {run.status}"
    return ""


def over_seeds(cells: Sequence[Measured]) -> tuple[float, float]:
    """Mean over runs of one thing and its standard error, in points.

    Seeds share their test images, so the error of the images is not divided by their number; what
    the seeds say of other seeds is added to it, and few of them say little (Student's t).
    """
    found = mean_interval_over_seeds([c.value for c in cells])
    images = sum(c.se for c in cells) / len(cells)
    return found.mean, math.hypot(images, _error(found.interval) if found.interval else 0.0)


def rescored(cell: Measured, metric: str) -> Measured | None:
    """The same model on the same images in another metric, from the predictions that were kept.

    None where they were not kept, or lack what the metric needs.
    """
    said = Run(cell.folder).predictions(cell.split, cell.alpha, cell.evaluator)
    if said is None:
        return None
    chosen = get_metric(metric)
    try:
        columns = chosen.of(said)
    except DataError:
        return None
    n = lines(columns)
    value = chosen.reduce(columns, np.ones(n))
    if not math.isfinite(value):
        return None
    se = _error(interval(chosen, [columns], said.units()))
    return replace(cell, metric=metric, value=100 * value, se=100 * se, n=n)
