"""Which models could be shipped, and how they stand on ID validation. No torch here.

A candidate is the pretrained model, or a method at the alpha that ID validation chose. All pairs
are tested on the same validation images, Holm over all of them; rows on other images, and those of
unfinished runs, do not compete. No test set is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..runs import Run
from ..stats import Interval, Ranking
from .names import base_of, group_label, shown_alpha
from .paired import Pairing
from .view import Entry, View

__all__ = ["Candidate", "Choice", "Gap", "choose", "name_of"]

RULES = ("id_val", "one_se", "fixed")
"""By which alpha is taken, the first that the run used; never the oracle."""

Verdict = Literal["chosen", "tied", "behind", "untested"]


@dataclass(frozen=True)
class Gap:
    """A candidate minus the chosen one, on ID validation.

    Attributes:
        value: Fraction.
        interval: Of this difference alone.
        p: Adjusted for all pairs (Holm).
    """

    value: float
    interval: Interval
    p: float


@dataclass(frozen=True)
class Candidate:
    """A model that could be shipped.

    Attributes:
        entry: Its row of the report.
        name: For people: "LP-FT at α = 0.5".
        value: On ID validation, the mean over seeds.
        verdict: "chosen"; "tied": cannot be told from the chosen one; "behind": worse than it;
            "untested": its validation predictions were not kept.
        gap: It minus the chosen one, on ID validation.
    """

    entry: Entry
    name: str
    value: float
    verdict: Verdict = "untested"
    gap: Gap | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Choice:
    """What ID validation puts first.

    Attributes:
        best: The candidate to ship.
        run: Its run; of several seeds the one that is best on ID validation.
        alpha: Of that run; None off a path.
        rule: By which alpha was chosen; "end" off a path.
        candidates: All that compete, the best first.
        strangers: Names of those that do not compete, and why.
        tests: How many pairs were tested.
        limits: What the tests cannot tell, in sentences.
    """

    best: Candidate
    run: Run
    alpha: float | None
    rule: str
    candidates: tuple[Candidate, ...]
    strangers: tuple[tuple[str, str], ...]
    tests: int
    limits: tuple[str, ...]


def choose(view: View, pairing: Pairing) -> Choice | None:
    """The candidates of a study in their order on ID validation; None where none was scored."""
    found = [e for e in _entries(view) if "val" in e.cells and e.sources.get("val")]
    strangers = [(name_of(view, e), "its run is not finished") for e in found if not _done(e)]
    found = [e for e in found if _done(e)]
    starts = [e for e in found if base_of(e.group) != "zero-shot" and e.alphas() == (0.0,)
              and view.start_of(e.group) in found]  # fmt: skip
    strangers += [(name_of(view, e), "that is the pretrained model itself") for e in starts]
    found = [e for e in found if e not in starts]
    less = bool(view.less("val"))
    ranked = pairing.ranking(found, "val")
    inside = {key for pair in ranked.pairs for key in pair} if ranked is not None else set()
    others = [e for e in found if inside and e.key not in inside and _kept(view, e)]
    strangers += [(name_of(view, e), "it was validated on other images") for e in others]
    found = [e for e in found if e not in others]
    if not found:
        return None
    candidates = _judged(view, found, ranked, -1 if less else 1)
    best = candidates[0].entry
    run, alpha = _seed_to_ship(best, -1 if less else 1)
    rule = next((r for r in RULES if r in best.rules), "end")
    return Choice(candidates[0], run, alpha, rule, candidates, tuple(strangers),
                  len(ranked.pairs) if ranked else 0, _limits(ranked, best.key))  # fmt: skip


def name_of(view: View, e: Entry) -> str:
    """A row by its method and alpha: "LP-FT at α = 0.5"."""
    label = group_label(e.group)
    if e.rules and any(p.group == e.group for p in view.paths):
        return f"{label} at {shown_alpha(e.alphas())}"
    return e.label if base_of(e.group) == "zero-shot" else label


def _entries(view: View) -> list[Entry]:
    """The pretrained model, then every method: at the alpha that was chosen, else as it ended."""
    swept = {p.group for p in view.paths}
    out = []
    for group in dict.fromkeys(e.group for e in view.entries):
        chosen = [view.entry(group, rule) for rule in RULES if group in swept]
        e = next((e for e in chosen if e is not None and not e.oracle), view.entry(group))
        if e is not None and (base_of(group) != "zero-shot" or _is_pretrained(e)):
            out.append(e)
    return out


def _is_pretrained(e: Entry) -> bool:
    """The pretrained model as it is; the start of a path whose head was tuned is another."""
    return not e.label.startswith("Start of")


def _kept(view: View, e: Entry) -> bool:
    """Whether its answers on ID validation can be compared with anything."""
    seeds = view.kept.seeds(e.sources["val"], "val")
    return any(a.numbers is not None for a in seeds.values())


def _done(e: Entry) -> bool:
    return all(run.done for run, _ in e.sources.get("val", ()))


def _judged(
    view: View, found: Sequence[Entry], ranked: Ranking | None, turn: int
) -> tuple[Candidate, ...]:
    """Every candidate with its verdict, the best first; of equals the first as they stand."""
    value = {e.key: e.cells["val"].value for e in found}
    order = sorted(found, key=lambda e: -turn * value[e.key])
    best = order[0].key
    out = []
    for e in order:
        gap = _between(ranked, e.key, best) if ranked is not None else None
        verdict: Verdict = "chosen" if e.key == best else "untested"
        if gap is not None and ranked is not None:
            verdict = "behind" if ranked.better(best, e.key) > 0 else "tied"
        out.append(Candidate(e, name_of(view, e), value[e.key], verdict, gap))
    return tuple(out)


def _limits(ranked: Ranking | None, best: str) -> tuple[str, ...]:
    """What no test of the best can tell: of seeds, of units."""
    pairs = ranked.pairs.items() if ranked is not None else ()
    said = [found.limits for key, found in pairs if best in key]
    return tuple(s for s in (said[0] if said else ()) if all(s in other for other in said))


def _between(ranked: Ranking, a: str, b: str) -> Gap | None:
    """What was found of two of them, a minus b."""
    key, turn = ((a, b), 1) if (a, b) in ranked.pairs else ((b, a), -1)
    if key not in ranked.pairs:
        return None
    found = ranked.pairs[key]
    low, high = (found.interval.low, found.interval.high)[::turn]
    interval = replace(found.interval, low=turn * low, high=turn * high)
    return Gap(turn * found.difference + 0.0, interval, ranked.p[key])


def _seed_to_ship(e: Entry, turn: int) -> tuple[Run, float | None]:
    """Of several seeds the one that is best on ID validation; the first of equals."""
    values = [turn * value for _, value in e.cells["val"].seeds]
    return e.sources["val"][int(np.argmax(values))]
