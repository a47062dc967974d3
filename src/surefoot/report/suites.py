"""A paper's headline from runs: means over its data sets, and what is missing for them. No torch.

A mean is given only over what was measured; where a set is missing it is named, and the mean is
that of the others for every method alike, so that two means are always over the same sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..errors import UnknownName
from ..published import Published, SuiteSet, column_of, models, numbers, suites
from ..registry import nearest
from ..runs import Study
from .measured import Measured, measured, over_seeds

__all__ = ["Arm", "Headline", "Mean", "headline", "headline_lines", "published_means"]


@dataclass(frozen=True)
class Arm:
    """One of the methods that a headline speaks of.

    Attributes:
        name: For people.
        label: Of our method.
        stage: "start", "end" or "mixed".
        selection: How alpha is chosen, for "mixed".
    """

    name: str
    label: str
    stage: str = "end"
    selection: str = ""

    def is_of(self, cell: Measured) -> bool:
        """Does a measured cell belong to this arm?"""
        if cell.evaluator != "head":
            return False
        if self.stage == "start":
            return cell.stage == "start" or cell.label == "Zero-shot"
        same = cell.label == self.label and cell.stage == self.stage
        half = self.selection != "fixed" or cell.alpha == 0.5
        return same and half and (not self.selection or cell.selection == self.selection)


@dataclass(frozen=True)
class Mean:
    """Means of one arm.

    Attributes:
        arm: The method.
        values: "ID" and "OOD" -> (mean in points, its standard error), where there is one.
    """

    arm: Arm
    values: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Headline:
    """What the runs say in a paper's own summary.

    Attributes:
        suite: "lp-ft", "wise-ft" or "flyp".
        means: One per arm that was measured at all.
        used: Domain -> names of the sets that every mean is over.
        missing: Domain -> names of sets that some arm lacks.
        toy: "" or why these are no numbers of the paper's data.
        sentences: The headline.
        models: Pretrained models of the runs, as recipes name them.
    """

    suite: str
    means: tuple[Mean, ...]
    used: dict[str, tuple[str, ...]]
    missing: dict[str, tuple[str, ...]]
    toy: str
    sentences: tuple[str, ...]
    models: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "suite": self.suite,
            "means": {m.arm.name: {d: v[0] for d, v in m.values.items()} for m in self.means},
            "used": {d: list(v) for d, v in self.used.items()},
            "missing": {d: list(v) for d, v in self.missing.items()},
            "toy": self.toy,
            "sentences": list(self.sentences),
        }


_ARMS: dict[str, tuple[Arm, ...]] = {
    "wise-ft": (
        Arm("FT", "FT"),
        Arm("Zero-shot", "Zero-shot", "start"),
        Arm("WiSE-FT, α = 0.5", "FT", "mixed", "fixed"),
        Arm("WiSE-FT, α by ID validation", "FT", "mixed", "id_val"),
    ),
    "lp-ft": (Arm("FT", "FT (random head)"), Arm("LP", "LP"), Arm("LP-FT", "LP-FT")),
    "flyp": (
        Arm("FT", "FT"),
        Arm("LP-FT", "LP-FT"),
        Arm("FLYP", "FLYP"),
        Arm("FLYP with WiSE, α by ID validation", "FLYP", "mixed", "id_val"),
    ),
}
"""The first arm is what the others are held against."""


def headline(study: Study, suite: str) -> Headline:
    """Average the runs of a study over a paper's data sets.

    Args:
        study: Runs on any of the suite's data sets, of any of its methods.
        suite: "lp-ft", "wise-ft" or "flyp".

    Raises:
        UnknownName: No such suite.
    """
    if suite not in suites():
        raise UnknownName("suite", suite, list(suites()), nearest(suite, list(suites())))
    cells = measured(study)
    sets = suites()[suite]
    table = {
        arm: {one: found for one in sets if (found := _of_set(cells, arm, one)) is not None}
        for arm in _ARMS[suite]
    }
    table = {arm: row for arm, row in table.items() if row}
    used: dict[str, tuple[str, ...]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    kept: list[SuiteSet] = []
    for domain in ("ID", "OOD"):
        mine = [s for s in sets if s.domain == domain]
        common = [s for s in mine if table and all(s in row for row in table.values())]
        used[domain] = tuple(s.name for s in common)
        missing[domain] = tuple(s.name for s in mine if s not in common)
        kept += common
    means = tuple(Mean(arm, _means(row, kept)) for arm, row in table.items())
    toy = next((c.toy for c in cells if c.toy), "")
    said = _sentences(suite, means, used, missing)
    used_models = tuple(dict.fromkeys(c.model for c in cells))
    return Headline(suite, means, used, missing, toy, said, used_models)


def _of_set(cells: Sequence[Measured], arm: Arm, one: SuiteSet) -> tuple[float, float] | None:
    """The number of one arm on one set, in points, with its error; None where a part is missing."""
    parts = []
    for data in one.data:
        names = {data, data.partition(":")[0]} if _is_default(data) else {data}
        found = [
            c
            for c in cells
            if arm.is_of(c)
            and c.data in names
            and c.metric.partition("!")[0] == one.metric.partition("!")[0]
            and c.train.partition(":")[0] == one.train
            and (c.few_shot is None or c.stage == "start")
        ]
        if not found:
            return None
        found = [c for c in found if c.model == found[0].model]
        parts.append(over_seeds(list({c.run: c for c in found}.values())))
    return _mean(parts)


def _is_default(data: str) -> bool:
    """Splits that the bare name of a data set means as well."""
    return data in ("imagenet:val", "cifar10:test", "stl10:test", "cars:test")


def _mean(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    n = len(parts)
    return sum(p[0] for p in parts) / n, math.sqrt(sum(p[1] ** 2 for p in parts)) / n


def _means(
    row: dict[SuiteSet, tuple[float, float]], kept: Sequence[SuiteSet]
) -> dict[str, tuple[float, float]]:
    out = {}
    for domain in ("ID", "OOD"):
        parts = [row[s] for s in kept if s.domain == domain]
        if parts:
            out[domain] = _mean(parts)
    return out


def _sentences(
    suite: str,
    means: Sequence[Mean],
    used: dict[str, tuple[str, ...]],
    missing: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """What the means are over, then every arm against the suite's first."""
    if not means:
        return ("no run is of this suite's methods and data sets",)
    out = []
    for domain in ("ID", "OOD"):
        count = len(used[domain]) + len(missing[domain])
        lacks = f"; missing: {', '.join(missing[domain])}" if missing[domain] else ""
        out.append(f"{domain}: means over {len(used[domain])} of {count} sets{lacks}")
    base = next((m for m in means if m.arm == _ARMS[suite][0]), None)
    for other in means:
        if base is None or other is base:
            continue
        gaps = [
            f"{d} {other.values[d][0] - base.values[d][0]:+.1f}"
            for d in ("ID", "OOD")
            if d in base.values and d in other.values
        ]
        if gaps:
            out.append(f"{other.arm.name} against {base.arm.name}: {', '.join(gaps)} points")
    return tuple(out)


def headline_lines(found: Headline) -> list[str]:
    """Text for a terminal; the published means over the same sets below ours."""
    out = [f"suite {found.suite}" + (f" ({found.toy})" if found.toy else "")]
    width = max((len(m.arm.name) for m in found.means), default=0)
    for m in found.means:
        shown = "  ".join(f"{d} {v:.1f} ± {se:.1f}" for d, (v, se) in m.values.items())
        out.append(f"  {m.arm.name:<{width}}  {shown or 'no set that every method has'}")
    out += [f"  {line}" for line in found.sentences]
    out += [f"  {line}" for line in published_means(found)]
    return out


_PAPER = {
    "wise-ft": ("2109.01903", {"ID": "", "OOD": ""}),
    "lp-ft": ("2202.10054", {"ID": "ID", "OOD": "OOD"}),
    "flyp": ("2212.00638", {"ID": "no ensembling", "OOD": "no ensembling"}),
}


def published_means(found: Headline) -> list[str]:
    """The paper's means over the sets that ours are over, where all of them are transcribed.

    A mean that the paper prints is taken as printed: where alpha was chosen on the test sets, that
    of the columns is another number. Only rows of the runs' own encoders, where there are any.
    """
    paper, settings = _PAPER[found.suite]
    mine = [n for n in numbers() if paper in n.paper]
    joined = found.suite == "lp-ft"  # its tables differ in how they name the encoders
    rows = dict.fromkeys(("" if joined else n.model, n.method) for n in mine)
    own = [row for row in rows if _is_own(row[0], found.models)]
    out = []
    for model, method in own or rows:
        said = []
        for domain, names in found.used.items():
            row = [n for n in mine if (n.method, n.setting) == (method, settings[domain])
                   and (joined or n.model == model)]  # fmt: skip
            value = _printed_mean(row, names)
            if value is not None:
                said.append(f"{domain} {value:.1f}")
        if said:
            oracle = " [oracle: alpha chosen on the test sets]" if method in _ORACLES else ""
            out.append(f"published: {' of '.join(filter(None, (method, model)))}{oracle}: "
                       f"{', '.join(said)}")  # fmt: skip
    return out


_ORACLES = frozenset(n.method for n in numbers() if n.oracle)


def _is_own(model: str, ours: Sequence[str]) -> bool:
    return any(fnmatchcase(one, spec) for spec in models().get(model, ()) for one in ours)


def _printed_mean(row: Sequence[Published], names: Sequence[str]) -> float | None:
    """The mean over the columns ``names`` of one row of a table, as printed if it is there."""
    for n in row:
        if names and set(column_of(n).mean_of) == set(names):
            return n.value
    values = {n.column: n.value for n in row if n.column in names}
    return sum(values.values()) / len(values) if names and len(values) == len(names) else None
