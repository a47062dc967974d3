"""The study's numbers handed to the charts. No torch here."""

from __future__ import annotations

import numpy as np

from .charts import (
    Baseline,
    Dot,
    Node,
    Panel,
    Pick,
    Series,
    Trail,
    alpha_chart,
    mini_chart,
    pick_rows,
    plane_chart,
)
from .names import metric_name, points, rule_name
from .view import MEAN, Cell, Entry, PathView, SplitView, View

__all__ = ["alpha_figures", "off_the_plane", "plane_figures", "shift_figures", "shift_label"]


def triple(c: Cell) -> tuple[float, float, float]:
    """(value, low, high); a missing interval is drawn as none."""
    return (c.value, c.interval.low, c.interval.high) if c.interval else (c.value,) * 3


def _column(view: View) -> str | None:
    """What stands for accuracy under shift: the mean, or the only shift."""
    return MEAN if view.shifts else None


def shift_label(view: View) -> str:
    """Name of the accuracy under shift."""
    return f"mean of {len(view.shifts)} shifts" if len(view.shifts) > 1 else view.shifts[0].name


def plane_figures(view: View) -> list[Node]:
    """ID against shift, once wide and once narrow; [] where there is no ID or no shift."""
    column, home = _column(view), view.id_split
    if column is None or home is None:
        return []
    dots = [
        _dot(e, home.name, column)
        for e in view.entries
        if not e.rules and home.name in e.cells and column in e.cells
    ]
    trails = [
        Trail(
            p.label,
            p.alphas,
            tuple(p.value[home.name]),
            tuple(p.value[column]),
            p.hue,
            _free(view, p),
        )
        for p in view.paths
        if home.name in p.value and column in p.value
    ]
    if len(dots) < 2 and not trails:
        return []
    where = "; ".join(f"{d.label}: ID {points(d.x[0])} %, shift {points(d.y[0])} %" for d in dots)
    words = f"Accuracy on ID and under shift, logit axes. {where}."
    axes = (f"ID {home.name} (%)", f"{shift_label(view)} (%)")
    lines = _baselines(view)
    title = "ID against shift"
    return [
        plane_chart(
            "plane-wide",
            title,
            words,
            dots,
            trails,
            axes=axes,
            baselines=lines,
            width=920,
            height=560,
            style="wide-only",
        ),
        plane_chart(
            "plane-narrow",
            title,
            words,
            dots,
            trails,
            axes=axes,
            baselines=lines,
            width=400,
            height=440,
            style="narrow-only",
        ),
    ]


def _dot(e: Entry, home: str, column: str) -> Dot:
    a, b = dict(e.cells[home].seeds), dict(e.cells[column].seeds)
    members = tuple((a[s], b[s]) for s in a if s in b)
    return Dot(e.label, triple(e.cells[home]), triple(e.cells[column]), e.hue, members)


def _baselines(view: View) -> list[Baseline]:
    """The study's line of plain models, {"slope", "intercept", "label"} on logit axes."""
    given = view.facts.get("baseline_line")
    if not isinstance(given, dict) or not {"slope", "intercept"} <= set(given):
        return []
    label = str(given.get("label") or "baseline line")
    return [Baseline(label, float(given["slope"]), float(given["intercept"]))]


def _free(view: View, p: PathView) -> bool:
    """Whether a path starts near chance (a random head), far below where the others start.

    Such a path would squeeze all the others, so it does not set the axes.
    """
    home = view.id_split.name if view.id_split else MEAN
    starts = [q.value[home][0] for q in view.paths if home in q.value]
    return home in p.value and bool(p.value[home][0] < 0.6 * max(starts))


def _series(
    p: PathView,
    split: str,
    label: str,
    hue: int,
    *,
    dashed: bool = False,
    bands: bool = True,
    free: bool = False,
) -> Series:
    low, high = p.low[split], p.high[split]
    whole = bands and bool(np.isfinite(low).all() and np.isfinite(high).all())
    members = tuple(tuple(row.tolist()) for row in p.seeds[split])
    return Series(
        label,
        p.alphas,
        tuple(p.value[split].tolist()),
        tuple(low.tolist()) if whole else (),
        tuple(high.tolist()) if whole else (),
        hue,
        dashed,
        members if bands else (),
        free,
    )


def _picks(p: PathView) -> tuple[Pick, ...]:
    """Chosen alphas; of several oracles only that of the mean over shifts."""
    on = [chosen for rule, _, chosen in p.picks if rule == "oracle"]
    keep = next((c for c in on if MEAN in c), on[0] if on else "")
    return tuple(
        Pick(a, rule_name(rule), rule == "oracle")
        for rule, a, chosen in p.picks
        if rule != "oracle" or chosen == keep
    )


def alpha_figures(view: View) -> list[tuple[PathView, Node]]:
    """One chart per path: accuracy under shift above, on ID below."""
    out = []
    home = view.id_split
    rows = max((pick_rows(_picks(p)) for p in view.paths), default=0)
    for i, p in enumerate(view.paths):
        panels = []
        if MEAN in p.value:
            mean = _series(p, MEAN, "", p.hue)
            panels.append(Panel(f"Under shift, {shift_label(view)}", (mean,), _picks(p)))
        if home is not None and home.name in p.value:
            inside = _series(p, home.name, "", p.hue, dashed=True)
            panels.append(Panel(f"In distribution, {home.name}", (inside,), _picks(p)))
        if panels:
            title = f"{p.label}: accuracy from the pretrained end (α = 0) to the tuned end (α = 1)"
            words = " ".join(_told(panel) for panel in panels)
            out.append((p, alpha_chart(f"alpha-{i}", title, words, panels, rows=rows)))
    return out


def _told(panel: Panel) -> str:
    """A panel in words."""
    s = panel.series[0]
    best = max(range(len(s.y)), key=lambda i: s.y[i])
    return (
        f"{panel.label}: {points(s.y[0])} % at the pretrained end, {points(s.y[-1])} % at the "
        f"tuned end, highest {points(s.y[best])} % at α = {s.x[best]:.3g}."
    )


def shift_figures(view: View) -> list[Node]:
    """One small chart per shift with every path, where there is more than one shift."""
    if len(view.shifts) < 2:
        return []
    out = []
    for i, split in enumerate(view.shifts):
        lines = tuple(
            _series(p, split.name, p.label, p.hue, bands=len(view.paths) == 1, free=_free(view, p))
            for p in view.paths
            if split.name in p.value
        )
        if lines:
            panel = Panel(split.name, lines)
            words = f"{split.name}. " + " ".join(
                f"{s.label}: {points(s.y[0])} % to {points(s.y[-1])} %." for s in lines
            )
            out.append(mini_chart(f"shift-{i}", split.name, words, panel, note=_note(split)))
    return out


def _note(split: SplitView) -> str:
    parts = [f"n = {split.n:,}".replace(",", " ")]
    if split.metric != "top1":
        parts.append(metric_name(split.metric))
    if split.synthetic:
        parts.append("synthetic")
    return " · ".join(parts)


def off_the_plane(view: View) -> list[str]:
    """Labels of the paths that leave the plane."""
    return [p.label for p in view.paths if _free(view, p)]
