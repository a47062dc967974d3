"""Scores of runs, grouped into what becomes one entry each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...records import Score
from ...stats import bound_of_mean
from ..store.entries import make_result
from ..store.rows import Result
from ..store.text import slugify
from .files import RunRow

__all__ = ["Placing", "dataset_name", "group_rows", "how_scored", "metric_name",
           "one_result", "protocol_name", "split_facts"]  # fmt: skip

_Z = 1.959963984540054
_METRICS = {
    "top1": "Top-1 Accuracy",
    "per_class": "Mean per-class accuracy",
    "macro_f1": "Macro F1",
    "worst_group": "Worst-group accuracy",
    "ece": "Expected calibration error",
    "nll": "Negative log-likelihood",
    "pm0": "pm-0 Accuracy",
    "pm10": "pm-10 Accuracy",
}
_EVALUATORS = {"head": "", "knn": "kNN", "linear": "linear classifier",
               "zero_shot": "zero-shot head"}  # fmt: skip


@dataclass(frozen=True)
class Placing:
    """Where results go and what they repeat.

    Attributes:
        task: Of boards that are made.
        dataset: In place of the task's name in the run.
        protocols: Split -> name of a protocol of the seed, whose board takes it.
        backbone: In place of the run's model, spelt as the paper spells it.
        reproduces: arXiv number or slug of the paper whose numbers are repeated.
        whole: Splits whose data were checked to be complete.
    """

    task: str = "Image Classification"
    dataset: str | None = None
    protocols: Mapping[str, str] | None = None
    backbone: str | None = None
    reproduces: str | None = None
    whole: Sequence[str] = ()


def group_rows(rows: Iterable[RunRow]) -> list[list[RunRow]]:
    """Rows that are one entry: everything equal but the seed. Points of a path are left out."""
    groups: dict[tuple[Any, ...], list[RunRow]] = {}
    for row in rows:
        s = row.score
        if s.selection == "none" and s.alpha is not None:
            continue
        label = row.facts.get("label", "")
        fixed = s.alpha if s.selection == "fixed" else None
        key = (s.method, label, s.selection, fixed, s.split, s.metric, s.evaluator, s.version,
               row.facts.get("model"))  # fmt: skip
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def one_result(group: Sequence[RunRow], manifest: str) -> Result:
    """One number: of the only seed with its own interval, or the mean over seeds.

    The interval of that mean allows for the choice of seeds and of images, and is rather too wide.

    Args:
        group: From :func:`group_rows`.
        manifest: Of the split: "whole", "partial" or "unknown".
    """
    first = group[0].score
    scale = 1.0 if first.metric == "nll" else 100.0
    values = [scale * r.score.value for r in group]
    alphas = {r.score.alpha for r in group}
    known: dict[str, Any] = {
        "n": first.n,
        "alpha": first.alpha if len(alphas) == 1 else None,
        "selection": first.selection,
        "seeds": len(group),
        "manifest": manifest,
    }
    found = bound_of_mean([[r.score.value] for r in group], [[r.score.reach] for r in group])
    found = first.reach if len(group) == 1 else found
    if found:
        low, high = scale * found.low, scale * found.high
        known |= {"low": low, "high": high, "interval": found.kind,
                  "stderr": (high - low) / (2 * _Z)}  # fmt: skip
    value = sum(values) / len(values)
    raw = f"{value:.4f}" if first.metric == "nll" else f"{value:.2f}"
    return make_result(metric_name(first.metric), raw, **{**known, "value": value})


def metric_name(name: str) -> str:
    """A metric as the board spells it: "worst_group:region" is "Worst-region accuracy"."""
    base, _, column = name.partition(":")
    if base == "worst_group" and column:
        return f"Worst-{column} accuracy"
    return _METRICS.get(name, name)


def dataset_name(row: RunRow, placing: Placing) -> str:
    """The data set that a score is of."""
    return placing.dataset or str(row.facts.get("task", {}).get("name") or "unnamed")


def split_facts(row: RunRow) -> Mapping[str, Any]:
    """What the run says about the split of a score; {} where it says nothing."""
    facts: Mapping[str, Any] = row.facts.get("task", {}).get("splits", {}).get(row.score.split, {})
    return facts


def protocol_name(row: RunRow, dataset: str) -> str:
    """The protocol that a score was measured under, by itself.

    It ends in the beginning of the split's manifest hash, or its size where a run does not say:
    a part of a split is another protocol than the whole of it.
    """
    score, facts = row.score, split_facts(row)
    images = str(facts.get("manifest", ""))[:8] or str(facts.get("n", ""))
    words = (dataset, score.version, score.split, score.metric, score.evaluator, images)
    return "-".join(slugify(w) for w in words if w)


def how_scored(score: Score) -> str:
    """How logits were made, where it was not by the model's own head."""
    return _EVALUATORS.get(score.evaluator, score.evaluator.replace("_", " "))
