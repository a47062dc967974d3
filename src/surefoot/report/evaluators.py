"""Scores that were made beside a run's own head, by nearest neighbours say. No torch here.

Such rows carry an alpha and not the name of a rule; here they get the names that the head's rows
have, and a group of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..records import Score
from ..runs import Run
from .names import base_of, group_label

__all__ = ["beside", "group_of", "main_evaluators", "named"]

Rows = list[tuple[Run, Score]]

_KNOWN = frozenset({"none", "end", "fixed", "id_val", "one_se", "oracle"})

_NAMES = {"knn": "kNN", "linear": "linear probe", "zero_shot": "zero-shot head", "head": "head"}


def main_evaluators(rows: Rows) -> dict[Path, str]:
    """Run folder -> the evaluator of its rows: "head" where there is one, else the first."""
    best: dict[Path, str] = {}
    for run, s in rows:
        if run.path not in best or s.evaluator == "head":
            best[run.path] = s.evaluator
    return best


def beside(score: Score, run: Run, main: Mapping[Path, str]) -> bool:
    """Whether a row was made by another evaluator than the run's own."""
    return score.evaluator != main[run.path]


def named(rows: Rows) -> Rows:
    """Rows whose selection is no rule, once for each rule that chose their alpha."""
    chosen: dict[Path, list[tuple[str, float]]] = {}
    for run, _ in rows:
        if run.path not in chosen:
            chosen[run.path] = [(sel.rule, sel.alpha) for sel in run.selections()]
    out: Rows = []
    for run, s in rows:
        for name in [s.selection] if s.selection in _KNOWN else _rules(s, chosen[run.path]):
            out.append((run, replace(s, selection=name)))
    return out


def _rules(score: Score, chosen: Sequence[tuple[str, float]]) -> list[str]:
    """All names of a row: "none" on a path, "end" at the tuned end, rules that chose it."""
    rules = [rule for rule, alpha in chosen if alpha == score.alpha]
    on_path = [] if score.alpha is None else ["none"]
    return [*on_path, *(["end"] if score.alpha in (None, 1.0) else []), *rules]


def group_of(of: Mapping[Path, str], main: Mapping[Path, str], run: Run, score: Score) -> str:
    """Whose row a score is.

    Zero-shot scores may be kept in the run of another method; other evaluators are apart.
    """
    own = of[run.path]
    if beside(score, run, main):
        how = _NAMES.get(score.evaluator, score.evaluator)
        return f"{base_of(own)}:{group_label(own)} ({how})"
    guest = score.method == "zero-shot" and score.selection == "end"
    return "zero-shot" if guest and base_of(own) != "zero-shot" else own
