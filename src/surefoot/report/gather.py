"""From a study's folders to a :class:`~surefoot.report.view.View`. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..records import Score
from ..runs import Run, Study
from ..stats import Interval
from .evaluators import group_of, main_evaluators, named
from .gather_paths import read_path
from .kept import Kept, sources_of
from .names import base_of, group_label, hues, rule_name, run_groups, shown_alpha
from .view import MEAN, Cell, Entry, PathView, SplitView, View

__all__ = ["gather"]

Rows = list[tuple[Run, Score]]
_ORDER = ("end", "fixed", "id_val", "one_se", "oracle")


def gather(study: Study) -> View:
    """Gather the scores of every run, by method and rule, over seeds."""
    rows = [(run, s) for run in study.runs for s in run.scores() if math.isfinite(s.value)]
    splits = _splits(study, rows)
    metric = {s.name: s.metric for s in splits}
    rows, kept = named([(r, s) for r, s in rows if s.metric == metric[s.split]]), Kept(metric)
    main, of = main_evaluators(rows), run_groups(study.runs)
    by_group: dict[str, Rows] = {}
    for run, s in rows:
        by_group.setdefault(group_of(of, main, run, s), []).append((run, s))
    groups = _groups(by_group)
    colours = hues(list(groups))
    entries: list[Entry] = []
    paths: list[PathView] = []
    for group, label in groups.items():
        mine = by_group[group]
        entries += _entries(group, label, colours[group], mine, splits, kept)
        path = read_path(group, label, colours[group], mine, splits, kept)
        if path is not None:
            paths.append(path)
    if paths and not any(base_of(g) == "zero-shot" for g in groups):
        entries = _starts([by_group[p.group] for p in paths], paths, splits, kept) + entries
    picks = [
        (groups.get(of[r.path], r.path.name), r.facts.get("seed"), sel)
        for r in study.runs
        for sel in r.selections()
    ]
    seeds = {s.seed for _, s in rows if s.seed is not None}
    return View(
        study.title,
        splits,
        tuple(entries),
        tuple(paths),
        tuple(picks),
        tuple(study.runs),
        study.facts,
        tuple(sorted(seeds)),
        groups,
        of,
        kept,
    )


def _task(study: Study) -> Mapping[str, Any]:
    """Task facts from the study, else from the first run that has some."""
    for facts in (study.facts, *(r.facts for r in study.runs)):
        task = facts.get("task")
        if isinstance(task, dict):
            return task
    return study.facts if "splits" in study.facts else {}


def _splits(study: Study, rows: Rows) -> tuple[SplitView, ...]:
    """Every split that was scored, ID first, in the task's order."""
    task = _task(study)
    declared: Mapping[str, Any] = task.get("splits") or {}
    seen: dict[str, list[Score]] = {}
    for _, s in rows:
        seen.setdefault(s.split, []).append(s)
    names = [n for n in declared if n in seen] + [n for n in seen if n not in declared]
    out = []
    for name in names:
        facts = declared.get(name)
        facts = facts if isinstance(facts, dict) else {}
        there = [s.metric for s in seen[name]]
        wanted = (facts.get("metric"), task.get("metric"), there[0])
        metric = next(m for m in wanted if m in there)
        own = [s for s in seen[name] if s.metric == metric] or seen[name]
        domain, n = own[0].domain, max(s.n for s in own)
        told = (s.extra.get("unit") for s in own)
        unit = str(next(filter(None, told), facts.get("unit") or facts.get("cluster") or ""))
        made = any(s.synthetic for s in own)
        out.append(SplitView(name, domain, n, own[0].metric, made, unit, own[0].version))
    return tuple(sorted(out, key=lambda s: s.domain == "OOD"))


def _groups(by_group: Mapping[str, Rows]) -> dict[str, str]:
    """Group -> label: zero-shot first, the others in the study's order."""
    found = dict.fromkeys(by_group)
    if any(g.startswith("zero-shot:") for g in found):
        found.pop("zero-shot", None)
    return {g: group_label(g) for g in sorted(found, key=lambda g: base_of(g) != "zero-shot")}


def _entries(
    group: str, label: str, hue: int, rows: Rows, splits: Sequence[SplitView], kept: Kept
) -> list[Entry]:
    """The end, then one row per chosen point; rules that chose the same point share a row."""
    by_rule: dict[str, Rows] = {}
    for run, s in rows:
        if s.selection != "none":
            by_rule.setdefault(s.selection, []).append((run, s))
    if "end" not in by_rule:
        ends = [(r, s) for r, s in rows if s.selection == "none" and s.alpha in (None, 1.0)]
        by_rule = {"end": ends, **by_rule} if ends else by_rule
    merged: dict[Any, tuple[list[str], Rows]] = {}
    for rule in sorted(by_rule, key=lambda r: _ORDER.index(r) if r in _ORDER else len(_ORDER)):
        here = by_rule[rule]
        where = sorted((str(r.path), s.split, s.alpha or 0.0) for r, s in here)
        key = (rule,) if rule in ("end", "oracle") else ("chosen", tuple(where))
        merged.setdefault(key, ([], here))[0].append(rule)
    out = []
    for rules, here in merged.values():
        by_split = {x.name: sources_of([(r, s) for r, s in here if s.split == x.name])
                    for x in splits}  # fmt: skip
        sources = {name: tuple(found) for name, found in by_split.items() if found}
        cells = _cells(here, splits, kept)
        if not cells:
            continue
        end = rules == ["end"]
        name = label if end else _chosen_label(rules, cells, label)
        out.append(
            Entry(
                f"{group}|{'+'.join(rules)}",
                group,
                name,
                () if end else tuple(rules),
                hue,
                "oracle" in rules,
                cells,
                sources,
            )
        )
    return out


def _starts(
    of_path: Sequence[Rows],
    paths: Sequence[PathView],
    splits: Sequence[SplitView],
    kept: Kept,
) -> list[Entry]:
    """The start of the paths as a row, where no zero-shot model was evaluated on its own.

    Where the tuned end's head serves its whole path, every path has a start of its own: then
    there is a row for each that is not the same as one before, and it says whose it is.
    """
    found: list[tuple[PathView, Rows]] = []
    seen: list[dict[str, set[float]]] = []
    asked = of_path[0][0][1].evaluator  # neighbours beside a head are another question
    for path, rows in zip(paths, of_path, strict=True):
        here = [(r, replace(s, selection="end")) for r, s in rows
                if s.alpha == 0 and s.selection == "none" and s.evaluator == asked]  # fmt: skip
        if not here:
            continue
        values = {x.name: {s.value for _, s in here if s.split == x.name} for x in splits}
        if values not in seen:
            seen.append(values)
            found.append((path, here))
    out: list[Entry] = []
    kinds = [(here[0][0].read_json("start.json") or {}).get("head_kind") for _, here in found]
    for (path, here), kind in zip(found, kinds, strict=True):
        whose = "the path" if len(found) == 1 else f"the path of {path.label}"
        label = f"Start of {whose} (α = 0)"
        if kind == "zero_shot":  # of several models there are several
            of = "" if kinds.count(kind) == 1 else f" of {path.label}"
            label = f"Zero-shot{of} (α = 0)"
        out += _entries(f"zero-shot:{label}", label, 0, here, splits, kept)
    return out


def _chosen_label(rules: Sequence[str], cells: Mapping[str, Cell], label: str) -> str:
    alphas = sorted({a for c in cells.values() for a in c.alphas})
    return f"WiSE-FT of {label}, {shown_alpha(alphas)}, {' = '.join(rule_name(r) for r in rules)}"


def _cells(rows: Rows, splits: Sequence[SplitView], kept: Kept) -> dict[str, Cell]:
    """Cells per split, and their mean over shifts where none is missing."""
    by_run = {x.name: {r.path: (r, s) for r, s in rows if s.split == x.name} for x in splits}
    there = {name: list(found.values()) for name, found in by_run.items() if found}
    out = {name: _cell(found, kept.reach({name: found})) for name, found in there.items()}
    shifts = [s.name for s in splits if s.domain == "OOD"]
    if shifts and all(s in out for s in shifts):
        reach = kept.reach({s: there[s] for s in shifts})
        out[MEAN] = _mean_cell([out[s] for s in shifts], reach)
    return out


def _mean(values: Iterable[float]) -> float:
    """The mean; NaN values are left out."""
    kept = [v for v in values if math.isfinite(v)]
    return sum(kept) / len(kept) if kept else math.nan


def _cell(rows: Rows, interval: Interval) -> Cell:
    """One split, over seeds."""
    scores = [s for _, s in rows]
    return Cell(
        value=_mean(s.value for s in scores),
        n=max(s.n for s in scores),
        interval=interval,
        alphas=tuple(s.alpha for s in scores if s.alpha is not None),
        seeds=tuple((s.seed, s.value) for s in scores),
        reported=scores[0].reported,
        masked=_masked(scores),
    )


def _masked(scores: Sequence[Score]) -> tuple[float, str] | None:
    """The mean over seeds, where all have it."""
    found = [s.masked for s in scores]
    kept = [m for m in found if m is not None]
    return (_mean(v for v, _ in kept), kept[0][1]) if len(kept) == len(found) else None


def _mean_cell(cells: Sequence[Cell], interval: Interval) -> Cell:
    """The unweighted mean over shifts; seeds that lack a shift are left out of the seeds."""
    tables = [dict(c.seeds) for c in cells]
    common = [s for s, _ in cells[0].seeds if all(s in t for t in tables)]
    return Cell(
        value=sum(c.value for c in cells) / len(cells),
        n=sum(c.n for c in cells),
        interval=interval,
        alphas=tuple(a for c in cells for a in c.alphas),
        seeds=tuple((s, sum(t[s] for t in tables) / len(tables)) for s in common),
    )
