"""Intervals hold the truth as often as they say: a part of benchmarks/coverage.py, small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT / "benchmarks") not in sys.path:
    sys.path.insert(0, str(ROOT / "benchmarks"))

from coverage import ERRS, LOWEST, count, faults  # noqa: E402
from coverage_cells import cells  # noqa: E402
from coverage_studies import Cell  # noqa: E402

STUDIES = 250

QUICK = {
    ("accuracy over units", "13 units of 60 images, p = 0.95, units' sd 1.0 logits"),
    ("accuracy over seeds", "3 seeds, 500 images, p = 0.7, seeds' sd 0.07 logits"),
    ("mean over shifts", "3 corruptions of the same 500 images"),
    ("difference of accuracy", "500 images, 2.0% differ, true 1 points"),
    ("difference of accuracy over units",
     "13 units of 60 images, 10% differ, units' sd 3 points, true 3"),
    ("difference of accuracy over seeds",
     "3 seeds, seed sd 1.4 points, 2,000 images, 20 units, true 1"),
    ("difference of accuracy, mean of shifts", "3 corruptions of the same 750 images, true 2"),
    ("difference of macro F1", "10 classes, 2,000 images, accuracy about 0.7"),
    ("difference of NLL", "500 images, margins N(3, 2.5)"),
    ("mean of numbers alone", "3 seeds, 3 sets of 500 images, seeds' sd 0.07 logits"),
    ("worst group", "5 groups of 200, all p = 0.5"),
    ("mean per class", "10 classes, 200 images, accuracy about 0.7"),
    ("macro F1", "100 classes, 2,000 images, accuracy about 0.7"),
    ("ECE", "200 images, calibrated"),
    ("NLL", "2,000 images, margins N(6, 2.5) logits"),
    ("effective robustness", "30 models, accuracy about 0.02 under shift"),
    ("equal, called different", "two methods, 1 seed, seed sd 1 point, 2,000 images"),
    ("equal, called different", "two methods, 3 seeds, seed sd 1 point, 2,000 images"),
    ("equal, called different", "two methods, 5 seeds, seed sd 1 point, 2,000 images of 13 units"),
}  # fmt: skip


@pytest.mark.parametrize(
    "cell", [c for c in cells() if (c.statement, c.setting) in QUICK], ids=lambda c: c.setting
)
def test_quick(cell: Cell) -> None:
    assert faults(cell, count(cell, STUDIES, 7)) == []


def test_all_quick_cells_are_there() -> None:
    assert {(c.statement, c.setting) for c in cells()} >= QUICK


def test_what_was_measured_keeps_the_rules() -> None:
    """The slow grid, as committed: every cell of today, and no fault."""
    told = json.loads((ROOT / "benchmarks" / "results" / "coverage.json").read_text())
    assert (told["lowest"], told["errs"]) == (LOWEST, ERRS)
    rows = told["rows"]
    assert {f"{c.statement}: {c.setting}" for c in cells()} == set(rows)
    assert {name: row["faults"] for name, row in rows.items() if row["faults"]} == {}


def test_the_page_says_what_the_results_say() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "coverage_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
