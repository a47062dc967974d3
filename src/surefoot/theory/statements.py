"""The five statements of the theory, each with a rule for its verdict. No torch here.

The rules are fixed here, apart from any result: :data:`RULES` says them in words, the constants
above it are what the code compares with. Losses are relative to that of the network
that answers 0, which is ||w*||^2 = 1. A verdict is "holds", "does not hold", or, where an interval
over seeds decides and it decides nothing, "not significant".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..stats import mean_interval_over_seeds
from .network import Setting

__all__ = ["RULES", "Row", "Statement", "finite", "judge"]

Verdict = Literal["holds", "does not hold", "not significant"]
Method = Literal["lp", "ft", "lp-ft"]

ORDER_ONE = 0.1
EARLY_STOP = 10.0
SLOPE = (1.8, 2.2)
FITTED = 1e-8
UNFITTED = 1e3
STILL = 1e-9
LEVEL = 0.95

TEXTS = (
    "Fine-tuning's OOD loss stays of order 1 as eps goes to 0, at every time",
    "The linear probe's OOD loss goes down as eps^2",
    "For eps > 0, FT and LP-FT fit the training distribution and LP does not",
    "For eps > 0, LP-FT's OOD loss is below LP's",
    "Features never move in directions orthogonal to the data",
)


def _power(value: float) -> str:
    """A small number as people write it: 1e-9, not 1e-09."""
    return f"{value:g}".replace("e-0", "e-")


RULES = (
    f"In every seed and at every eps, 0 among them, the lowest OOD loss along FT's whole path, "
    f"start and end included, is at least {ORDER_ONE:g}; and at the smallest eps above 0 it is, in "
    f"every seed, at least {EARLY_STOP:g} times LP's OOD loss at the end.",
    f"The slope of log OOD loss against log eps over all eps > 0, fitted seed by seed, has a "
    f"{LEVEL:.0%} t interval over seeds within {SLOPE[0]:g} to {SLOPE[1]:g}. An interval that only "
    f"overlaps with that range is not significant.",
    f"In every seed and at every eps > 0, the ID loss at the end is at most {_power(FITTED)} for "
    f"FT and LP-FT, and at least {_power(FITTED * UNFITTED)} for LP.",
    f"At every eps > 0, log(LP-FT's OOD loss / LP's) at the end, paired by seed, has a t interval "
    f"below 0; {LEVEL:.0%} over all eps together (Bonferroni). If one lies above 0, it does not "
    f"hold; otherwise it is not significant.",
    f"In every run of FT and LP-FT, the part of B - B0 orthogonal to S is at every step at most "
    f"{_power(STILL)} (Frobenius; B0 has sqrt(k)), while in every run of FT the features move by "
    f"more than {_power(1e3 * STILL)}.",
)


@dataclass(frozen=True)
class Row:
    """One run: a seed, an eps, a method.

    Attributes:
        seed: Of the problem.
        eps: Distance of the pretrained features.
        method: "lp", "ft" or "lp-ft".
        id_end: ID loss at the end.
        ood_end: OOD loss at the end.
        train_end: Training loss at the end.
        ood_lowest: The lowest OOD loss along the path.
        lowest_time: When that was; None: in the limit.
        time: When the training data were fitted; None for a limit in closed form.
        moved: ||B - B0||_F at the end.
        moved_outside: The largest length of (B - B0) orthogonal to S.
        drift: The largest change of the conserved v v^T - B B^T.
        floor: The proved floor under the OOD loss (FT only).
    """

    seed: int
    eps: float
    method: Method
    id_end: float
    ood_end: float
    train_end: float
    ood_lowest: float
    lowest_time: float | None
    time: float | None
    moved: float
    moved_outside: float
    drift: float
    floor: float | None = None


@dataclass(frozen=True)
class Statement:
    """A statement, the rule that judges it, and what came out.

    Attributes:
        number: 1 to 5.
        text: What is claimed.
        rule: How it is judged.
        verdict: "holds", "does not hold" or "not significant".
        evidence: The deciding numbers in a sentence.
        numbers: The same and more, JSON.
    """

    number: int
    text: str
    rule: str
    verdict: Verdict
    evidence: str
    numbers: dict[str, Any] = field(default_factory=dict)


Judged = tuple[Verdict, str, dict[str, Any]]


def judge(setting: Setting, rows: Sequence[Row]) -> list[Statement]:
    """The five statements with their verdicts, from the rows of every seed, eps and method."""
    judges: tuple[Callable[[_Table], Judged], ...] = (_floor, _slope, _fit, _better, _still)
    table = _Table(setting, rows)
    return [Statement(i + 1, TEXTS[i], RULES[i], *decide(table)) for i, decide in enumerate(judges)]


@dataclass(frozen=True)
class _Table:
    """Rows by what is asked of them."""

    setting: Setting
    rows: Sequence[Row]

    def values(self, method: Method, eps: float, name: str) -> list[float]:
        """One number per seed, in the order of seeds."""
        found = [r for r in self.rows if r.method == method and r.eps == eps]
        return [getattr(r, name) for r in sorted(found, key=lambda r: r.seed)]

    def every(self, method: Method, name: str, eps: Sequence[float]) -> list[float]:
        """One number per eps and seed."""
        return [v for e in eps for v in self.values(method, e, name)]


def _verdict(holds: bool, fails: bool) -> Verdict:
    return "holds" if holds else "does not hold" if fails else "not significant"


def _floor(t: _Table) -> Judged:
    """1: FT's OOD loss does not follow eps down."""
    lowest = min(t.every("ft", "ood_lowest", t.setting.eps))
    near = t.setting.positive[0]
    pairs = zip(t.values("ft", near, "ood_lowest"), t.values("lp", near, "ood_end"), strict=True)
    ratio = min(ft / lp for ft, lp in pairs)
    means = {f"{e:g}": float(np.mean(t.values("ft", e, "ood_lowest"))) for e in t.setting.eps}
    first = t.values("ft", t.setting.eps[0], "floor")
    words = (
        f"lowest at any time, seed and eps: {lowest:.3g}; stopped at its best moment, FT at "
        f"eps = {near:g} is still {ratio:,.0f} times LP or worse"
    )
    numbers = {"lowest": lowest, "least_ratio_to_lp": ratio, "mean_lowest_by_eps": means,
               "proved_floor_by_seed": first}  # fmt: skip
    holds = lowest >= ORDER_ONE and ratio >= EARLY_STOP
    return _verdict(holds, not holds), words, numbers


def _slope(t: _Table) -> Judged:
    """2: LP's OOD loss against eps on logarithmic axes."""
    x = np.log(t.setting.positive)
    y = np.log([t.values("lp", e, "ood_end") for e in t.setting.positive])
    slopes = [float(s) for s in np.polyfit(x, y, 1)[0]]
    found = mean_interval_over_seeds(slopes, LEVEL)
    low, high = found.interval.low, found.interval.high
    sure = bool(found.interval)
    within, apart = SLOPE[0] <= low and high <= SLOPE[1], high < SLOPE[0] or low > SLOPE[1]
    reach = f"{LEVEL:.0%} interval {low:.3f} to {high:.3f}" if sure else "no interval from one seed"
    nearest = (y[1] - y[0]) / (x[1] - x[0])
    numbers = {"slopes": slopes, "mean": found.mean, "low": finite(low), "high": finite(high),
               "slopes_between_the_two_smallest_eps": [float(s) for s in nearest]}  # fmt: skip
    return _verdict(sure and within, sure and apart), f"slope {found.mean:.3f}, {reach}", numbers


def _fit(t: _Table) -> Judged:
    """3: who fits the training distribution."""
    eps = t.setting.positive
    tuned = max(t.every("ft", "id_end", eps) + t.every("lp-ft", "id_end", eps))
    probe = min(t.every("lp", "id_end", eps))
    words = f"ID loss: FT and LP-FT at most {tuned:.1e}, LP at least {probe:.1e}"
    holds = tuned <= FITTED and probe >= FITTED * UNFITTED
    return _verdict(holds, not holds), words, {"highest_ft_and_lp_ft": tuned, "lowest_lp": probe}


def _better(t: _Table) -> Judged:
    """4: LP-FT against LP under shift, paired by seed."""
    eps, numbers = t.setting.positive, {}
    lows, highs, ratios = [], [], []
    for e in eps:
        pairs = zip(t.values("lp-ft", e, "ood_end"), t.values("lp", e, "ood_end"), strict=True)
        logs = [math.log(a / b) for a, b in pairs]
        found = mean_interval_over_seeds(logs, 1 - (1 - LEVEL) / len(eps))
        low, high = math.exp(found.interval.low), math.exp(found.interval.high)
        numbers[f"{e:g}"] = {"ratios": [math.exp(v) for v in logs], "mean": math.exp(found.mean),
                             "low": finite(low), "high": finite(high)}  # fmt: skip
        lows.append(low)
        highs.append(high)
        ratios.append(math.exp(found.mean))
    verdict = _verdict(all(high < 1 for high in highs), any(low > 1 for low in lows))
    reach = f"highest upper end {max(highs):.2f}" if math.isfinite(highs[0]) else "no interval"
    words = f"LP-FT / LP: {min(ratios):.2f} to {max(ratios):.2f} in the mean, {reach}"
    return verdict, words, {"ratio_by_eps": numbers}


def _still(t: _Table) -> Judged:
    """5: what the features do off the data."""
    eps = t.setting.eps
    outside = max(t.every("ft", "moved_outside", eps) + t.every("lp-ft", "moved_outside", eps))
    moved = min(t.every("ft", "moved", eps))
    words = f"moved off the data by at most {outside:.0e}, on them by {moved:.2f} or more (FT)"
    numbers = {"highest_outside": outside, "least_move_ft": moved}
    holds = outside <= STILL and moved > 1e3 * STILL
    return _verdict(holds, not holds), words, numbers


def finite(value: float) -> float | None:
    """None for a limit in closed form, and where there is no interval: JSON knows neither."""
    return value if math.isfinite(value) else None
