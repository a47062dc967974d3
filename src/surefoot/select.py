"""How alpha was chosen: fixed, id_val, one_se, and the oracle, which is labelled. No torch here.

Only ``fixed``, ``id_val`` and ``one_se`` may be used for a claim; the oracle looks at the test
sets and is there to say what the others cost (:attr:`~surefoot.runs.Selection.regret`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from .errors import DataError, UnknownName
from .records import Curve
from .registry import nearest
from .runs import Selection
from .stats import paired_se

__all__ = ["MEAN", "RULES", "oracles", "regret", "select", "select_all"]

RULES = ("fixed", "id_val", "one_se", "oracle")

MEAN = "mean over shifts"
"""Key of the unweighted mean of all OOD splits in a regret."""

Direction = Literal["max", "min"]
Floats = NDArray[np.float64]

_IMAGE_MEANS = frozenset({"top1"})
"""Metrics whose value is the mean of ``Curve.correct``."""


LESS_IS_BETTER = frozenset({"ece", "nll"})
"""Metrics of surefoot's own of which less is better."""


def _gain(curve: Curve, split: str, direction: Direction | None) -> Floats:
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


def regret(curve: Curve, alpha: float, *, direction: Direction | None = None) -> dict[str, float]:
    """What ``alpha`` costs against each split's own oracle, >= 0; and for the mean over shifts."""
    at = curve.alphas.index(alpha)
    names = [*curve.scores, *([MEAN] if curve.shifts() else [])]
    gains = {name: _gain(curve, name, direction) for name in names}
    return {name: float(g[_best(g)] - g[at]) for name, g in gains.items()}


def select(
    curve: Curve,
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
            difference) or "oracle".
        fixed: The alpha of "fixed"; the nearest on the grid is taken, and the reason says so.
        on: What the oracle looks at: a split, or :data:`MEAN`; the mean over shifts when left
            out, the ID test where there are none.
        direction: "min" where less is better, "max" where more is; None: as the metric of each
            split has it.

    Raises:
        UnknownName: No such rule; the nearest are named.
        DataError: The rule needs a split that the curve lacks, or (oracle) every position, where
            the sweep was adaptive.
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
    return Selection(rule, alpha, chosen_on, regret(curve, alpha, direction=direction), reason)


def select_all(
    curve: Curve,
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


def oracles(curve: Curve, *, direction: Direction | None = None) -> dict[str, Selection]:
    """The oracle of each test split by name, and of :data:`MEAN` where there are shifts."""
    names = [s for s in curve.scores if s != "val"] + ([MEAN] if curve.shifts() else [])
    return {n: select(curve, "oracle", on=n, direction=direction) for n in names}


def _require(curve: Curve, split: str, rule: str) -> str:
    if split == MEAN and curve.shifts():
        return split
    if split not in curve.scores:
        raise DataError(
            f"the rule {rule!r} needs scores of {split!r}, which the curve lacks",
            expected=f"one of {', '.join(curve.scores)}",
            fix="evaluate that split at every alpha, or choose alpha by 'fixed'",
        )
    return split


def _fixed(curve: Curve, fixed: float) -> tuple[int, str, str]:
    at = int(np.argmin(np.abs(np.array(curve.alphas) - fixed)))
    if abs(curve.alphas[at] - fixed) < 1e-9:
        return at, "nothing", f"alpha {fixed:g} was fixed beforehand."
    near = f"alpha {fixed:g} was fixed beforehand; the nearest on the grid is {curve.alphas[at]:g}."
    return at, "nothing", near


def _id_val(curve: Curve, gain: Floats) -> tuple[int, str]:
    at = _best(gain)
    same = int((gain == gain[at]).sum())
    tie = f", the smallest of {same} equals" if same > 1 else ""
    metric = curve.scores["val"][at].metric
    return at, f"best ID validation {metric} ({_shown(metric, abs(gain[at]))}){tie}."


def _shown(metric: str, value: float) -> str:
    """A value as people read it: percent, but for likelihoods."""
    return f"{value:.3f}" if metric == "nll" else f"{100 * value:.1f} %"


def _one_se(curve: Curve, gain: Floats) -> tuple[int, str]:
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


def _standard_errors(curve: Curve, top: int) -> tuple[Floats, str]:
    """Standard errors (a,) of each alpha's difference to the best, and what to call them."""
    row = curve.scores["val"]
    correct = curve.correct.get("val")
    if correct is not None and row[top].metric in _IMAGE_MEANS:
        errors = [0.0 if a == top else paired_se(correct[top], c) for a, c in enumerate(correct)]
        return np.array(errors), "paired standard error"
    width = (row[top].high - row[top].low) / (2 * float(norm.ppf(0.975)))
    if row[top].interval == "none" or not np.isfinite(width):
        return np.zeros(len(row)), "standard error (unknown here, so equals only)"
    return np.full(len(row), width), f"standard error of the best {row[top].metric} (not paired)"


def _oracle(curve: Curve, on: str | None, direction: Direction | None) -> tuple[int, str, str]:
    if curve.search is not None:
        raise DataError("an adaptive sweep has no oracle", expected="a sweep of the whole grid")
    split = _require(curve, on or (MEAN if curve.shifts() else "test"), "oracle")
    gain = _gain(curve, split, direction)
    where = f"{MEAN} (test)" if split == MEAN else split
    what = "test images decided" if split != "val" else "validation images decided"
    at = _best(gain)
    shown = _shown(curve.scores[curve.shifts()[0] if split == MEAN else split][at].metric,
                   abs(gain[at]))  # fmt: skip
    return at, where, f"ORACLE: the best on {where} ({shown}); {what}, so no result."
