"""One self-contained ``report.html``. No torch here.

The page holds its styles, script, drawings and images; a content security policy inside it
forbids every request, and every name from outside goes through Jinja's autoescape.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..drawing import script as shared_script
from ..drawing import stylesheet
from ..records import write_atomic
from ..runs import Study
from ..stats import Comparison
from .charts import difference_bar
from .decision import UNDECIDED, decided
from .details import (
    choices,
    command,
    environment,
    examples,
    facts_strip,
    inventory,
    metrics,
    notes,
    recipes,
)
from .figures import (
    alpha_figures,
    off_the_plane,
    plane_figures,
    shift_figures,
)
from .findings import Finding, Findings, findings
from .gather import gather
from .names import signed
from .paired import Pairing
from .run_figures import log_figures, seed_figures
from .table import build_table
from .weighed import weighed

__all__ = ["BoardLink", "page", "page_policy", "render"]

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class BoardLink:
    """Where a run's numbers stand on a results board, or could stand.

    Attributes:
        title: Of the board.
        address: Of its page; "" where there is none yet.
        added: The run's numbers are on it.
        command: What to type to add them.
    """

    title: str
    address: str
    added: bool
    command: str


def render(study: Study, out: Path | None = None, *, links: Sequence[BoardLink] = ()) -> Path:
    """Write the report.

    Args:
        study: One run or several.
        out: The file; ``report.html`` in the study's folder when left out.
        links: Boards to lead to.

    Returns:
        The path of the file.

    Raises:
        RunError: A stored file cannot be read.

    Example:
        >>> sf.render(sf.open_study("runs/demo")).name
        'report.html'
    """
    target = out if out is not None else study.path / "report.html"
    write_atomic(target, page(study, links))
    return target


def page(study: Study, links: Sequence[BoardLink] = ()) -> str:
    """The report as HTML text."""
    view = gather(study)
    pairing = Pairing(view)
    told = findings(view, pairing)
    table = build_table(view, pairing)
    decision = decided(study, view, pairing, told.caveats)
    planes, logs = plane_figures(view), log_figures(view)
    style = stylesheet() + (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = shared_script() + (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    environ = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environ.filters["nb"] = unbroken
    return environ.get_template("report.html.j2").render(
        view=view,
        told=told,
        compared=compared(told),
        strip=facts_strip(view),
        planes=planes,
        dotted=any("line equal" in p.render() for p in planes),
        off=off_the_plane(view),
        alphas=alpha_figures(view),
        shifts=shift_figures(view),
        table=table,
        choices=choices(view),
        decision=decision,
        weighed=weighed(decision),
        undecided=UNDECIDED,
        seeds=seed_figures(view),
        examples=examples(study),
        example_rule=study.facts.get("examples_rule"),
        logs=logs,
        validated=any("validation" in str(c.attributes["class"]) for _, cs in logs for c in cs),
        recipes=recipes(view),
        environment=environment(view),
        notes=notes(view),
        inventory=inventory(view),
        command=command(view),
        metrics=metrics(view),
        links=links,
        style=Markup(style),
        script=Markup(script),
        policy=page_policy(style, script),
    )


def unbroken(text: str) -> str:
    """Keeps "α = 0.5" and "95 % CI" on one line."""
    for words in ("α = ", "95 % CI ", " %"):
        text = text.replace(words, words.replace(" ", "\u00a0"))
    return text


def page_policy(style: str, script: str) -> str:
    """Nothing may be fetched; only this style and this script count."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def compared(told: Findings) -> list[dict[str, Any]]:
    """The comparisons, each with its two differences on one common axis."""
    every = [d for f in told.items for d in (f.shift, f.inside) if d is not None]
    ends = [v for d in every for v in _ends(d)]
    reach = min(max([abs(v) for v in ends if abs(v) < 1] + [0.02]), 1.0) * 1.05
    low = max(min([v for v in ends if abs(v) < 1] + [-0.01]) * 1.1, -reach)
    high = min(max([v for v in ends if abs(v) < 1] + [0.01]) * 1.1, reach)
    return [_comparison(f, (low, high)) for f in told.items]


def _ends(d: Comparison) -> tuple[float, float]:
    return (d.interval.low, d.interval.high) if d.interval else (d.difference,) * 2


def _comparison(f: Finding, domain: tuple[float, float]) -> dict[str, Any]:
    pairs = (("under shift", f.shift), ("on ID", f.inside))
    return {"finding": f, "rows": [_line(where, d, domain) for where, d in pairs if d is not None]}


def _line(where: str, d: Comparison, domain: tuple[float, float]) -> dict[str, Any]:
    low, high = _ends(d)
    seeds = ""
    if d.seeds > 1:
        seeds = f"{d.seeds} seeds: {signed(min(d.per_seed))} to {signed(max(d.per_seed))}"
    return {
        "where": where,
        "value": signed(d.difference),
        "reach": f"{signed(low)} to {signed(high)}" if d.interval else "no interval",
        "verdict": {1: "better", -1: "worse", 0: "not significant"}[d.better],
        "sure": bool(d.better),
        "seeds": seeds,
        "n": d.images,
        "bar": difference_bar(d.difference, low, high, domain, hollow=not d.better),
    }
