"""The pictures of docs/claims.md, each an SVG file, from what ``claims.json`` holds. No torch here.

Per claim its comparisons with their intervals; per data set ID accuracy against accuracy under
shift; per method what a fit costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..drawing import Node
from ..drawing.standalone import standalone_svg
from .charts.plane import Dot, Trail, plane_chart
from .claims_charts import costs, forest

__all__ = [
    "claim_picture",
    "claims_pictures",
    "cost_picture",
    "costs_of",
    "plane_of",
    "plane_picture",
]

_CLEAR = """
.what { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
"""
_NAMES = {
    "flyp": "FLYP",
    "ft": "FT",
    "ft-random": "FT (random head)",
    "lp": "LP",
    "lp-ft": "LP-FT",
    "film": "FiLM",
    "film-random": "FiLM, random",
    "film-shuffled": "FiLM, shuffled",
    "token-replay": "Token Replay (our reading)",
    "token-replay-random": "TR (our reading), random",
    "token-replay-shuffled": "TR (our reading), shuffled",
}


def claim_picture(row: Mapping[str, Any]) -> str:
    """File name of a claim's picture on one data set."""
    return f"claim-{row['number']}-{row['set']}.svg"


def plane_picture(name: str) -> str:
    """File name of a data set's picture."""
    return f"accuracy-{name}.svg"


def cost_picture() -> str:
    """File name of the picture of the costs."""
    return "cost.svg"


def claims_pictures(result: Mapping[str, Any]) -> dict[str, str]:
    """Every picture of the study.

    Args:
        result: What ``surefoot.claims.run_claims`` returned, or ``claims.json`` holds.

    Returns:
        File name -> SVG.
    """
    css = (Path(__file__).parent / "templates" / "claims.css").read_text(encoding="utf-8") + _CLEAR
    found: dict[str, str] = {}
    for row in result["claims"]:
        if row["parts"]:
            title = f"Claim {row['number']} on {row['set']}: {row['text']}"
            chart = forest("c", title, row["parts"], 720, labelled=True)
            found[claim_picture(row)] = standalone_svg([chart], title, style=css)
    for name in dict.fromkeys(r["set"] for r in result["accuracy"]):
        chart = plane_of("a", result["accuracy"], name)
        found[plane_picture(name)] = standalone_svg([chart], f"Accuracy on {name}", style=css)
    price = costs_of("k", result["cost"])
    if price is not None:
        found[cost_picture()] = standalone_svg([price], "What every method costs", style=css)
    return found


def costs_of(name: str, cost: Mapping[str, Any] | None) -> Node | None:
    """Time and memory of every method that was measured; None where none was.

    Args:
        name: Unique on the page.
        cost: ``cost`` of the result.
    """
    measured = [r for r in (cost or {"table": []})["table"] if "failed" not in r]
    return costs(name, "What every method costs", measured) if measured else None


def plane_of(name: str, rows: Sequence[Mapping[str, Any]], set_name: str) -> Node:
    """ID test accuracy against the mean over shifts: every method's path from its start.

    Args:
        name: Unique on the page.
        rows: ``accuracy`` of the result.
        set_name: Of which data set.
    """
    picked = {(r["method"], r["pick"]): r["top1"] for r in rows if r["set"] == set_name}
    methods = list(dict.fromkeys(r["method"] for r in rows if r["set"] == set_name))
    first = picked[methods[0], "start"]
    dots = [_dot("pretrained", first, 0)]
    trails = []
    for i, method in enumerate(methods):
        hue = 1 + i % 7
        end = picked[method, "end"]
        if _place(end) == _place(first):
            continue  # the probe on a path that begins at the probe
        dots.append(_dot(_NAMES.get(method, method), end, hue))
        spots = [_place(picked[method, p]) for p in ("start", "half", "end")]
        x, y = (tuple(spot[axis] for spot in spots) for axis in (0, 1))
        trails.append(Trail(_NAMES.get(method, method), (0.0, 0.5, 1.0), x, y, hue))
    said = "; ".join(
        f"{d.label}: ID {100 * d.x[0]:.1f} %, shift {100 * d.y[0]:.1f} %" for d in dots
    )
    return plane_chart(
        name,
        f"Accuracy on {set_name}: ID test against the mean over shifts",
        said,
        dots,
        trails,
        axes=("accuracy on ID test, %", "mean accuracy under shift, %"),
        width=760,
        height=500,
    )


def _place(top1: Mapping[str, Any]) -> tuple[float, float]:
    return top1["test"]["mean"], top1["mean over shifts"]["mean"]


def _dot(label: str, top1: Mapping[str, Any], hue: int) -> Dot:
    """A mark with a standard deviation between seeds to each side, and the seeds."""
    axes = [top1["test"], top1["mean over shifts"]]
    x, y = ((a["mean"], a["mean"] - (a["sd"] or 0), a["mean"] + (a["sd"] or 0)) for a in axes)
    seeds = tuple(zip(axes[0]["seeds"], axes[1]["seeds"], strict=True))
    return Dot(label, x, y, hue, seeds if len(set(seeds)) > 1 else ())
