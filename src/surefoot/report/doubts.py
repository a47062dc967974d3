"""Why not to trust what was chosen: all that the runs' own records tell. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import read_jsonl
from ..runs import Run
from .candidates import Choice
from .gains import Gain, lost
from .names import metric_name
from .view import View

__all__ = ["doubts"]


def doubts(
    view: View, choice: Choice, found: Sequence[Gain], caveats: Sequence[str]
) -> tuple[str, ...]:
    """Sentences, those that can make the choice worthless first.

    Args:
        view: The study.
        choice: What was chosen.
        found: What it gains over the pretrained model.
        caveats: Of the study's numbers in general: a trial, one seed, few images, no shift.
    """
    out = [*_warnings(choice.run), *caveats, *_ties(view, choice), *_ends(choice)]
    out += [f"{name} did not compete: {why}." for name, why in choice.strangers]
    one_seed = any(c.startswith("One seed") for c in caveats)
    limits = [s for s in choice.limits if not (one_seed and s.startswith("One seed"))]
    out += [f"On ID validation: {said[0].lower()}{said[1:]}" for said in limits]
    for gain in found:
        worse = lost(gain)
        if worse:
            out.append(f"Worse than the pretrained model on {', '.join(worse)}.")
    if choice.run.facts.get("evaluator") == "knn":
        out.append("Scored by nearest neighbours: the file holds the encoder, and an answer needs "
                   "the training images beside it.")  # fmt: skip
    return tuple(dict.fromkeys(out))


def _warnings(run: Run) -> list[str]:
    """Images that are in two splits, validation and test say."""
    task = run.facts.get("task")
    notes = task.get("notes") if isinstance(task, dict) else None
    said = [str(n) for n in notes] if isinstance(notes, (list, tuple)) else []
    return [f"{n.removeprefix('WARNING: ')}." for n in said if n.startswith("WARNING")]


def _ties(view: View, choice: Choice) -> list[str]:
    """That the choice among equals is largely chance, or that nobody could test it."""
    tied = [c.name for c in choice.candidates if c.verdict == "tied"]
    untested = [c.name for c in choice.candidates if c.verdict == "untested"]
    out = []
    if tied:
        which = ", ".join(tied[:4]) + (f" and {len(tied) - 4} more" if len(tied) > 4 else "")
        out.append(f"ID validation cannot tell it from {which}: the choice among them is largely "
                   "chance.")  # fmt: skip
    if untested:
        val = view.split("val")
        why = "their predictions on ID validation were not kept, or are of other images each"
        base = val.metric.partition(":")[0] if val is not None else ""
        if base in ("worst_group", "ece"):
            why = f"{metric_name(base)} is no mean over images"
        elif base in ("macro_f1", "per_class"):
            why += ", or too many classes have too few images"
        out.append(f"Not every difference on ID validation could be tested: {why}.")
    return out


def _ends(choice: Choice) -> list[str]:
    """What was chosen at an end of its grid: the best may lie beyond."""
    out = []
    if choice.rule in ("id_val", "one_se") and choice.alpha in (0.0, 1.0):
        which = "the tuned model" if choice.alpha else "the pretrained model"
        out.append(f"α = {choice.alpha:g} is an end of the grid ({which} as it is): mixing was not "
                   "found to help on ID validation.")  # fmt: skip
    log = choice.run.path / "log.jsonl"
    notes = [str(row.get("note") or "") for row in read_jsonl(log)] if log.is_file() else []
    out += [f"{n[0].upper()}{n[1:]}." for n in notes if n.endswith("might do better")]
    table = choice.run.read_json("tuning.json")
    if isinstance(table, dict) and table.get("end_of_grid"):
        out.append(f"Its learning rate, {table['lr']:.2g}, is {table['end_of_grid']}.")
    return out
