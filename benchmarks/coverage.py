"""How often intervals hold the truth, and how often equal methods are called different.

    python benchmarks/coverage.py [--studies 1000] [--only WORD]

Studies are simulated with known truth (benchmarks/coverage_studies.py); each asks surefoot as any
report does. About ten minutes of one core. Writes ``results/coverage.json``; ``--only`` asks the
statements with this word anew and leaves the other rows as they are: every setting draws from a
seed of its own place in the grid, so that the outcome is that of a whole run.
``python benchmarks/coverage_page.py`` then writes docs/statistics.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

try:
    from .common import RESULTS, write
    from .coverage_cells import cells
    from .coverage_studies import Cell
except ImportError:
    from common import RESULTS, write  # type: ignore[no-redef]
    from coverage_cells import cells  # type: ignore[no-redef]
    from coverage_studies import Cell  # type: ignore[no-redef]

LOWEST, HIGHEST = 0.93, 0.98
"""Between these an interval covers, unless its form is exact or Bonferroni, by name."""

ERRS = 0.05


def count(cell: Cell, studies: int, seed: int) -> dict[str, Any]:
    """What became of the studies of one cell.

    Returns:
        Studies; how many showed an interval; how many of these missed the truth on either side;
        their kinds and mean width.
    """
    rng = np.random.default_rng(seed)
    shown = too_high = too_low = 0
    width, kinds = 0.0, set()
    for _ in range(studies):
        found, truth = cell.study(rng)
        if not found:
            continue
        shown += 1
        kinds.add(found.kind)
        too_high += found.low > truth
        too_low += found.high < truth
        width += found.high - found.low
    return {
        "studies": studies, "shown": shown, "too_high": too_high, "too_low": too_low,
        "covers": None if not shown else round(1 - (too_high + too_low) / shown, 4),
        "width": None if not shown else round(width / shown, 4), "kinds": sorted(kinds),
    }  # fmt: skip


def faults(cell: Cell, row: dict[str, Any], sigmas: float = 2.0) -> list[str]:
    """What breaks the rule, with ``sigmas`` standard errors of the simulation allowed."""
    if row["shown"] < row["studies"] / 2:  # not shown: only what is shown and wrong counts
        wrong = (row["too_high"] + row["too_low"]) / row["studies"]
        allowed = 1 - LOWEST
        slack = sigmas * math.sqrt(allowed * LOWEST / row["studies"])
        return [f"shown and wrong in {wrong:.1%}"] if wrong > allowed + slack else []

    def error(p: float) -> float:
        return sigmas * math.sqrt(p * (1 - p) / row["shown"])

    covers, out = row["covers"], []
    least = 1 - ERRS if cell.errs else LOWEST
    if covers < least - error(least):
        out.append(f"covers {covers:.1%}, at least {least:.0%} wanted")
    if not cell.exact and not cell.errs and covers > HIGHEST + error(HIGHEST):
        out.append(f"covers {covers:.1%}, at most {HIGHEST:.0%} wanted")
    return out


def run(only: str, studies: int) -> dict[str, dict[str, Any]]:
    """Every cell's row by its name, printed as it comes."""
    rows = {}
    for number, cell in enumerate(cells()):
        if only not in cell.statement:
            continue
        began = time.perf_counter()
        row = count(cell, studies // 5 if cell.costly else studies, number)
        row = {"statement": cell.statement, "setting": cell.setting, "exact": cell.exact,
               "errs": cell.errs, **row, "faults": faults(cell, row)}  # fmt: skip
        rows[f"{cell.statement}: {cell.setting}"] = row
        covers = "not shown" if row["covers"] is None else f"{row['covers']:.1%}"
        shown, seconds = row["shown"] / row["studies"], time.perf_counter() - began
        told = f"{cell.statement:36}{cell.setting:72}{covers:>10} {shown:6.0%} {seconds:6.1f} s"
        print(f"{told}  {'; '.join(row['faults'])}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", default="", help="statements that have this word")
    parser.add_argument("--out", type=Path, default=RESULTS / "coverage.json")
    options = parser.parse_args()
    rows = run(options.only, options.studies)
    if options.only and options.out.is_file():
        told = json.loads(options.out.read_text(encoding="utf-8"))
        if told["studies"] == options.studies:
            known = told["rows"] | rows
            names = [f"{c.statement}: {c.setting}" for c in cells()]
            rows = {name: known[name] for name in names if name in known}
    facts = {
        "command": f"python benchmarks/coverage.py --studies {options.studies}",
        "studies": options.studies, "lowest": LOWEST, "highest": HIGHEST, "errs": ERRS,
    }  # fmt: skip
    write("coverage", rows, facts, options.out)


if __name__ == "__main__":
    main()
