"""Paired differences of an alignment study: to the pretrained encoder, and to the controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..methods.language import LanguageSupervision
from ..predictions import Predictions
from ..records import Curve, Score
from ..runs import Run, Selection
from ..stats import compare as compare_rows

__all__ = ["AT", "MEAN", "Comparison", "Fitted", "compare"]

AT = ("fixed", "id_val", "end")
"""Where methods are compared: rules that looked at no test set, and the tuned end."""

MEAN = "mean over shifts"

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fitted:
    """One method with one seed, as its run folder has it.

    Attributes:
        key: Unique name of the method in the study ("language-film", "language-film-shuffled").
        method: What was fitted.
        seed: Of the fit.
        curve: kNN scores along the path.
        predictions: (alpha, split name) -> predictions at ``spec.k``.
        selections: How each rule chose alpha.
    """

    key: str
    method: LanguageSupervision
    seed: int
    curve: Curve
    predictions: Mapping[tuple[float, str], Predictions]
    selections: tuple[Selection, ...]

    @classmethod
    def of(cls, run: Run, method: LanguageSupervision) -> Fitted:
        """What a finished run folder holds."""
        curve = run.curve("knn")
        assert curve is not None  # it is finished
        by_top1 = {k: v for k, v in curve.correct.items() if curve.scores[k][0].metric == "top1"}
        kept = {
            (alpha, split): said
            for split in curve.scores
            for alpha in curve.alphas
            if (said := run.predictions(split, alpha, "knn")) is not None
        }
        facts = run.facts
        return cls(facts["method"], method, facts["seed"], replace(curve, correct=by_top1), kept,
                   tuple(run.selections()))  # fmt: skip

    def score(self, alpha: float, split: str) -> Score:
        """The score at one alpha of the grid."""
        return self.curve.scores[split][self.curve.alphas.index(alpha)]

    def alpha(self, rule: str) -> float:
        """The alpha that a rule chose; "end" is 1."""
        return next((s.alpha for s in self.selections if s.rule == rule), 1.0)


@dataclass(frozen=True)
class Comparison:
    """kNN accuracy of one method minus another's, on the same images, the mean over seeds.

    Attributes:
        method: Its key.
        other: The key of a control, or "pretrained".
        rule: How alpha was chosen, on each of the two paths and for each seed.
        split: Of the task, or "mean over shifts".
        difference: A fraction.
        low: Lower end of the 95 % interval over units, and over seeds where there are several;
            None where there is none.
        high: Upper end, likewise.
        p: Two-sided, not adjusted.
        n: Images.
        seeds: How many.
        says: The same in words, with what the data cannot tell.
    """

    method: str
    other: str
    rule: str
    split: str
    difference: float
    low: float | None
    high: float | None
    p: float
    n: int
    seeds: int
    says: tuple[str, ...] = ()

    @property
    def significant(self) -> bool:
        """The interval leaves out zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return asdict(self)


def compare(fits: Sequence[Fitted]) -> Iterator[Comparison]:
    """Every comparison on splits scored by accuracy: rule by rule, split by split."""
    by_key: dict[str, list[Fitted]] = {}
    for fit in fits:
        by_key.setdefault(fit.key, []).append(fit)
    for key, mine in by_key.items():
        adapter = mine[0].method.adapter
        controls = [k for k, theirs in by_key.items()
                    if theirs[0].method.adapter == adapter and theirs[0].method.control != "none"
                    and mine[0].method.control == "none"]  # fmt: skip
        for rule in AT:
            for other in ("pretrained", *controls):
                yield from _one(key, other, rule, mine, by_key.get(other))


def _one(
    key: str, other: str, rule: str, mine: Sequence[Fitted], theirs: Sequence[Fitted] | None
) -> Iterator[Comparison]:
    """One method, one reference, one rule: each split, then the mean over shifts."""
    scored = {split: rows for split, rows in mine[0].curve.scores.items()
              if split in mine[0].curve.correct}  # fmt: skip
    shifts = [s for s, rows in mine[0].curve.scores.items() if rows[0].domain == "OOD"]
    several = len(shifts) > 1 and scored.keys() >= set(shifts)
    for name, splits in [*((s, [s]) for s in scored), *([(MEAN, shifts)] if several else [])]:
        a = {s: _right(mine, rule, s) for s in splits}
        b = {s: _right(mine, "start", s) if theirs is None else _right(theirs, rule, s)
             for s in splits}  # fmt: skip
        found = compare_rows(a, b, {s: _units(mine[0], s) for s in splits})
        low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
        yield Comparison(key, other, rule, name, found.difference, low, high, found.p,
                         found.images, found.seeds, found.says)  # fmt: skip


def _units(fit: Fitted, split: str) -> NDArray[Any] | None:
    """What hangs together among the images of a split."""
    return next((p.units() for (_, name), p in fit.predictions.items() if name == split), None)


def _right(fits: Sequence[Fitted], rule: str, split: str) -> Bools:
    """Right or wrong (seeds, n), at the alpha of the rule."""
    rows = []
    for fit in fits:
        at = 0.0 if rule == "start" else fit.alpha(rule)
        rows.append(fit.curve.correct[split][fit.curve.alphas.index(at)])
    return np.stack(rows)
