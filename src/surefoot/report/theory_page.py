"""The page of ``surefoot theory``: verdicts, pictures, numbers in one file. No torch here.

It takes the plain numbers of ``theory.json``, so the page can be made again from the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..drawing import script as shared_script
from ..drawing import stylesheet
from .charts import Node
from .page import page_policy
from .theory_charts import Line, eps_chart, geometric_mean, short, time_chart

__all__ = ["eps_figure", "theory_page", "time_figures"]

_TEMPLATES = Path(__file__).parent / "templates"
_NAMES = {"ft": ("FT", 1), "lp": ("LP", 2), "lp-ft": ("LP-FT", 3)}
_AXES = {"ood": (1e-5, 10.0), "id": (1e-9, 10.0)}
_TITLES = {"ood": "OOD loss", "id": "ID loss"}


def theory_page(result: Mapping[str, Any], command: str = "") -> str:
    """The page as HTML text.

    Args:
        result: What ``surefoot.theory.run_study`` returned, or ``theory.json`` holds.
        command: What to type to have it again.
    """
    own = ("style.css", "verdicts.css", "theory.css")
    style = stylesheet() + "".join((_TEMPLATES / n).read_text(encoding="utf-8") for n in own)
    script = shared_script() + (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    environ = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environ.get_template("theory.html.j2").render(
        result=result,
        setting=result["setting"],
        headline=_headline(result["statements"]),
        statements=[{**s, "text": _greek(s["text"]), "rule": _greek(s["rule"]),
                     "evidence": _greek(s["evidence"])} for s in result["statements"]],
        held={s["number"]: s["verdict"] == "holds" for s in result["statements"]},
        kinds={"holds": "yes", "does not hold": "no", "not significant": "open"},
        names=_NAMES,
        ends=[eps_figure(result, loss) for loss in ("ood", "id")],
        table=[_table_row(result["rows"], eps) for eps in result["setting"]["eps"]],
        times=[figure for i, eps in enumerate(result["setting"]["eps"])
               for figure in time_figures(result["curves"], i, eps)],
        integration=[(k.replace("_", " "), f"{v:.1e}" if isinstance(v, float) else v)
                     for k, v in result["integration"].items()],
        command=command,
        style=Markup(style),
        script=Markup(script),
        policy=page_policy(style, script),
    )  # fmt: skip


def _headline(statements: Sequence[Mapping[str, Any]]) -> str:
    held = sum(s["verdict"] == "holds" for s in statements)
    count = {5: "five"}.get(len(statements), str(len(statements)))
    if held == len(statements):
        return f"All {count} statements of the theory hold"
    return f"{held} of {count} statements of the theory hold"


def _greek(words: str) -> str:
    """As the paper writes it."""
    words = words.replace("eps^2", "ε²").replace("eps", "ε").replace(" goes to 0", " → 0")
    return words.replace("ε = ", "ε\u00a0=\u00a0").replace("ε > 0", "ε\u00a0>\u00a00")


def _losses(
    rows: Sequence[Mapping[str, Any]], method: str, eps: float, name: str
) -> tuple[float, ...]:
    """One number per seed."""
    found = [r for r in rows if r["method"] == method and r["eps"] == eps]
    return tuple(r[name] for r in sorted(found, key=lambda r: r["seed"]))


def eps_figure(result: Mapping[str, Any], loss: str) -> Node:
    """Loss ("ood" or "id") at the end against eps."""
    eps = tuple(result["setting"]["eps"])
    lines = []
    for method, (label, hue) in _NAMES.items():
        columns = [_losses(result["rows"], method, e, f"{loss}_end") for e in eps]
        lines.append(Line(label, hue, eps, tuple(zip(*columns, strict=True))))
    title = f"{_TITLES[loss]} at the end"
    return eps_chart(f"eps-{loss}", title, lines, _AXES[loss], guide=loss == "ood")


def time_figures(curves: Mapping[str, Any], place: int, eps: float) -> list[Node]:
    """OOD and ID loss over time at one eps."""
    out = []
    found = {r["method"]: r for r in curves["rows"] if r["eps"] == eps}
    for loss in ("ood", "id"):
        lines = [
            Line(label, hue, tuple(curves["times"]), tuple(map(tuple, found[method][loss])))
            for method, (label, hue) in _NAMES.items()
        ]
        title = f"{_TITLES[loss]}, ε = {eps:g}"
        out.append(time_chart(f"time-{loss}-{place}", title, lines, _AXES[loss]))
    return out


def _table_row(rows: Sequence[Mapping[str, Any]], eps: float) -> dict[str, Any]:
    """The numbers of one eps: mean and range over seeds of ID and OOD loss, by method."""
    cells = []
    for method in _NAMES:
        for name in ("ood_end", "id_end"):
            values = _losses(rows, method, eps, name)
            mean = geometric_mean(values)
            low, high = short(min(values)), short(max(values))
            cells.append((short(mean), f"{low} to {high}" if low != high else ""))
    return {"eps": f"{eps:g}", "cells": cells}
