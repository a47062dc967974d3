"""Paired differences of an alignment study: to the pretrained encoder, and to the controls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats as sp

from ..methods.language import LanguageSupervision
from ..predictions import Predictions
from ..records import Curve, Score
from ..runs import Run, Selection
from ..stats import paired_difference

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
        low: Lower end of the 95 % interval over images.
        high: Upper end.
        p: Two-sided, not adjusted.
        n: Images.
        seeds: How many.
    """

    method: str
    other: str
    rule: str
    split: str
    difference: float
    low: float
    high: float
    p: float
    n: int
    seeds: int

    @property
    def significant(self) -> bool:
        """The interval leaves out zero."""
        return self.low > 0 or self.high < 0

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
    gaps: list[NDArray[np.float64]] = []
    made: list[bool] = []
    for split, rows in mine[0].curve.scores.items():
        if split not in mine[0].curve.correct:
            continue
        a = _right(mine, rule, split)
        b = _right(mine, "start", split) if theirs is None else _right(theirs, rule, split)
        found = _difference(a, b)
        yield Comparison(key, other, rule, split, *found, n=a.shape[1], seeds=len(mine))
        if rows[0].domain == "OOD":
            gaps.append(a.mean(axis=0) - b.mean(axis=0))
            made.append(rows[0].synthetic)
    shifts = [s for s, r in mine[0].curve.scores.items() if r[0].domain == "OOD"]
    if len(gaps) < 2 or len(gaps) < len(shifts) or any(made) != all(made):
        return
    if all(made):  # distortions of the same images: one gap per image
        if len({len(g) for g in gaps}) > 1:
            return
        gaps = [np.mean(gaps, axis=0)]
    n = sum(len(g) for g in gaps)
    yield Comparison(key, other, rule, MEAN, *_mean_over(gaps), n=n, seeds=len(mine))


def _right(fits: Iterable[Fitted], rule: str, split: str) -> Bools:
    """Right or wrong (seeds, n), at the alpha of the rule."""
    rows = []
    for fit in fits:
        at = 0.0 if rule == "start" else fit.alpha(rule)
        rows.append(fit.curve.correct[split][fit.curve.alphas.index(at)])
    return np.stack(rows)


def _difference(a: Bools, b: Bools) -> tuple[float, float, float, float]:
    """(difference, low, high, p); exact McNemar for one seed, Student's t over images for more."""
    if len(a) == 1 and len(b) == 1:
        found = paired_difference(a[0], b[0])
        return found.difference, found.interval.low, found.interval.high, found.p
    return _mean_over([a.mean(axis=0) - b.mean(axis=0)])


def _mean_over(gaps: Sequence[NDArray[np.float64]]) -> tuple[float, float, float, float]:
    """The unweighted mean of several splits' mean gaps, whose images are different ones.

    Each split's variance counts one image more on either side (Bonett and Price 2012, as
    ``paired_difference`` does): a spread of zero is no proof.
    """
    value = float(np.mean([g.mean() for g in gaps]))
    squares = [(float(((g - g.mean()) ** 2).sum()) + 2) / (len(g) + 2) ** 2 for g in gaps]
    error = math.sqrt(sum(squares)) / len(gaps)
    free = max(sum(len(g) for g in gaps) - len(gaps), 1)
    half = float(sp.t.ppf(0.975, free)) * error
    p = 2 * float(sp.t.sf(abs(value) / error, free))
    return value, max(value - half, -1.0), min(value + half, 1.0), p
