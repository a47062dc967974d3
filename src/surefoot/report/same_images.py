"""Were all runs of a report scored on the same images? No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..runs import Run
from .view import SplitView, View

__all__ = ["apart", "different_images"]


def _facts(run: Run, split: str) -> Mapping[str, Any]:
    """What run.json says about one split; {} where it says nothing."""
    task = run.facts.get("task")
    splits = task.get("splits") if isinstance(task, dict) else None
    found = splits.get(split) if isinstance(splits, dict) else None
    return found if isinstance(found, dict) else {}


def apart(a: Run, b: Run, split: str) -> bool:
    """Two runs saw different images under the name of one split, as far as is known.

    By content where both kept it; by names and labels where one is of before.
    """
    key = _key((a, b), split)
    keys = [_facts(run, split).get(key) for run in (a, b)]
    return None not in keys and keys[0] != keys[1]


def _key(runs: Sequence[Run], split: str) -> str:
    """Which fact of a split tells whether runs share its images."""
    return "content" if all(_facts(run, split).get("content") for run in runs) else "manifest"


def different_images(view: View) -> list[str]:
    """A warning for every scored split that is not the same images in every run."""
    return [warning for s in view.splits if s.name != "val" and (warning := _warning(view, s))]


def _warning(view: View, split: SplitView) -> str:
    name = f"ID {split.name}" if split.domain != "OOD" else split.name
    first: dict[Any, Run] = {}
    places: dict[Any, set[str]] = {}
    key = _key(view.runs, split.name)
    for run in view.runs:
        facts = _facts(run, split.name)
        if facts.get(key):
            first.setdefault(facts[key], run)
            places.setdefault(facts[key], set()).add(str(facts.get("source") or ""))
    if len(first) > 1:
        counts = [f"{_facts(r, split.name).get('n')} in {r.path.name}" for r in first.values()]
        return (
            f"{name} is not the same images in every run ({', '.join(counts)}): "
            "its numbers can be compared only between runs that share them."
        )
    if key == "manifest" and any(len(where) > 1 for where in places.values()):
        where = " and ".join(sorted(next(iter(places.values()))))
        return (
            f"{name} was read from {where}, with the same names and labels: "
            "compare the runs only if these are the same images."
        )
    return ""
