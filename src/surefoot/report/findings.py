"""What the numbers say, in sentences chosen by rule. No torch here.

The rules: a difference is "better" or "worse" only where its one interval, over units and seeds,
leaves out zero (:func:`surefoot.stats.compare`) after Holm's adjustment for all that are shown;
otherwise it is called not significant. What the comparisons cannot tell stands below them. The
oracle is never quoted. The alpha that is quoted is the one fixed beforehand, else the one chosen
on ID validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..stats import Comparison, holm
from .names import base_of, group_label, metric_name, points, signed
from .paired import Pairing
from .same_images import different_images
from .view import MEAN, Entry, View

__all__ = ["Finding", "Findings", "findings", "said"]

_QUOTED = ("fixed", "id_val", "one_se")


@dataclass(frozen=True)
class Finding:
    """One sentence about two rows.

    Attributes:
        better: The row that is compared, in short.
        other: The row that it is compared with.
        about: The method whose path this is, where ``better`` does not say.
        hue: Colour number of the first.
        shift: The difference under shift, if it could be had.
        inside: The difference on ID.
        sentence: For people.
    """

    better: str
    other: str
    about: str
    hue: int
    shift: Comparison | None
    inside: Comparison | None
    sentence: str


@dataclass(frozen=True)
class Findings:
    """The top of a report.

    Attributes:
        headline: One sentence.
        items: Comparisons, the most important first.
        caveats: What keeps the reader from believing too much.
    """

    headline: str
    items: tuple[Finding, ...]
    caveats: tuple[str, ...]


def said(d: Comparison, unit: str = "") -> str:
    """A difference with its interval and verdict, as in "+3.1 points (95 % CI 1.2 to 5.0)".

    Args:
        d: The comparison.
        unit: What hangs together; "" where images are the units.
    """
    words = f"{signed(d.difference)} points (no interval: {d.interval.reason}"
    if d.interval:
        ends = f"{signed(d.interval.low)} to {signed(d.interval.high)}"
        over = f" over {d.units} {unit}s" if unit and not d.images_are_units else ""
        words = f"{signed(d.difference)} points (95 % CI {ends}{over}"
    if d.seeds > 1:
        words += f"; {d.seeds} seeds {signed(min(d.per_seed))} to {signed(max(d.per_seed))}"
    if d.better:
        return words + ")"
    apart = d.interval and not d.interval.low <= 0 <= d.interval.high
    return words + (
        "; not significant among all that are shown)" if apart else "; not significant)"
    )


def findings(view: View, pairing: Pairing) -> Findings:
    """Headline, comparisons and caveats of a study.

    What is called better or worse is adjusted for all comparisons that are shown (Holm).
    """
    pairs, home = _pairs(view), view.id_split.name if view.id_split else None
    asked = [(a, b, column) for a, b in pairs for column in (MEAN, home) if column is not None]
    found = {(a.key, b.key, column): d for a, b, column in asked
             if (d := pairing.difference(a, b, column)) is not None}  # fmt: skip
    adjusted = holm([d.p for d in found.values()]).tolist()
    told = {key: replace(d, p=p) for (key, d), p in zip(found.items(), adjusted, strict=True)}
    unit = pairing.unit_name()
    items = []
    for a, b in pairs:
        both = [told.get((a.key, b.key, column or "")) for column in (MEAN, home)]
        finding = _compare(view, unit, a, b, both)
        items += [] if finding is None else [finding]
    headline = _headline(view, items[0] if items else None)
    return Findings(headline, tuple(items), tuple(_caveats(view, items)))


def _main_group(view: View) -> str | None:
    """The group in the headline: the study's choice, else fine-tuning, else the first path."""
    groups = [p.group for p in view.paths] or [e.group for e in view.entries]
    wanted = [str(view.facts.get("headline_method") or "ft"), "ft", "lp-ft", "lp"]
    for name in wanted:
        for g in groups:
            if g == name or base_of(g) == name:
                return g
    return groups[0] if groups else None


def _quoted(view: View, group: str) -> Entry | None:
    """The point on a path that a sentence may quote."""
    for rule in _QUOTED:
        found = view.entry(group, rule)
        if found is not None and not found.oracle:
            return found
    return None


def _pairs(view: View) -> list[tuple[Entry, Entry]]:
    """Which rows are compared, the most important first."""
    group = _main_group(view)
    if group is None:
        return []
    tuned, point = view.entry(group), _quoted(view, group)
    start = view.start_of(group)
    probe_tuned = next(
        (e for e in view.entries if base_of(e.group) == "lp-ft" and not e.rules), None
    )
    pairs = [(point, tuned), (tuned, start), (point, start)]
    if probe_tuned is not None and probe_tuned.group != group:
        pairs.append((probe_tuned, tuned))
    return [(a, b) for a, b in pairs if a is not None and b is not None and a.key != b.key]


def _compare(
    view: View, unit: str, a: Entry, b: Entry, found: Sequence[Comparison | None]
) -> Finding | None:
    """One sentence on two rows; None where nothing can be paired."""
    (shift, inside), parts = found, []
    if shift is not None:
        over = f" (mean of {len(view.shifts)} shifts)" if len(view.shifts) > 1 else ""
        parts.append(f"{said(shift, unit)} under shift{over}")
    if inside is not None and view.id_split is not None:
        parts.append(f"{said(inside, unit)} on ID {view.id_split.name}")
    if not parts:
        return None
    first = parts[0][0].upper() + parts[0][1:]
    about = "" if not a.rules or a.group == b.group else group_label(a.group)
    return Finding(
        a.short, b.short, about, a.hue, shift, inside, "; ".join([first, *parts[1:]]) + "."
    )


def _headline(view: View, first: Finding | None) -> str:
    """One sentence for the top, from the first comparison; else the best plain number."""
    if first is None:
        return _plain(view)
    a, b = first.better + (f" of {first.about}" if first.about else ""), first.other
    table = {
        (1, 1): "{a} is better than {b} under shift and on ID.",
        (1, 0): "{a} is better than {b} under shift, with no significant change on ID.",
        (1, -1): "{a} is better than {b} under shift and worse on ID.",
        (0, 1): "{a} is better than {b} on ID; under shift there is no significant difference.",
        (0, 0): "No significant difference between {a} and {b}, under shift or on ID.",
        (0, -1): "{a} is worse than {b} on ID; under shift there is no significant difference.",
        (-1, 1): "{a} is worse than {b} under shift and better on ID.",
        (-1, 0): "{a} is worse than {b} under shift, with no significant change on ID.",
        (-1, -1): "{a} is worse than {b} under shift and on ID.",
    }
    only = {
        1: "{a} is better than {b} {where}.",
        -1: "{a} is worse than {b} {where}.",
        0: "No significant difference between {a} and {b} {where}.",
    }
    if first.shift is None:
        words = only[0 if first.inside is None else first.inside.better].replace("{where}", "on ID")
    elif first.inside is None:
        words = only[first.shift.better].replace("{where}", "under shift")
    else:
        words = table[first.shift.better, first.inside.better]
    one = any(d.seeds == 1 and d.better for d in (first.shift, first.inside) if d is not None)
    words = f"With one seed, {words[0].lower()}{words[1:]}" if one else words
    return words.replace("{a}", a).replace("{b}", b)


def _plain(view: View) -> str:
    """Where nothing can be compared: what the last row reached."""
    if not view.entries:
        return "No scores yet."
    e = next((e for e in reversed(view.entries) if not e.rules), view.entries[0])
    parts = []
    for split, where in (
        (view.id_split.name if view.id_split else None, "on ID"),
        (MEAN, "under shift"),
    ):
        cell = e.cells.get(split) if split else None
        if cell is not None:
            parts.append(f"{points(cell.value)} % {where}")
    measure = metric_name(view.id_split.metric) if view.id_split else "accuracy"
    return f"{e.label}: {measure} {' and '.join(parts)}." if parts else f"{e.label}: no scores."


def _caveats(view: View, items: Sequence[Finding]) -> list[str]:
    """What the reader should know before believing."""
    out = []
    states = {r.status for r in view.runs}
    if "trial" in states:
        out.append("A trial: only part of the data was used, as the recipe's limits say.")
    if states & {"interrupted", "running"}:
        out.append("Not every run finished: numbers of unfinished runs may change or be missing.")
    trained = any(base_of(e.group) != "zero-shot" for e in view.entries)
    if trained and len(view.seeds) < 2:
        out.append(
            "One seed: how much another training would differ is not known; the intervals, and "
            "what is called better, are about these trained models on other images."
        )
    out += _chosen_on_test(view) + _failed(view) + _few_to_choose_on(view)
    shown = [d for f in items for d in (f.shift, f.inside) if d is not None]
    told = dict.fromkeys(words for d in shown for words in d.limits)
    one_seed = any(words.startswith("One seed") for words in out)
    out += [words for words in told if not (one_seed and words.startswith("One seed"))]
    out += different_images(view)
    made = [s.name for s in view.shifts if s.synthetic]
    if made and len(made) == len(view.shifts):
        out.append("Every shift is synthetic: distortions made by a program, not found in nature.")
    elif len(made) > 4:
        out.append(
            f"{len(made)} of {len(view.shifts)} shifts are synthetic: distortions made by "
            "a program; the table marks them."
        )
    elif made:
        out.append(f"Synthetic shifts, made by a program: {', '.join(made)}.")
    if view.entries and not view.shifts:
        out.append("No shifted test set: nothing is said about robustness.")
    return out


def _chosen_on_test(view: View) -> list[str]:
    """Validation that is made of test images: no choice on it is worth anything."""
    facts = [view.facts, *(run.facts for run in view.runs)]
    kept = [f["inventory"] for f in facts if isinstance(f.get("inventory"), dict)]
    notes = [note for one in kept[:1] for note in one.get("shared", [])]
    said = [str(n["text"]) for n in notes if n["kind"] == "chosen on test"]
    return [f"{note.removeprefix('WARNING: ')}." for note in said]


def _failed(view: View) -> list[str]:
    """Members of a study that failed while the others went on."""
    failed = view.facts.get("failed")
    rows = failed.items() if isinstance(failed, dict) else ()
    return [f"FAILED, and not in the table: {name} ({why})." for name, why in rows]


_FEW = 100
"""Images of ID validation below which one image is a point or more."""


def _few_to_choose_on(view: View) -> list[str]:
    """Whether alpha was chosen on so few images that the choice is largely chance."""
    val = view.split("val")
    chosen = any(s.rule in ("id_val", "one_se") for _, _, s in view.selections)
    if val is None or not chosen or not 0 < val.n < _FEW:
        return []
    return [
        f"ID validation holds {val.n} images only, each {100 / val.n:.1f} points: what is chosen "
        "on it is uncertain. A larger validation set would help."
    ]
