"""Names for people: methods, rules, metrics; and which colour a method has. No torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..runs import Run

__all__ = [
    "METRICS",
    "RULES",
    "base_of",
    "group_label",
    "hues",
    "metric_name",
    "points",
    "rule_name",
    "run_groups",
    "short_names",
    "shown_alpha",
    "signed",
]

RULES = {
    "fixed": "fixed",
    "id_val": "ID validation",
    "one_se": "one-SE",
    "oracle": "oracle",
    "end": "end",
}

METRICS = {
    "top1": ("accuracy", "share of images whose highest logit is the label's"),
    "macro_f1": ("macro F1", "F1 of each class, averaged over the classes that occur"),
    "per_class": ("mean per-class accuracy", "accuracy of each class, averaged over classes"),
    "worst_group": ("worst-group accuracy", "accuracy in the group where it is lowest"),
    "pm_k": ("pm-k accuracy", "share of anchors right on every frame up to k away"),
    "ece": ("calibration error", "mean gap between confidence and accuracy, 15 bins"),
}

_LABELS = {
    "zero-shot": "Zero-shot",
    "lp": "Linear probe",
    "ft": "Fine-tuned",
    "lp-ft": "LP-FT",
}

_HUES = {"zero-shot": 0, "ft": 1, "lp": 2, "lp-ft": 3}


def short_names(methods: Sequence[str]) -> dict[str, str]:
    """Names of models that stand side by side, without what the others say already.

    "WiSE-FT of FT, α = 0.5" and "wise-ft(ft)" beside "FT" and "ft" become "WiSE-FT".
    """
    out = {}
    mixed = re.compile(r"wise-ft(?:\((?P<a>.+)\)| of (?P<b>.+?)(?:, α.*)?)", re.IGNORECASE)
    for method in methods:
        found = mixed.fullmatch(method)
        inner = (found["a"] or found["b"]) if found else ""
        alone = sum(mixed.fullmatch(m) is not None for m in methods) == 1
        out[method] = "WiSE-FT" if inner in methods and alone else _LABELS.get(method, method)
    return out


def run_groups(runs: Sequence[Run]) -> dict[Path, str]:
    """Run folder -> its group, "METHOD:LABEL" or "METHOD": runs that differ in the seed alone.

    Runs of one method, label and seed are different runs all the same (another recipe, say), and
    so are those of another model; their folders' names tell them apart.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        facts = run.facts
        base, label = _method(run, facts), str(facts.get("label") or "")
        found.setdefault(f"{base}:{label}" if label else base, []).append(run)
    out = {}
    for group, members in found.items():
        seeds = {r.facts.get("seed") for r in members}
        models = {r.facts.get("model") for r in members}
        apart = len(seeds) < len(members) or len(models) > 1
        for run, tail in zip(members, _tails(members), strict=True):
            name = f"{group_label(group)} ({tail})"
            out[run.path] = f"{base_of(group)}:{name}" if apart else group
    return out


def _tails(runs: Sequence[Run]) -> list[str]:
    """The ends of the folders' names that tell them apart: "ft", or "first/ft" and "second/ft"."""
    parts = [run.path.resolve().parts for run in runs]
    for depth in range(1, max(map(len, parts)) + 1):
        tails = ["/".join(p[-depth:]) for p in parts]
        if len(set(tails)) == len(runs):
            break
    return tails


def _method(run: Run, facts: Mapping[str, Any]) -> str:
    """Whose path a run is on: "wise-ft(ft)" is on that of "ft"."""
    method = str(facts.get("method") or re.sub(r"-s\d+$", "", run.path.name))
    inner = re.fullmatch(r"wise-ft\((.+)\)", method)
    return inner.group(1) if inner else method


def base_of(group: str) -> str:
    """The method of a group: "ft" of "ft:FT (random head)"."""
    return group.split(":", 1)[0]


def group_label(group: str) -> str:
    """What people read: the runs' label, or the method's name."""
    base, _, label = group.partition(":")
    return label or _LABELS.get(base, base)


def hues(groups: Sequence[str]) -> dict[str, int]:
    """A colour number per group: the known methods keep theirs, others take what is left."""
    out: dict[str, int] = {}
    free = list(range(8))
    for g in groups:
        want = _HUES.get(base_of(g))
        if want is not None and want in free:
            out[g] = want
            free.remove(want)
    spare = [i for i in free if i not in _HUES.values()] + [i for i in free if i in _HUES.values()]
    for i, g in enumerate(g for g in groups if g not in out):
        out[g] = spare[i % len(spare)] if spare else i % 8
    return out


def rule_name(rule: str) -> str:
    """A rule as people call it."""
    return RULES.get(rule, rule.replace("_", " "))


def metric_name(metric: str) -> str:
    """A metric as people call it."""
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def shown_alpha(alphas: Sequence[float]) -> str:
    """As in "α = 0.5"; a range where seeds or columns differ."""
    if not alphas:
        return "α"
    low, high = min(alphas), max(alphas)
    return f"α = {low:.3g}" if low == high else f"α = {low:.3g} to {high:.3g}"


def points(value: float) -> str:
    """A fraction as a percentage with one digit."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference of fractions in points, with a sign that is a real minus.

    What one digit would round to zero gets a second one, so that its sign can be seen.
    """
    for digits in (1, 2):
        words = f"{100 * value:+.{digits}f}".replace("-", "−")
        if words.strip("+−0.") or not value:
            break
    return words if words.strip("+−0.") else "0.0"
