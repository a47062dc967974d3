"""What entry a group of scores makes, before anybody says on which board it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...records import Score
from ..store.rows import Dataset, Entry, Method, Source
from ..store.store import Store
from ..store.text import digest, fold
from .files import RunRow, read_rows
from .scores import (
    Placing,
    dataset_name,
    group_rows,
    how_scored,
    one_result,
    protocol_name,
    split_facts,
)

__all__ = ["RunEntry", "read_entries", "unplaced"]


@dataclass(frozen=True)
class RunEntry:
    """An entry that a run could make.

    Attributes:
        split: Of the run.
        method: As the run names it.
        dataset: Of the run.
        protocol: That the score was measured under, by itself.
        recipe: Hash of the run's recipe; "" unknown.
        entry: With its one result; it stands on no board yet (``board_id`` 0).
    """

    split: str
    method: str
    dataset: str
    protocol: str
    recipe: str
    entry: Entry


def read_entries(store: Store, path: str | Path, placing: Placing) -> list[RunEntry]:
    """The entries of a run without adding them."""
    return [
        RunEntry(
            g[0].score.split,
            g[0].score.method,
            dataset_name(g[0], placing),
            protocol_name(g[0], dataset_name(g[0], placing)),
            g[0].score.recipe,
            unplaced(store, g, placing),
        )
        for g in group_rows(read_rows(Path(path)))
    ]


def unplaced(store: Store, group: Sequence[RunRow], placing: Placing) -> Entry:
    """The entry of one group of rows (:func:`~.scores.group_rows`), on no board yet.

    Its key is made of the recipe, the seeds, the protocol and the values, so that a run that was
    moved or renamed is still the same.
    """
    first = group[0]
    score, facts = first.score, first.facts
    method, name = _method(store, score)
    named = dataset_name(first, placing)
    protocol = (placing.protocols or {}).get(score.split) or protocol_name(first, named)
    dataset = store.datasets.named(named)
    result = one_result(group, _manifest(first, dataset, placing))
    runs = sorted({r.run for r in group})
    recipes = sorted({r.score.recipe for r in group if r.score.recipe})
    day = max(str(r.facts.get("date", "")) for r in group)
    label = str(facts.get("label") or "")
    said = label if fold(label) not in (fold(score.method), fold(name), "zero-shot") else ""
    how = "" if name == "kNN classification" else how_scored(score)
    return Entry(
        0,
        "measured",
        name,
        Source("run", run=", ".join(runs), recipe=", ".join(recipes), date=day, note=_notes(first)),
        row_key=digest("run", recipes or runs, [r.score.seed for r in group], protocol, name, label,
                       score.selection, score.alpha, score.split, score.metric, score.evaluator,
                       [r.score.value for r in group]),
        backbone=placing.backbone or str(facts.get("model", "")),
        setting=", ".join(w for w in (said, how) if w),
        method_id=method.id if method else None,
        toy=(dataset is not None and dataset.toy)
        or any(r.facts.get("status") == "trial" or r.score.synthetic for r in group),
        results=(result,),
    )  # fmt: skip


def _manifest(row: RunRow, dataset: Dataset | None, placing: Placing) -> str:
    """Whether the split was whole: as a person said, or as the data set's own hash says."""
    if row.score.split in placing.whole:
        return "whole"
    mine = split_facts(row).get("manifest")
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
    limits = split_facts(row).get("notes", []) if row.facts.get("status") == "trial" else []
    return " ".join([*warnings, *(f"{n}." for n in limits if isinstance(n, str))])


def _method(store: Store, score: Score) -> tuple[Method | None, str]:
    """The board's method of a score, and the name that its entry shows."""
    base, _, inner = score.method.partition("(")
    if base == "zero-shot" and score.evaluator == "knn":
        base = "kNN classification"  # of the pretrained encoder: its head was not asked
    method = store.methods.find("registry_name", base) or store.methods.named(base)
    shown = method.name if method else base
    inner = inner.rstrip(")")
    return method, f"{shown} of {inner.upper()}" if inner else shown
