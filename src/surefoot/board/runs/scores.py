"""Scores of runs, grouped into what becomes one entry each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...records import Score
from ...stats import bound_of_mean
from ..store.entries import make_result
from ..store.results import Entry, Result, Source
from ..store.rows import Dataset, Method
from ..store.store import Store
from ..store.text import digest, fold, slugify
from .files import RunRow

__all__ = ["START", "Placing", "RunEntry", "group_rows", "how_scored", "metric_name", "one_result",
           "protocol_name", "run_entries"]  # fmt: skip

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


START = "Before fine-tuning"
"""What a path starts from, alpha = 0: the baseline of every run, whatever its method and seed."""


def group_rows(rows: Iterable[RunRow]) -> list[list[RunRow]]:
    """Rows that are one entry: everything equal but the seed.

    Points of a path are left out, but for its start: once, though every run on the way measures it
    again, and not at all where it is the zero-shot model, which has a row of its own.
    """
    groups: dict[tuple[Any, ...], list[RunRow]] = {}
    starts: dict[tuple[Any, ...], RunRow] = {}
    for row in rows:
        s = row.score
        measured = (s.split, s.metric, s.evaluator, s.version, row.facts.get("model"))
        if s.selection == "none" and s.alpha is not None:
            if s.alpha == 0.0:
                start = replace(s, method=START, selection="fixed")
                starts.setdefault((*measured, s.value), replace(row, score=start))
            continue
        label = row.facts.get("label", "")
        fixed = s.alpha if s.selection == "fixed" else None
        groups.setdefault((s.method, label, s.selection, fixed, *measured), []).append(row)
    known = {(*key[4:], g[0].score.value) for key, g in groups.items() if key[0] == "zero-shot"}
    return [*groups.values(), *([one] for key, one in starts.items() if key not in known)]


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


def protocol_name(row: RunRow, dataset: str) -> str:
    """The protocol that a score was measured under, by itself.

    It ends in the beginning of the split's manifest hash, or its size where a run does not say:
    a part of a split is another protocol than the whole of it.
    """
    score, facts = row.score, row.split
    images = str(facts.get("manifest", ""))[:8] or str(facts.get("n", ""))
    words = (dataset, score.version, score.split, score.metric, score.evaluator, images)
    return "-".join(slugify(w) for w in words if w)


def how_scored(score: Score) -> str:
    """How logits were made, where it was not by the model's own head."""
    return _EVALUATORS.get(score.evaluator, score.evaluator.replace("_", " "))


@dataclass(frozen=True)
class RunEntry:
    """An entry that a run could make.

    Attributes:
        row: The first of its scores.
        dataset: Of the run.
        protocol: That the score was measured under, by itself.
        entry: With its one result; it stands on no board yet (``board_id`` 0).
    """

    row: RunRow
    dataset: str
    protocol: str
    entry: Entry


def run_entries(store: Store, rows: Iterable[RunRow], placing: Placing) -> list[RunEntry]:
    """The entries of scores, without adding them."""
    found = []
    for group in group_rows(rows):
        dataset = placing.dataset or group[0].dataset
        protocol = protocol_name(group[0], dataset)
        entry = _entry(store, group, placing, dataset, protocol)
        found.append(RunEntry(group[0], dataset, protocol, entry))
    return found


def _entry(store: Store, group: Sequence[RunRow], placing: Placing, named: str, own: str) -> Entry:
    """The entry of one group of rows.

    Its key is made of the recipe, the seeds, the protocol and the values, so that a run that was
    moved or renamed is still the same.
    """
    first = group[0]
    score, facts = first.score, first.facts
    method, name = _method(store, score)
    protocol = (placing.protocols or {}).get(score.split, own)
    dataset = store.datasets.named(named)
    result = one_result(group, _manifest(first, dataset, placing))
    runs = sorted({r.run for r in group})
    recipes = sorted({r.score.recipe for r in group if r.score.recipe})
    day = max(str(r.facts.get("date", "")) for r in group)
    start = score.method == START
    label = "" if start else str(facts.get("label") or "")
    backbone = placing.backbone or str(facts.get("model", ""))
    known_by = ["start", backbone] if start else recipes or runs
    seeds = [] if start else [r.score.seed for r in group]
    said = label if fold(label) not in (fold(score.method), fold(name), "zero-shot") else ""
    how = "" if name == "kNN classification" else how_scored(score)
    return Entry(
        0,
        "measured",
        name,
        Source("run", run=", ".join(runs), recipe=", ".join(recipes), date=day, note=_notes(first),
               **{name: str(facts.get(name, "")) for name in ("version", "machine", "report")}),
        row_key=digest("run", known_by, seeds, protocol, name, label,
                       score.selection, score.alpha, score.split, score.metric, score.evaluator,
                       [r.score.value for r in group]),
        backbone=backbone,
        setting=", ".join(w for w in (said, how, "trial" if first.trial else "") if w),
        method_id=method.id if method else None,
        toy=(dataset is not None and dataset.toy) or any(r.toy for r in group),
        results=(result,),
    )  # fmt: skip


def _manifest(row: RunRow, dataset: Dataset | None, placing: Placing) -> str:
    """Whether the split was whole: as a person said, or as the data set's own hash says."""
    if row.score.split in placing.whole:
        return "whole"
    mine = row.split.get("manifest")
    known = {s.get("name"): s.get("sha256") for s in dataset.splits} if dataset else {}
    theirs = known.get(row.score.split)
    if not mine or not theirs:
        return "unknown"
    return "whole" if mine == theirs else "partial"


def _notes(row: RunRow) -> str:
    """What is wrong or limited, as the run says."""
    warnings = [
        n
        for n in row.facts.get("task", {}).get("notes", [])
        if isinstance(n, str) and n.startswith("WARNING")
    ]
    limits = row.split.get("notes", []) if row.facts.get("status") == "trial" else []
    return " ".join([*warnings, *(f"{n}." for n in limits if isinstance(n, str))])


def _method(store: Store, score: Score) -> tuple[Method | None, str]:
    """The board's method of a score, and the name that its entry shows."""
    base, _, inner = score.method.partition("(")
    if base == "zero-shot" and score.evaluator == "knn":
        base = "kNN classification"  # of the pretrained encoder: its head was not asked
    method = store.methods.find(registry_name=base) or store.methods.named(base)
    shown = method.name if method else base
    inner = inner.rstrip(")")
    return method, f"{shown} of {inner.upper()}" if inner else shown
