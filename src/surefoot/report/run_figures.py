"""What single runs did: seeds and training logs, handed to the charts. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..records import read_jsonl
from ..runs import Run
from ..stats import clopper_pearson
from .charts import Node, Validated, log_chart, strip_chart, validation_chart
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
    """Loss, ID validation and learning rate of every run that has a log."""
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
            charts = _log_charts(f"log-{len(out)}-{i}", label, colour, rows, _images(run, view))
            if charts:
                out.append((label, charts))
    return out


def _log_charts(
    key: str, name: str, hue: int, rows: list[dict[str, Any]], n: int | None
) -> list[Node]:
    """Loss, accuracy on ID validation, learning rate, where two steps or more were logged."""
    charts = []
    for field, label in (("loss", "loss"), ("lr", "learning rate")):
        pairs = _points(rows, field)
        if len(pairs) > 1 and pairs[0][0] < pairs[-1][0]:
            words = f"from {pairs[0][1]:.3g} to {pairs[-1][1]:.3g} over {len(pairs)} steps"
            charts.append(
                log_chart(f"{key}-{field}", f"{name}: {label}", words, pairs, label=label, hue=hue)
            )
            if field == "loss":
                steps = pairs[0][0], pairs[-1][0]
                charts += _validation(f"{key}-val", name, hue, _validated(rows, n), steps)
    return charts


def _images(run: Run, view: View) -> int | None:
    """How many ID validation has."""
    try:
        n = run.facts["task"]["splits"]["val"]["n"]
    except (KeyError, TypeError):
        n = next((s.n for s in view.splits if s.name == "val"), None)
    return n if isinstance(n, int) and n > 0 else None


def _validated(rows: list[dict[str, Any]], n: int | None) -> list[Validated]:
    """What the training loop logged after its epochs: accuracy, a fraction."""
    epochs = {float(row["step"]): row["epoch"] for row in rows if "val" in row and "epoch" in row}
    out = []
    for step, value in _points((r for r in rows if "epoch" in r), "val"):
        if 0 <= value <= 1:
            reach = None if n is None else clopper_pearson(round(value * n), n)
            ends = None if reach is None else (reach.low, reach.high)
            out.append(Validated(int(epochs[step]), step, value, ends))
    return out


def _validation(
    key: str, name: str, hue: int, epochs: list[Validated], steps: tuple[float, float]
) -> list[Node]:
    """The curve of ID validation; [] where the run did not ask it."""
    if not epochs:
        return []
    best = max(epochs, key=lambda e: e.value)
    words = f"after {epochs[0].told()}"
    if len(epochs) > 1:
        words += f"; after {epochs[-1].told()}; highest after {best.told()}"
    label = "ID validation"
    chart = validation_chart(key, f"{name}: {label}", words, epochs, steps, label=label, hue=hue)
    return [chart]


def _run_name(run: Run, view: View, hue: dict[str, int]) -> tuple[str, int]:
    """Label and colour of one run; with its seed where there are several."""
    group = view.groups.get(run.path, "")
    label, seed = group_label(group), run.facts.get("seed")
    many = len(view.seeds) > 1 and seed is not None
    return f"{label}, seed {seed}" if many else label, hue.get(group, 0)
