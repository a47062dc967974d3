"""What single runs did: seeds and training logs, handed to the charts. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..records import read_jsonl
from ..runs import Run
from .charts import Node, log_chart, strip_chart
from .figures import shift_label, triple
from .names import group_label, points, rule_name
from .view import MEAN, View

__all__ = ["log_figures", "seed_figures"]


def seed_figures(view: View) -> list[tuple[str, Node]]:
    """Seeds of every row that is quoted, on ID and under shift; [] for one seed."""
    out = []
    columns = [
        (view.id_split.name if view.id_split else None, "ID"),
        (MEAN if view.shifts else None, "shift"),
    ]
    for column, where in columns:
        rows = []
        for e in view.entries:
            cell = e.cells.get(column) if column else None
            if cell is None or e.oracle or len(cell.seeds) < 2:
                continue
            seeds = [(str(s), v) for s, v in cell.seeds]
            label = e.label if not e.rules else " = ".join(rule_name(r) for r in e.rules)
            rows.append((label, e.hue, seeds, triple(cell)[1:]))
        if rows:
            title = "On ID " + str(column) if where == "ID" else f"Under shift, {shift_label(view)}"
            words = "; ".join(
                f"{r[0].strip()}: " + ", ".join(points(v) for _, v in r[2]) for r in rows
            )
            out.append((title, strip_chart(f"seeds-{where}", f"Seeds {where}", words, rows)))
    return out


def _points(rows: Iterable[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of every row that has a finite number there, steps ascending."""
    out: dict[float, float] = {}
    for row in rows:
        step: Any = row.get("step")
        value: Any = row.get(key)
        if all(isinstance(v, (int, float)) and math.isfinite(v) for v in (step, value)):
            out[float(step)] = float(value)
    return sorted(out.items())


def log_figures(view: View) -> list[tuple[str, list[Node]]]:
    """Loss and learning rate of every run that has a log."""
    hue = {e.group: e.hue for e in view.entries}
    out: list[tuple[str, list[Node]]] = []
    for i, run in enumerate(view.runs):
        path = run.path / "log.jsonl"
        kept = read_jsonl(path) if path.is_file() else []
        name, colour = _run_name(run, view, hue)
        stages = list(dict.fromkeys(str(row.get("stage") or "") for row in kept))
        for stage in stages:
            rows = [row for row in kept if str(row.get("stage") or "") == stage]
            part = stage.rpartition("/")[2] if len(stages) > 1 else ""
            label = f"{name}, {part}" if part else name
            charts = _log_charts(f"log-{len(out)}-{i}", label, colour, rows)
            if charts:
                out.append((label, charts))
    return out


def _log_charts(key: str, name: str, hue: int, rows: list[dict[str, Any]]) -> list[Node]:
    """Loss and learning rate, where two steps or more were logged."""
    charts = []
    for field, label in (("loss", "loss"), ("lr", "learning rate")):
        pairs = _points(rows, field)
        if len(pairs) > 1 and pairs[0][0] < pairs[-1][0]:
            words = f"from {pairs[0][1]:.3g} to {pairs[-1][1]:.3g} over {len(pairs)} steps"
            charts.append(
                log_chart(f"{key}-{field}", f"{name}: {label}", words, pairs, label=label, hue=hue)
            )
    return charts


def _run_name(run: Run, view: View, hue: dict[str, int]) -> tuple[str, int]:
    """Label and colour of one run; with its seed where there are several."""
    group = view.groups.get(run.path, "")
    label, seed = group_label(group), run.facts.get("seed")
    many = len(view.seeds) > 1 and seed is not None
    return f"{label}, seed {seed}" if many else label, hue.get(group, 0)
