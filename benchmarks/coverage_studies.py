"""Simulated studies whose truth is known: what benchmarks/coverage.py and the tests count over.

A cell is one statement in one setting. Each of its studies draws data, asks surefoot, and says
whether the interval held the truth, or, of two methods that are equal, whether one was called
better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from surefoot.metrics import (
    ECE,
    NLL,
    PER_CLASS,
    WORST_GROUP,
    Metric,
    difference_interval,
    interval,
)
from surefoot.records import Curve, Score
from surefoot.select import regret_interval
from surefoot.stats import (
    BaselineLine,
    Interval,
    bound_of_mean,
    compare,
    interval_of_mean,
    rank,
    robustness_difference,
    robustness_interval,
)

Rng = np.random.Generator
Floats = NDArray[np.float64]
Found = tuple[Interval, float]


@dataclass(frozen=True)
class Cell:
    """One statement in one setting.

    Attributes:
        statement: What is shown: "accuracy", "macro F1".
        setting: In words.
        study: Draws one study; its interval and the truth.
        exact: The form may cover more than 98 %: it is exact or Bonferroni, by this name.
        errs: The statement is "better": a miss is two equal methods called different.
        costly: A fifth of the studies has to do.
    """

    statement: str
    setting: str
    study: Callable[[Rng], Found]
    exact: str = ""
    errs: bool = False
    costly: bool = False


def mean_of(centre: float, sd: float) -> float:
    """Mean of expit(N(centre, sd))."""
    x, w = np.polynomial.hermite_e.hermegauss(61)
    return float((expit(centre + sd * x) * w).sum() / w.sum())


def sizes(rng: Rng, units: int, n: int, uneven: bool) -> NDArray[np.int64]:
    """The unit of every image: equal units, or some three times as large as others."""
    shares = rng.uniform(0.5, 1.5, units) if uneven else np.ones(units)
    counts = np.maximum(1, np.round(n * shares / shares.sum()).astype(int))
    return np.repeat(np.arange(units), counts)


# ---------------------------------------------------------------- accuracy of one model


def accuracy(
    p: float, n: int, units: int = 0, sd: float = 0.0, seeds: int = 1, seed_sd: float = 0.0,
    shifts: int = 1, same: bool = False, uneven: bool = True, alone: bool = False,
) -> Callable[[Rng], Found]:  # fmt: skip
    """Rates expit(logit(p) + unit + seed); shifts of the same images, or of others.

    ``alone``: only the numbers and their own intervals are at hand, not the images.
    """
    truth = mean_of(float(logit(p)), float(np.hypot(sd, seed_sd)))

    def study(rng: Rng) -> Found:
        of_seed = rng.normal(0, seed_sd, (seeds, 1))
        values, labels = {}, {}
        unit = sizes(rng, units, n, uneven) if units else np.arange(n)
        effect = rng.normal(0, sd, units or n)
        for k in range(shifts):
            if not same and k and not units:
                effect = rng.normal(0, sd, n)
            rates = expit(logit(p) + effect[unit] + of_seed)
            values[str(k)] = rng.random((seeds, len(unit))) < rates
            labels[str(k)] = unit if units or same else None
        if alone:
            rows = [[v[i] for v in values.values()] for i in range(seeds)]
            own = [[interval_of_mean({"": row}) for row in seed] for seed in rows]
            return bound_of_mean([[row.mean() for row in seed] for seed in rows], own), truth
        return interval_of_mean(values, labels, seeds_drawn=seeds > 1), truth

    return study


# ---------------------------------------------------------------- two models


def difference(
    gap: float, disagree: float, n: int, units: int = 0, unit_sd: float = 0.0, seeds: int = 1,
    seed_sd: float = 0.0, shifts: int = 1, same: bool = False, about: str | None = None,
) -> Callable[[Rng], Found]:  # fmt: skip
    """P(only a right) - P(only b right) is ``gap`` on average, moved by units and by seeds."""

    def study(rng: Rng) -> Found:
        unit = sizes(rng, units, n, True) if units else np.arange(n)
        of_unit = np.clip(rng.normal(0, unit_sd, units or n), -0.9 * disagree, 0.9 * disagree)
        of_seed = rng.normal(0, seed_sd, (seeds, 1))
        a, b, labels = {}, {}, {}
        for k in range(shifts):
            here = (
                of_unit
                if (units or same or k == 0)
                else np.clip(rng.normal(0, unit_sd, n), -0.9 * disagree, 0.9 * disagree)
            )
            shift = np.clip(gap + here[unit] + of_seed, -disagree, disagree)
            u = rng.random((seeds, len(unit)))
            a[str(k)] = np.where(u < (disagree + shift) / 2, 1, 0)
            b[str(k)] = np.where((u >= (disagree + shift) / 2) & (u < disagree), 1, 0)
            both = (u >= disagree) & (u < disagree + 0.6 * (1 - disagree))
            a[str(k)], b[str(k)] = a[str(k)] | both, b[str(k)] | both
            labels[str(k)] = unit if units or same else None
        return compare(a, b, labels, about=about).interval, gap  # type: ignore[arg-type]

    return study


# ---------------------------------------------------------------- groups


def worst_group(rates: Floats, n: int, units: int = 0, sd: float = 0.0) -> Callable[[Rng], Found]:
    """Groups of n images each; units of each group are its own."""
    truths = [mean_of(float(logit(p)), sd) for p in rates]

    def study(rng: Rng) -> Found:
        group = np.repeat(np.arange(len(rates)), n)
        unit = group * max(units, 1) + (np.arange(len(group)) % max(units, 1))
        effect = rng.normal(0, sd, unit.max() + 1)[unit]
        right = (rng.random(len(group)) < expit(logit(rates)[group] + effect)).astype(float)
        columns = {"value": right, "group": group, "counts": np.ones(len(group), bool)}
        return interval(WORST_GROUP, [columns], unit if units else None), min(truths)

    return study


def worst_group_difference(a: Floats, b: Floats, n: int) -> Callable[[Rng], Found]:
    """The same images; of each group, a and b are right together as often as they can be."""
    truth = float(np.min(a) - np.min(b))

    def study(rng: Rng) -> Found:
        group = np.repeat(np.arange(len(a)), n)
        u = rng.random(len(group))
        u2 = np.where(rng.random(len(group)) < 0.8, u, rng.random(len(group)))
        about = {"group": group, "counts": np.ones(len(group), bool)}
        sides = [[{"value": (v < p[group]).astype(float), **about}] for v, p in ((u, a), (u2, b))]
        return difference_interval(WORST_GROUP, *sides), truth

    return study


# ---------------------------------------------------------------- classes


def class_shares(classes: int, tail: float) -> Floats:
    """Shares of classes: equal for 0, else falling as rank to the power of -tail."""
    shares = np.arange(1, classes + 1.0) ** -tail
    return shares / shares.sum()


def over_classes(
    metric: Metric, classes: int, n: int, tail: float = 0.0, rate: float = 0.7, paired: bool = False
) -> Callable[[Rng], Found]:
    """Accuracy by class around ``rate``; errors go to other classes as these are frequent.

    Of a pair, the second model is right more often by a tenth of what the first gets wrong, and on
    images that the first has right nine times in ten.
    """
    shares, by = class_shares(classes, tail), np.random.default_rng(5)
    right = np.clip(by.normal(rate, 0.12, classes), 0.1, 0.97)
    better = right + 0.1 * (1 - right)

    def value(p: Floats) -> float:
        if metric is PER_CLASS:
            return float(p.mean())
        lost = shares * (1 - p)
        away = lost / (1 - shares)
        said = shares * p + shares * (away.sum() - away)
        return float((2 * shares * p / (shares + said)).mean())

    def answers(rng: Rng, label: NDArray[np.int64], hit: NDArray[np.bool_]) -> Floats:
        other = rng.choice(classes, len(label), p=shares)
        while (same := (other == label) & ~hit).any():
            other[same] = rng.choice(classes, int(same.sum()), p=shares)
        return np.where(hit, label, other)

    def study(rng: Rng) -> Found:
        label = rng.choice(classes, n, p=shares)
        u = rng.random(n)
        first = {"label": label, "predicted": answers(rng, label, u < right[label])}
        if not paired:
            return interval(metric, [first]), value(right)
        v = np.where(rng.random(n) < 0.7, u, rng.random(n))
        second = {"label": label, "predicted": answers(rng, label, v < better[label])}
        return difference_interval(metric, [second], [first]), value(better) - value(right)

    return study


# ---------------------------------------------------------------- confidence


def _confident(rng: Rng, n: int, sharp: float) -> Floats:
    """Confidences of a model that is ``sharp``: near 1 for most images."""
    return np.asarray(0.1 + 0.9 * rng.beta(sharp, 1.0, n))


def calibration(
    n: int, over: float, sharp: float = 4.0, units: int = 0, paired: bool = False
) -> Callable[[Rng], Found]:
    """A model that is right in confidence ** (1 + over) of the cases; 0 is calibrated."""
    x = (np.arange(200_000) + 0.5) / 200_000
    spread = 0.1 + 0.9 * x ** (1 / sharp)  # quantiles of the confidences
    of_spread = np.clip(np.ceil(spread * 15).astype(int) - 1, 0, 14)

    def error(power: float) -> float:
        return float(np.abs(np.bincount(of_spread, spread**power - spread, 15)).sum() / len(x))

    truth = error(1 + over) - (error(1.0) if paired else 0.0)

    def columns(rng: Rng, c: Floats, effect: Floats, power: float) -> dict[str, NDArray[Any]]:
        right = rng.random(len(c)) < np.clip(c**power + effect, 0, 1)
        bins = np.clip(np.ceil(c * 15).astype(int) - 1, 0, 14)
        return {"confidence": c, "value": right.astype(float), "bin": bins}

    def study(rng: Rng) -> Found:
        c, none = _confident(rng, n, sharp), np.zeros(n)
        first = columns(rng, c, none, 1 + over)
        if not paired:
            return interval(ECE, [first], np.arange(n) % units if units else None), truth
        second = columns(rng, c, none, 1.0)
        return difference_interval(ECE, [first], [second]), truth

    return study


def likelihood(
    n: int, sharp: float, units: int = 0, sd: float = 0.0, paired: bool = False
) -> Callable[[Rng], Found]:
    """Softmax of two logits with a normal margin of mean ``sharp``; sharp models err rarely."""

    def loss(margin: Floats) -> Floats:
        return np.logaddexp(0, -margin)

    x, w = np.polynomial.hermite_e.hermegauss(101)

    def mean(centre: float, spread: float) -> float:
        return float((loss(centre + spread * x) * w).sum() / w.sum())

    wide = float(np.hypot(2.5, sd))

    def study(rng: Rng) -> Found:
        unit = sizes(rng, units, n, True) if units else np.arange(n)
        effect = rng.normal(0, sd, units or n)[unit]
        margin = sharp + effect + rng.normal(0, 2.5, len(unit))
        first = {"value": loss(margin)}
        labels = unit if units else None
        if not paired:
            return interval(NLL, [first], labels), mean(sharp, wide)
        second = {"value": loss(0.8 * margin + rng.normal(0, 1, len(unit)))}
        truth = mean(0.8 * sharp, float(np.hypot(0.8 * wide, 1.0))) - mean(sharp, wide)
        return difference_interval(NLL, [second], [first], labels), truth

    return study


# ---------------------------------------------------------------- lines and choices


def robustness(models: int, n: tuple[int, int], centre: float) -> Callable[[Rng], Found]:
    """A baseline on a line with scatter; the model's own accuracies are measured on n images."""
    slope, intercept, scatter, home, above = 0.9, centre, 0.15, 0.75, 0.3
    away = float(expit(slope * logit(home) + intercept + above))
    truth = away - float(expit(slope * logit(home) + intercept))

    def study(rng: Rng) -> Found:
        x = rng.normal(1.0, 0.7, models)
        y = slope * x + intercept + rng.normal(0, scatter, models)
        table = rng.binomial(n[0], expit(x)) / n[0], rng.binomial(n[1], expit(y)) / n[1]
        own = [rng.binomial(k, p) / k for k, p in zip(n, (home, away), strict=True)]
        pairs = [(p, float(np.sqrt(p * (1 - p) / k))) for p, k in zip(own, n, strict=True)]
        return robustness_interval(*table, pairs[0], pairs[1], n=n), truth

    return study


def robustness_gap(n: tuple[int, int], units: int = 0) -> Callable[[Rng], Found]:
    """Two models above one line, asked the same images; units are of the set under shift."""
    line = BaselineLine(0.9, -1.0, 100, 1.0, 1e-4)
    home, away = (0.78, 0.75), (0.62, 0.57)
    above = line.effective_robustness(home, away)

    def pair(rng: Rng, n: int, rates: tuple[float, float], effect: Floats) -> list[Floats]:
        u = rng.random(n)
        v = np.where(rng.random(n) < 0.8, u, rng.random(n))
        return [(w < p + effect).astype(float) for w, p in zip((u, v), rates, strict=True)]

    def study(rng: Rng) -> Found:
        unit = np.arange(n[1]) % (units or n[1])
        effect = rng.normal(0, 0.1 if units else 0.0, units or n[1])[unit]
        at, under = pair(rng, n[0], home, np.zeros(n[0])), pair(rng, n[1], away, effect)
        labels = (None, unit if units else None)
        found = robustness_difference(line, (at[0], under[0]), (at[1], under[1]), labels)
        return found, float(above[0] - above[1])

    return study


def regret(alphas: int, n: int, curved: float) -> Callable[[Rng], Found]:
    """Accuracy along a path with its top in the middle; neighbours agree on most images."""
    at = np.linspace(0, 1, alphas)
    rates = 0.7 - curved * (at - 0.5) ** 2
    truth = float(rates.max() - rates[-1])

    def study(rng: Rng) -> Found:
        walk = np.cumsum(rng.normal(0, 0.25, (alphas, n)), axis=0) / np.sqrt(
            1 + 0.25**2 * np.arange(1, alphas + 1))[:, None]  # fmt: skip
        level = norm.cdf(rng.normal(0, 1, n) / np.sqrt(1 + 0.25**2 * np.arange(1, alphas + 1))[
            :, None] + walk)  # fmt: skip
        right = level < rates[:, None]
        rows = tuple(Score("top1", float(r.mean()), n, 0, 0, "none", "test", "ID", alpha=float(a))
                     for a, r in zip(at, right, strict=True))  # fmt: skip
        curve = Curve("ft", tuple(at.tolist()), {"test": rows}, {"test": right})
        return regret_interval(curve, 1.0, "test"), truth

    return study


def ranking(models: int, n: int, seeds: int = 1, seed_sd: float = 0.0) -> Callable[[Rng], Found]:
    """Models equal in truth: a miss is any pair called different."""

    def study(rng: Rng) -> Found:
        hard = rng.random(n)
        rights = {
            str(m): {"test": rng.random((seeds, n)) < np.clip(
                np.where(hard < 0.8, 0.9, 0.3) + rng.normal(0, seed_sd, (seeds, 1)), 0, 1)}
            for m in range(models)
        }  # fmt: skip
        found = rank(rights)
        called = any(found.better(*pair) for pair in found.pairs)
        return Interval(1.0 if called else -1.0, 1.0, "t, exact"), 0.0

    return study
