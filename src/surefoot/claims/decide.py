"""From stored predictions to verdicts: paired intervals over seeds and units, Holm over claims.

The rules, fixed before the study: a part is tested one-sided at half of 1 - level (so that it
agrees with the two-sided interval); a claim needs all of its parts, so its p is the largest
(intersection-union); it is contradicted where a part is significantly the other way round, its p
for that being the smallest times the number of parts (Bonferroni). Both families of p values are
adjusted over all cells of claim and data set (Holm 1979). A claim is about methods: one seed
decides nothing (:func:`surefoot.stats.compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import RunError
from ..predictions import Predictions
from ..runs import Run
from ..stats import Comparison, compare, holm
from .cells import cell
from .elsewhere import Elsewhere
from .plan import Plan
from .statements import CLAIMS, Claim, Part, Side

__all__ = ["Answers", "Verdict", "decide"]

Verdict = Literal["holds", "does not hold", "not significant", "not decided", "does not apply"]


@dataclass(frozen=True)
class Answers:
    """Reads what a study's models answered.

    Attributes:
        out: Folder of the study.
        set_name: Its part.
        seeds: Of the plan.
        far: Shifts that count as large.
        evaluator: "head" or "knn".
    """

    out: Path
    set_name: str
    seeds: tuple[int, ...]
    far: tuple[str, ...] = ()
    evaluator: str = "head"

    def run(self, entrant: str, seed: int) -> Run:
        """The run folder of one method and seed."""
        return Run.open(cell(self.out, self.set_name, entrant, seed))

    def splits(self, entrant: str, on: str) -> tuple[str, ...]:
        """Names of the splits that a part is asked on."""
        if on == "test":
            return ("test",)
        if on == "far":
            return self.far
        facts = self.run(entrant, self.seeds[0]).facts["task"]["splits"]
        return tuple(name for name, s in facts.items() if s["domain"] == "OOD")

    def alpha(self, side: Side, seed: int) -> float:
        """The point on the path that a side picks."""
        if side.pick == "id_val":
            chosen = {s.rule: s.alpha for s in self.run(side.entrant, seed).selections()}
            return chosen["id_val"]
        return {"start": 0.0, "half": 0.5, "end": 1.0}[side.pick]

    def predictions(self, side: Side, seed: int, split: str) -> Predictions:
        """What a side's model of one seed said about one split.

        Raises:
            RunError: It was not kept.
        """
        alpha = self.alpha(side, seed)
        found = self.run(side.entrant, seed).predictions(split, alpha, self.evaluator)
        if found is None:
            raise RunError(
                f"{self.set_name}/{side.entrant}/s{seed} holds no predictions on {split!r} at "
                f"alpha {alpha:g}",
                expected="a finished cell of the study",
                fix="run `surefoot claims` on the same folder to the end",
            )
        return found

    def every_seed(self, side: Side, split: str) -> tuple[Predictions, ...]:
        """What the models of all seeds said, about the same images.

        Raises:
            RunError: It was not kept, or the images are not the same.
        """
        found = tuple(self.predictions(side, seed, split) for seed in self.seeds)
        if not all(p.same_images(found[0]) for p in found):
            raise RunError(f"models of {side.entrant} were asked other images of {split!r}")
        return found

    def compare(self, part: Part) -> Comparison:
        """One comparison over all seeds and units.

        Raises:
            RunError: As :meth:`every_seed`; or both sides were asked other images.
        """
        sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        units = {}
        for split in self.splits(part.a.entrant, part.on):
            a, b = (self.every_seed(side, split) for side in (part.a, part.b))
            if not a[0].same_images(b[0]):
                raise RunError(f"two models were asked other images of {split!r}")
            units[split] = a[0].units()
            for side, said in zip(sides, (a, b), strict=True):
                side[split] = np.stack([p.correct() for p in said])
        return compare(*sides, units, about="methods")


def decide(
    plan: Plan,
    answers: Callable[[str], Answers | None],
    claims: Sequence[Claim] = CLAIMS,
    elsewhere: Elsewhere = Elsewhere(),  # noqa: B008 - frozen
) -> list[dict[str, Any]]:
    """Every claim on every data set.

    Args:
        plan: Level, margin, size.
        answers: Name of a part of the study -> its answers, or None where it was not run.
        claims: The claims.
        elsewhere: Answers of other machines, for parts that were not run here.

    Returns:
        One row per claim and data set: number, text, set, verdict, p (Holm-adjusted, for and
        against), parts with difference, interval and p.
    """
    rows = [
        _row(plan, claim, name, answers, elsewhere) for claim in claims for name in _sets(claim)
    ]
    tested = [r for r in rows if "p" in r]
    level = (1 - plan.level) / 2
    for name in ("p", "p_against"):
        for row, adjusted in zip(tested, holm([r[name] for r in tested]), strict=True):
            row[f"{name}_holm"] = float(adjusted)
    for row in tested:
        row["verdict"] = _verdict(row, level) if plan.size == "full" else "not decided"
    return rows


def _sets(claim: Claim) -> list[str]:
    return [*claim.parts, *claim.why_not]


def _verdict(row: dict[str, Any], level: float) -> Verdict:
    if row["p_holm"] <= level:
        return "holds"
    return "does not hold" if row["p_against_holm"] <= level else "not significant"


def _row(
    plan: Plan,
    claim: Claim,
    name: str,
    answers: Callable[[str], Answers | None],
    elsewhere: Elsewhere,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": claim.number,
        "text": claim.text,
        "source": claim.source,
        "set": name,
    }
    if name in claim.why_not:
        return {**row, "verdict": "does not apply", "why": claim.why_not[name], "parts": []}
    found = answers(name)
    if found is None:
        known = elsewhere.row(claim.number, name)
        if known is not None:
            return row | {k: known[k] for k in ("parts", "p", "p_against")}
        return {**row, "verdict": "not decided", "why": "this part was not run", "parts": []}
    parts = [_part(plan, part, found.compare(part)) for part in claim.parts[name]]
    counted = [p for p in parts if p["counts"]]
    row["parts"] = parts
    row["p"] = max(p["p"] for p in counted)
    row["p_against"] = min(1.0, len(counted) * min(p["p_against"] for p in counted))
    return row


def _part(plan: Plan, part: Part, found: Comparison) -> dict[str, Any]:
    bound = -plan.margin if part.not_worse else 0.0
    return {
        "text": part.text,
        "a": {"entrant": part.a.entrant, "pick": part.a.pick},
        "b": {"entrant": part.b.entrant, "pick": part.b.pick},
        "on": part.on,
        "bound": bound,
        "counts": part.counts,
        "difference": found.difference,
        "low": found.interval.low if found.interval else None,
        "high": found.interval.high if found.interval else None,
        "units": found.units,
        "limits": list(found.limits),
        "p": found.p_above(bound),
        "p_against": found.p_below(bound),
        "per_seed": list(found.per_seed),
    }
