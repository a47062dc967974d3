"""Measured beside published: *matches*, *differs by*, *not comparable* and why. No torch here.

A number matches where it is within the larger of the printed number's rounding and two standard
errors of ours, and ours is known to half a point or better; and only where the protocols agree:
the same pretrained model, training data, test data (whole), metric, prompts and way of choosing
alpha. A number whose alpha was chosen on the test set (an oracle) is never called a match.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from ..published import Column, Published, column_of, models, numbers
from ..runs import Study
from .measured import Measured, measured, over_seeds, rescored
from .published_rows import RowMeant, rows_meant

__all__ = ["Comparison", "comparison_lines", "own_encoders", "vs_published"]

Verdict = Literal["matches", "differs", "not comparable"]

_TOO_FEW, _IN_PART = "too few images", " (in a part of the mean)"

LARGEST_SE = 0.5
"""Points; with a larger standard error two numbers cannot be told apart, so none matches."""


@dataclass(frozen=True)
class Comparison:
    """One published number and what was measured for it.

    Attributes:
        published: The paper's.
        value: Measured, in points, over seeds.
        se: Standard error of that.
        runs: Folders that it comes from.
        verdict: What may be said.
        why: Why it is not comparable; or by how much it differs.
        own: Is the paper's encoder the one that was measured?
    """

    published: Published
    value: float
    se: float
    runs: tuple[str, ...]
    verdict: Verdict
    why: str
    own: bool = True

    def to_json(self) -> dict[str, Any]:
        """One JSON row."""
        p = self.published
        return {
            "paper": p.paper, "table": p.table, "model": p.model, "method": p.method,
            "setting": p.setting, "column": p.column, "published": p.value,
            "provenance": p.provenance, "measured": self.value,
            "se": None if math.isnan(self.se) else self.se, "runs": list(self.runs),
            "verdict": self.verdict, "why": self.why,
        }  # fmt: skip


def vs_published(study: Study, *, paper: str | None = None) -> list[Comparison]:
    """Every published number that some run of a study measured something for.

    Args:
        study: One or more runs.
        paper: Only of this paper: "WiSE-FT", "2109.01903".
    """
    cells = measured(study)
    rows = []
    for number in numbers():
        if paper is not None and paper not in (number.paper, *number.paper.split(" ")):
            continue
        for reading in rows_meant(number):
            found = _for_number(number, reading, cells)
            if found is not None:
                rows.append(found)
                break
    return rows


def own_encoders(rows: Sequence[Comparison]) -> tuple[list[Comparison], int]:
    """Without a paper's rows of other encoders, where it has rows of the runs' own.

    Returns:
        The rows that are left, and how many were left out.
    """
    own = {r.published.paper for r in rows if r.own}
    kept = [r for r in rows if r.own or r.published.paper not in own]
    return kept, len(rows) - len(kept)


def _for_number(
    number: Published, reading: RowMeant, cells: Sequence[Measured]
) -> Comparison | None:
    column = column_of(number)
    if column.mean_of:
        return _mean(number, reading, column, cells)
    mine = [c for c in cells if reading.is_of(c)]
    parts = [_of_one(_fitting(number, column, mine), specs, column.metric) for specs in column.sets]
    if not all(parts):
        return None
    found = [over_seeds(part) for part in parts]
    value = sum(v for v, _ in found) / len(found)
    se = math.sqrt(sum(e**2 for _, e in found)) / len(found)
    reasons = (_why_not(number, column, part[0]) for part in parts)
    why = reading.why or next(filter(None, reasons), "")
    runs = tuple(dict.fromkeys(c.run for part in parts for c in part))
    own = all(_same_encoder(number, part[0]) for part in parts)
    return replace(_judged(number, value, se, runs, why), own=own)


def _of_one(cells: Sequence[Measured], specs: Sequence[str], metric: str) -> list[Measured]:
    """What was measured on one set, over seeds; in another metric only where nothing else is."""
    bare = {s.partition(":")[0] for s in specs}
    mine = [c for c in cells if c.data in specs or (":" not in c.data and c.data in bare)]
    same = [c for c in mine if c.metric == metric]
    if not same:
        same = [again for c in mine if (again := rescored(c, metric)) is not None]
    mine = same or mine
    # Runs of several seeds of one model are one number; another model or training is another.
    mine = [c for c in mine if _what(c) == _what(mine[0])]
    return list({c.run: c for c in mine}.values())


def _what(cell: Measured) -> tuple[object, ...]:
    """What must be alike for two cells to be seeds of one thing."""
    return cell.model, cell.train, cell.few_shot, cell.alpha


def _fitting(number: Published, column: Column, cells: Sequence[Measured]) -> list[Measured]:
    """The cells, those of the paper's encoder and training data first."""
    return sorted(cells, key=lambda c: (
        not _same_encoder(number, c), c.train.partition(":")[0] != column.train, _from_few(c),
    ))  # fmt: skip


def _same_encoder(number: Published, cell: Measured) -> bool:
    return any(fnmatchcase(cell.model, s) for s in models().get(number.model, ()))


def _mean(
    number: Published, reading: RowMeant, column: Column, cells: Sequence[Measured]
) -> Comparison | None:
    """A published mean beside the mean of what was measured, if all of it was."""
    parts: list[Comparison] = []
    for name in column.mean_of:
        twin = next(
            (n for n in numbers() if n.column == name and _alike(n, number)), None
        )  # the same row of the same table
        found = _for_number(twin, reading, cells) if twin is not None else None
        if found is None:
            return None
        parts.append(found)
    value = sum(p.value for p in parts) / len(parts)
    se = math.sqrt(sum(p.se**2 for p in parts)) / len(parts)
    # A part that is known to more than half a point may be one of a mean that is known better.
    reasons = [p.why for p in parts
               if p.verdict == "not comparable" and not p.why.startswith(_TOO_FEW)]  # fmt: skip
    in_part = f"{reasons[0].removesuffix(_IN_PART)}{_IN_PART}" if reasons else ""
    why = column.comparable or in_part
    runs = tuple(dict.fromkeys(r for p in parts for r in p.runs))
    own = all(p.own for p in parts)
    return replace(_judged(number, value, se, runs, why), own=own)


def _alike(a: Published, b: Published) -> bool:
    return all(getattr(a, f) == getattr(b, f) for f in ("paper", "table", "model", "method",
                                                        "setting"))  # fmt: skip


def _why_not(number: Published, column: Column, cell: Measured) -> str:
    """Why a number cannot be compared; "" where it can."""
    whole = column.n is None or cell.n == column.n
    prompts = column.templates is None or cell.templates == column.templates
    reasons: Iterable[tuple[bool, str]] = (
        (bool(column.comparable), column.comparable),
        (bool(cell.toy), f"toy data: {cell.toy}"),
        (not _same_encoder(number, cell),
         f"another model: {cell.model}; the paper's is {number.model}"),
        (cell.train.partition(":")[0] != column.train,
         f"tuned on other data: {cell.train}; the paper's is {column.train}"),
        (_from_few(cell),
         f"{cell.few_shot} training images of each class; the paper's number is of all of them"),
        (cell.metric != column.metric,
         f"another metric: {cell.metric}; the paper's is {column.metric}"),
        (not whole, f"the data are not whole: {cell.n} of {column.n} images"),
        (not prompts, f"other prompts: {cell.templates} templates; the paper's "
                      f"{column.templates}"),
        (number.oracle, "the paper chose alpha on the test set (oracle)"),
        (cell.selection == "oracle", "alpha was chosen on the test set (oracle)"),
    )  # fmt: skip
    return next((words for wrong, words in reasons if wrong), "")


def _from_few(cell: Measured) -> bool:
    """Does it rest on a few images of each class? The pretrained end does not, a kNN bank does."""
    return cell.few_shot is not None and (cell.stage != "start" or cell.evaluator == "knn")


def _judged(
    number: Published, value: float, se: float, runs: tuple[str, ...], why: str
) -> Comparison:
    if not why and not se <= LARGEST_SE:
        shown = "unknown" if math.isnan(se) else f"{se:.1f}"
        why = f"{_TOO_FEW}: our standard error is {shown} points, above {LARGEST_SE}"
    if why:
        return Comparison(number, value, se, runs, "not comparable", why)
    gap = value - number.value
    # A hair of room: 81.65 printed as 81.7 lies 0.05 away, and binary numbers add to that.
    if abs(gap) <= max(number.rounding, 2 * se) + 1e-9:
        return Comparison(number, value, se, runs, "matches", "")
    return Comparison(number, value, se, runs, "differs", f"differs by {gap:+.1f}")


def comparison_lines(rows: Sequence[Comparison]) -> list[str]:
    """The comparison as a text table, one paper's table after the other."""
    if not rows:
        return [
            "nothing in these runs was published: no split is a data set of a transcribed table, "
            "or no method is one of its rows"
        ]
    out: list[str] = []
    head = ""
    width = max(len(f"{r.published.method}  {r.published.column}") for r in rows)
    for r in rows:
        p = r.published
        title = ", ".join(filter(None, (p.paper, p.table, p.model, p.setting)))
        if title != head:
            out += ([""] if out else []) + [f"{title} ({p.provenance})"]
            head = title
        said = {"matches": "matches", "differs": r.why}.get(r.verdict, f"not comparable: {r.why}")
        error = "" if math.isnan(r.se) else f" ± {r.se:.2f}"
        name = f"{p.method}  {p.column}"
        out.append(
            f"  {name:<{width}}  published {p.value:.{p.decimals}f}  "
            f"measured {r.value:.2f}{error}  {said}"
        )
    return out
