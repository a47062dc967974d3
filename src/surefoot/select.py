"""How alpha was chosen: fixed, id_val, one_se, and the oracle, which is labelled. No torch here.

Only ``fixed``, ``id_val`` and ``one_se`` may be used for a claim; the oracle looks at the test
sets and is there to say what the others cost (:attr:`Selection.regret`).

Example:
    >>> sf.select(curve, "fixed").alpha
    0.5
    >>> sf.select.RULES
    ('fixed', 'id_val', 'one_se', 'oracle')
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .display import shown
from .errors import DataError, UnknownName
from .registry import nearest
from .stats import Interval, compare, highest, paired_se

__all__ = ["MEAN", "RULES", "Scored", "Selection", "oracles", "regret", "regret_interval", "select",
           "select_all"]  # fmt: skip

RULES = ("fixed", "id_val", "one_se", "oracle")

MEAN = "mean over shifts"
"""Key of the unweighted mean of all OOD splits in a regret."""

Direction = Literal["max", "min"]
Floats = NDArray[np.float64]

_IMAGE_MEANS = frozenset({"top1"})
"""Metrics whose value is the mean of ``Curve.correct``."""


LESS_IS_BETTER = frozenset({"ece", "nll"})
"""Metrics of surefoot's own of which less is better."""


@dataclass(frozen=True)
class Selection:
    """Which alpha a rule chose, and what that cost against the oracle.

    Attributes:
        rule: "fixed", "id_val", "one_se" or "oracle".
        alpha: The chosen position on the path.
        chosen_on: The split that decided ("val", "test", the name of a shift, or "nothing").
        regret: Split name -> value at the oracle's alpha minus value here, >= 0.
        reason: One sentence for people.
        end: That alpha lies at an end of those tried, where scores decided and it does.
    """

    rule: str
    alpha: float
    chosen_on: str
    regret: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    end: str = ""

    @property
    def told(self) -> str:
        """The reason, with a word on the end of the grid."""
        return " ".join(filter(None, (self.reason, self.end)))

    def __repr__(self) -> str:
        return f"Selection({self.rule}: alpha {self.alpha:g}, chosen on {self.chosen_on})"


class Measured(Protocol):
    """What a rule reads of a score: :class:`~surefoot.records.Score` has it."""

    @property
    def metric(self) -> str:
        """What was measured."""

    @property
    def domain(self) -> str:
        """In or out of the training distribution: "ID" or "OOD"."""

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""

    @property
    def high(self) -> float:
        """Upper end."""

    @property
    def interval(self) -> str:
        """How the interval was made."""


class Looked(Protocol):
    """Where an adaptive sweep looked."""

    @property
    def validation(self) -> Scored:
        """ID validation at the positions that were looked at."""


class Scored(Protocol):
    """What a rule reads of a curve: :class:`~surefoot.records.Curve` has it."""

    @property
    def alphas(self) -> tuple[float, ...]:
        """Ascending, (a,)."""

    @property
    def scores(self) -> Mapping[str, Sequence[Measured]]:
        """Split name -> one score per alpha."""

    @property
    def correct(self) -> Mapping[str, NDArray[np.bool_]]:
        """Split name -> (a, n), image by image; may lack splits."""

    @property
    def search(self) -> Looked | None:
        """Of an adaptive sweep."""

    def values(self, split: str) -> Floats:
        """The values of one split, (a,)."""

    def shifts(self) -> list[str]:
        """Names of the OOD splits, in order."""


def _gain(curve: Scored, split: str, direction: Direction | None) -> Floats:
    """Values (a,) of a split, or of the mean over shifts, turned so that more is better."""
    if split == MEAN:
        rows = [_gain(curve, shift, direction) for shift in curve.shifts()]
        mean: Floats = np.stack(rows).mean(axis=0)
        return mean
    metric = curve.scores[split][0].metric
    less = direction == "min" or (direction is None and metric in LESS_IS_BETTER)
    return -curve.values(split) if less else curve.values(split)


def _best(gain: Floats) -> int:
    """Index of the best value; ties go to the smallest alpha."""
    return int(np.nanargmax(gain))


def regret(curve: Scored, alpha: float, *, direction: Direction | None = None) -> dict[str, float]:
    """What ``alpha`` costs against each split's own oracle, >= 0; and for the mean over shifts."""
    at = curve.alphas.index(alpha)
    names = [*curve.scores, *([MEAN] if curve.shifts() else [])]
    gains = {name: _gain(curve, name, direction) for name in names}
    return {name: float(g[_best(g)] - g[at]) for name, g in gains.items()}


def regret_interval(
    curve: Scored,
    alpha: float,
    split: str,
    units: Mapping[str, ArrayLike | None] | None = None,
    *,
    level: float = 0.95,
) -> Interval:
    """The interval of what ``alpha`` costs in accuracy against the best alpha of a split.

    A regret is the largest of the differences to all other alphas, and the largest that was
    measured is too large on average: the lower end allows for all of them (Bonferroni). About the
    trained model, on other images.

    Args:
        curve: With image-by-image results of the split.
        alpha: A position of the grid.
        split: A split, or :data:`MEAN`.
        units: Split -> labels (images,) of what hangs together.
        level: Coverage, at least.

    Returns:
        Kind "none" where the curve holds no image-by-image results.
    """
    names = curve.shifts() if split == MEAN else [split]
    if any(n not in curve.correct or curve.scores[n][0].metric not in _IMAGE_MEANS for n in names):
        return Interval.none("no image-by-image results were kept")
    at, strict = curve.alphas.index(alpha), 1 - (1 - level) / max(len(curve.alphas) - 1, 1)
    here = {n: curve.correct[n][at] for n in names}
    pairs = []
    for other in range(len(curve.alphas)):
        if other != at:
            there = {n: curve.correct[n][other] for n in names}
            found = [compare(there, here, units, level=each).interval for each in (level, strict)]
            pairs.append((found[0], found[1]))
    return highest(pairs).within(0.0, 1.0)


def select(
    curve: Scored,
    rule: str,
    *,
    fixed: float = 0.5,
    on: str | None = None,
    direction: Direction | None = None,
) -> Selection:
    """Choose alpha by one rule.

    Args:
        curve: Scores along the path, "val" among the splits unless the rule needs none.
        rule: "fixed", "id_val" (best ID validation value), "one_se" (the smallest alpha whose
            paired difference to the best on ID validation is within one standard error of that
            difference) or "oracle". One standard error is a rule of thumb and no test: on
            simulated paths the true difference lies within it in 84 to 100 %, and what is given
            up for the smaller alpha is about twice what "id_val" gives up, 0.2 to 1 point.
        fixed: The alpha of "fixed"; the nearest on the grid is taken, and the reason says so.
        on: What the oracle looks at: a split, or :data:`MEAN`; the mean over shifts when left
            out, the ID test where there are none.
        direction: "min" where less is better, "max" where more is; None: as the metric of each
            split has it.

    Raises:
        UnknownName: No such rule; the nearest are named.
        DataError: The rule needs a split that the curve lacks, or (oracle) every position, where
            the sweep was adaptive.

    Example:
        >>> sf.select(curve, "fixed", fixed=0.5)
        Selection(fixed: alpha 0.5, chosen on nothing)
    """
    if rule not in RULES:
        raise UnknownName("selection rule", rule, RULES, nearest(rule, RULES))
    if curve.search is not None and rule != "oracle":
        chosen = select(curve.search.validation, rule, fixed=fixed, direction=direction)
        return replace(chosen, regret={})
    if rule == "fixed":
        at, chosen_on, reason = _fixed(curve, fixed)
    elif rule == "oracle":
        at, chosen_on, reason = _oracle(curve, on, direction)
    else:
        gain = _gain(curve, _require(curve, "val", rule), direction)
        at, reason = _id_val(curve, gain) if rule == "id_val" else _one_se(curve, gain)
        chosen_on = "val"
    alpha = curve.alphas[at]
    cost = regret(curve, alpha, direction=direction)
    return Selection(rule, alpha, chosen_on, cost, reason, _end(curve, at, rule))


def _end(curve: Scored, at: int, rule: str) -> str:
    """Where the choice lies at an end of what was tried; no rule chose what was fixed."""
    ends = {0: "smallest", len(curve.alphas) - 1: "largest"}
    if rule == "fixed" or len(curve.alphas) < 2 or at not in ends:
        return ""
    return f"It is the {ends[at]} of the {len(curve.alphas)} alphas tried."


def select_all(
    curve: Scored,
    *,
    rules: Sequence[str] = RULES,
    fixed: float = 0.5,
    direction: Direction | None = None,
) -> list[Selection]:
    """One selection per rule, in their order.

    Rules that need what the curve lacks are left out: "id_val" and "one_se" without ID
    validation, "oracle" without any test set. The oracle's is that of the mean over shifts;
    :func:`oracles` has one per split.
    """
    found = []
    for rule in rules:
        try:
            found.append(select(curve, rule, fixed=fixed, direction=direction))
        except DataError:
            continue
    return found


def oracles(curve: Scored, *, direction: Direction | None = None) -> dict[str, Selection]:
    """The oracle of each test split by name, and of :data:`MEAN` where there are shifts."""
    names = [s for s in curve.scores if s != "val"] + ([MEAN] if curve.shifts() else [])
    return {n: select(curve, "oracle", on=n, direction=direction) for n in names}


def _require(curve: Scored, split: str, rule: str) -> str:
    if split == MEAN and curve.shifts():
        return split
    if split not in curve.scores:
        raise DataError(
            f"the rule {rule!r} needs scores of {split!r}, which the curve lacks",
            expected=f"one of {', '.join(curve.scores)}",
            fix="evaluate that split at every alpha, or choose alpha by 'fixed'",
        )
    return split


def _fixed(curve: Scored, fixed: float) -> tuple[int, str, str]:
    at = int(np.argmin(np.abs(np.array(curve.alphas) - fixed)))
    if abs(curve.alphas[at] - fixed) < 1e-9:
        return at, "nothing", f"alpha {fixed:g} was fixed beforehand."
    near = f"alpha {fixed:g} was fixed beforehand; the nearest on the grid is {curve.alphas[at]:g}."
    return at, "nothing", near


def _id_val(curve: Scored, gain: Floats) -> tuple[int, str]:
    at = _best(gain)
    same = int((gain == gain[at]).sum())
    tie = f", the smallest of {same} equals" if same > 1 else ""
    metric = curve.scores["val"][at].metric
    return at, f"best ID validation {metric} ({shown(metric, abs(gain[at]), unit=' %')}){tie}."


def _one_se(curve: Scored, gain: Floats) -> tuple[int, str]:
    top = _best(gain)
    errors, how = _standard_errors(curve, top)
    # One image lost is exactly one standard error (1 / n both), whatever n: rounding must not
    # decide whether that counts as within.
    for at in range(len(gain)):
        if gain[top] - gain[at] <= errors[at] + 1e-9:
            break
    lost = gain[top] - gain[at]
    if at == top:
        reason = f"the best on ID validation; no smaller alpha is within one {how} of it."
    else:
        reason = (
            f"smallest alpha within one {how} of the best on ID validation "
            f"(alpha {curve.alphas[top]:g}): {100 * lost:.1f} points below it, standard error "
            f"{100 * errors[at]:.1f}."
        )
    return at, reason


def _standard_errors(curve: Scored, top: int) -> tuple[Floats, str]:
    """Standard errors (a,) of each alpha's difference to the best, and what to call them."""
    row = curve.scores["val"]
    correct = curve.correct.get("val")
    if correct is not None and row[top].metric in _IMAGE_MEANS:
        errors = [0.0 if a == top else paired_se(correct[top], c) for a, c in enumerate(correct)]
        return np.array(errors), "paired standard error"
    from scipy.stats import norm  # half a second, which other rules and pages need not wait

    width = (row[top].high - row[top].low) / (2 * float(norm.ppf(0.975)))
    if row[top].interval == "none" or not np.isfinite(width):
        return np.zeros(len(row)), "standard error (unknown here, so equals only)"
    return np.full(len(row), width), f"standard error of the best {row[top].metric} (not paired)"


def _oracle(curve: Scored, on: str | None, direction: Direction | None) -> tuple[int, str, str]:
    if curve.search is not None:
        raise DataError("an adaptive sweep has no oracle", expected="a sweep of the whole grid")
    split = _require(curve, on or (MEAN if curve.shifts() else "test"), "oracle")
    gain = _gain(curve, split, direction)
    where = f"{MEAN} (test)" if split == MEAN else split
    what = "test images decided" if split != "val" else "validation images decided"
    at = _best(gain)
    metric = curve.scores[curve.shifts()[0] if split == MEAN else split][at].metric
    best = shown(metric, abs(gain[at]), unit=" %")
    return at, where, f"ORACLE: the best on {where} ({best}); {what}, so no result."


class _Callable(ModuleType):
    """``surefoot.select`` is this room, and choosing is what it does: it can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Selection:
        """As :func:`select`."""
        return select(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
