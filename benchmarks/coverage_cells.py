"""The grid of coverage.py: every statement at small and usual sizes, near 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.metrics import MACRO_F1, PER_CLASS

try:
    from .coverage_studies import (
        Cell,
        accuracy,
        calibration,
        difference,
        likelihood,
        over_classes,
        ranking,
        regret,
        robustness,
        robustness_gap,
        worst_group,
        worst_group_difference,
    )  # fmt: skip
except ImportError:
    from coverage_studies import (  # type: ignore[no-redef]
        Cell,
        accuracy,
        calibration,
        difference,
        likelihood,
        over_classes,
        ranking,
        regret,
        robustness,
        robustness_gap,
        worst_group,
        worst_group_difference,
    )  # fmt: skip

EXACT, UNITS, MANY, BOUND = "clopper-pearson", "korn-graubard", "bonferroni", "bias-bound"
ALONE = "bound"
FLIPS = "sign flips: fewer than six units"
SEEDS = "few seeds that do not differ"


def cells() -> list[Cell]:
    """All of them; the quick ones of the tests are among them."""
    made = (_accuracy, _difference, _groups, _classes, _confidence, _others, _equal, _lines, _alone)
    return [cell for make in made for cell in make()]


def _accuracy() -> Iterator[Cell]:
    for p in (0.5, 0.9, 0.99):
        for n in (50, 2000):
            yield Cell("accuracy", f"{n:,} images, p = {p}", accuracy(p, n), EXACT)
    for units in (3, 5, 13, 30):
        for p, sd in ((0.5, 0.0), (0.5, 1.0), (0.95, 0.5), (0.95, 1.0), (0.99, 1.0)):
            name = f"{units} units of 60 images, p = {p}, units' sd {sd} logits"
            yield Cell("accuracy over units", name, accuracy(p, 60 * units, units, sd), UNITS)
    for seeds in (3, 5):
        for p, sd in ((0.7, 0.0), (0.7, 0.07), (0.97, 0.2)):
            name = f"{seeds} seeds, 500 images, p = {p}, seeds' sd {sd} logits"
            yield Cell(
                "accuracy over seeds", name, accuracy(p, 500, seeds=seeds, seed_sd=sd), UNITS
            )
    several = accuracy(0.8, 500, shifts=3)
    copies = accuracy(0.8, 500, sd=1.0, shifts=3, same=True)
    yield Cell("mean over shifts", "3 sets of 500 images", several, UNITS)
    yield Cell("mean over shifts", "3 corruptions of the same 500 images", copies, UNITS)
    both = accuracy(0.8, 800, 13, 0.5, shifts=3)
    yield Cell("mean over shifts", "3 sets of 800 images by the same 13 designers", both, UNITS)
    yield Cell("pm10", "300 anchors, p = 0.6", accuracy(0.6, 300), EXACT)
    videos = accuracy(0.6, 600, 100, 1.0)
    yield Cell("pm10", "600 anchors of 100 videos, p = 0.6, sd 1 logit", videos, UNITS)


def _difference() -> Iterator[Cell]:
    name = "difference of accuracy"
    for n, d in ((50, 0.1), (500, 0.02), (2000, 0.005), (2000, 0.1)):
        for part in (0.0, 0.5):
            told = f"{n:,} images, {d:.1%} differ, true {100 * part * d:.2g} points"
            yield Cell(name, told, difference(part * d, d, n), "mcnemar" if part == 0 else "")
    for units in (3, 5):
        told = f"{units} units of 60 images, 10% differ, units' sd 3 points, true 3"
        yield Cell(
            f"{name} over units", told, difference(0.03, 0.1, 60 * units, units, 0.03), FLIPS
        )
    for units in (8, 13, 30, 100):
        for d, sd, gap in ((0.1, 0.0, 0.0), (0.1, 0.03, 0.03), (0.02, 0.005, 0.01)):
            told = (f"{units} units of 60 images, {d:.0%} differ, units' sd {100 * sd:g} points, "
                    f"true {100 * gap:g}")  # fmt: skip
            yield Cell(f"{name} over units", told, difference(gap, d, 60 * units, units, sd))
    for seeds in (2, 3, 5):
        for sd in (0.0, 0.0141):
            for units in (0, 20):
                over = f", {units} units" if units else ""
                told = f"{seeds} seeds, seed sd {100 * sd:.2g} points, 2,000 images{over}, true 1"
                study = difference(0.01, 0.1, 2000, units, 0.03 if units else 0.0, seeds, sd)
                few = SEEDS if sd == 0 and seeds < 5 else ""
                yield Cell(f"{name} over seeds", told, study, few)
    copies = difference(0.02, 0.1, 750, 0, 0.05, shifts=3, same=True)
    yield Cell(f"{name}, mean of shifts", "3 corruptions of the same 750 images, true 2", copies)
    apart = difference(0.02, 0.1, 750, 0, 0.05, shifts=3)
    yield Cell(f"{name}, mean of shifts", "3 sets of 750 images, true 2", apart)


def _groups() -> Iterator[Cell]:
    for told, rates, n in (
        ("5 groups of 200, all p = 0.5", [0.5] * 5, 200),
        ("5 groups of 200, p = 0.5 to 0.95", [0.5, 0.7, 0.8, 0.9, 0.95], 200),
        ("20 groups of 50, all p = 0.8", [0.8] * 20, 50),
        ("3 groups of 100, p = 0.97 to 0.99", [0.97, 0.99, 0.99], 100),
    ):
        yield Cell("worst group", told, worst_group(np.array(rates), n), MANY)
    by_unit = worst_group(np.array([0.7, 0.8, 0.9]), 200, 10, 0.5)
    yield Cell("worst group", "3 groups of 10 units of 20 images, sd 0.5 logits", by_unit, MANY)
    a, b = np.array([0.5, 0.7, 0.8]), np.array([0.55, 0.7, 0.8])
    study = worst_group_difference(a, b, 200)
    yield Cell("difference of worst group", "3 groups of 200, true -5 points", study, MANY)


def _classes() -> Iterator[Cell]:
    sizes = ((10, 200, 0.0), (10, 2000, 0.0), (100, 2000, 0.0), (50, 4000, 1.0), (182, 8000, 1.5))
    for metric, name in ((PER_CLASS, "mean per class"), (MACRO_F1, "macro F1")):
        for classes, n, tail in sizes:
            shape = f", shares fall as rank^-{tail:g}" if tail else ""
            told = f"{classes} classes, {n:,} images{shape}"
            for rate in (0.7, 0.93):
                study = over_classes(metric, classes, n, tail, rate)
                yield Cell(name, f"{told}, accuracy about {rate}", study)
            if n == 2000:
                pair = over_classes(metric, classes, n, tail, paired=True)
                yield Cell(f"difference of {name}", f"{told}, accuracy about 0.7", pair)


def _confidence() -> Iterator[Cell]:
    for n in (200, 1000, 5000):
        for over, told in ((0.0, "calibrated"), (0.2, "over-confident"), (0.6, "far off")):
            yield Cell("ECE", f"{n:,} images, {told}", calibration(n, over), BOUND)
    yield Cell("ECE", "1,000 images of 20 units, over-confident", calibration(1000, 0.2, units=20),
               BOUND)  # fmt: skip
    pair = calibration(1000, 0.3, paired=True)
    yield Cell("difference of ECE", "1,000 images, over-confident and calibrated", pair, BOUND)
    for n in (200, 500, 2000, 8000):
        for sharp in (1.0, 3.0, 6.0, 9.0):
            told = f"{n:,} images, margins N({sharp:g}, 2.5) logits"
            yield Cell("NLL", told, likelihood(n, sharp))
    yield Cell("NLL", "1,000 images of 30 units, sd 1 logit", likelihood(1000, 3.0, 30, 1.0))
    for n in (500, 2000):
        pair = likelihood(n, 3.0, paired=True)
        yield Cell("difference of NLL", f"{n:,} images, margins N(3, 2.5)", pair)


def _others() -> Iterator[Cell]:
    for alphas, curved in ((11, 0.4), (11, 0.0)):
        told = f"{alphas} alphas, 1,000 images, true {100 * curved / 4:g} points"
        yield Cell("regret", told, regret(alphas, 1000, curved), MANY, costly=True)
    for models in (10, 30, 100):
        for centre, told in ((-1.0, "accuracy about 0.5"), (-5.0, "accuracy about 0.02")):
            study = robustness(models, (5000, 2000), centre)
            yield Cell("effective robustness", f"{models} models, {told} under shift", study)


def _equal() -> Iterator[Cell]:
    """Two methods or more that are equal in truth: a miss is a difference claimed."""
    name = "equal, called different"
    for seeds in (1, 3, 5):
        for units in (0, 13, 40):
            over = f" of {units} units" if units else ""
            study = difference(0.0, 0.1, 2000, units, 0.03 if units else 0.0, seeds, 0.0141,
                               about="methods")  # fmt: skip
            told = (
                f"two methods, {seeds} seed{'s' * (seeds > 1)}, seed sd 1 point, 2,000 images{over}"
            )
            yield Cell(name, told, study, errs=True)
    for units in (0, 13, 40):
        over = f" of {units} units" if units else ""
        study = difference(0.0, 0.1, 2000, units, 0.03 if units else 0.0)
        yield Cell(name, f"two trained models, 2,000 images{over}", study, errs=True)
    yield Cell(
        name, "13 trained models, all pairs, 500 images", ranking(13, 500), errs=True, costly=True
    )
    study = ranking(4, 1000, 3, 0.01)
    yield Cell(name, "4 methods, all pairs, 3 seeds, 1,000 images", study, errs=True)


def _lines() -> Iterator[Cell]:
    name = "difference of effective robustness"
    yield Cell(name, "2,000 images each", robustness_gap((2000, 2000)))
    yield Cell(name, "1,000 images and 1,200 of 40 units", robustness_gap((1000, 1200), 40))


def _alone() -> Iterator[Cell]:
    name = "mean of numbers alone"
    several = accuracy(0.8, 500, shifts=3, alone=True)
    yield Cell(name, "3 sets of 500 images", several, ALONE)
    copies = accuracy(0.8, 500, sd=1.0, shifts=3, same=True, alone=True)
    yield Cell(name, "3 corruptions of the same 500 images", copies, ALONE)
    for sd in (0.0, 0.07):
        seeds = accuracy(0.7, 500, seeds=3, seed_sd=sd, alone=True)
        yield Cell(name, f"3 seeds, 500 images, p = 0.7, seeds' sd {sd} logits", seeds, ALONE)
    both = accuracy(0.8, 500, seeds=3, seed_sd=0.07, shifts=3, alone=True)
    yield Cell(name, "3 seeds, 3 sets of 500 images, seeds' sd 0.07 logits", both, ALONE)
