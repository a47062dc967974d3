"""The page and the document of ``surefoot claims``: verdicts with their numbers. No torch here.

Both are made from what ``claims.json`` holds, so they can be made again from the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..drawing import script as shared_script
from ..drawing import stylesheet
from .claims_charts import forest
from .claims_pictures import claim_picture, cost_picture, costs_of, plane_of, plane_picture
from .page import page_policy

__all__ = ["claims_document", "claims_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_PICKS = {"start": "start", "half": "α 0.5", "id_val": "α on ID validation", "end": "tuned"}
_KINDS = {"holds": "yes", "does not hold": "no"}


def claims_page(result: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """The page as HTML text.

    Args:
        result: What ``surefoot.claims.run_claims`` returned, or ``claims.json`` holds.
        comments: "2 pictograms" -> what somebody thinks of that answer, the likeliest reason.
    """
    result = _commented(result, comments or {})
    own = ("style.css", "verdicts.css", "claims.css")
    style = stylesheet() + "".join((_TEMPLATES / n).read_text(encoding="utf-8") for n in own)
    script = shared_script() + (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    environ = _environment(escape=True)
    claims = [{**row, "chart": _chart(row, i)} for i, row in enumerate(result["claims"])]
    return environ.get_template("claims.html.j2").render(
        **_facts(result),
        claims=claims,
        planes={
            name: plane_of(f"accuracy-{i}", result["accuracy"], name)
            for i, name in enumerate(_accuracy(result["accuracy"]))
        },
        cost_chart=costs_of("cost", result["cost"]),
        style=Markup(style),
        script=Markup(script),
        policy=page_policy(style, script),
    )


def claims_document(
    result: Mapping[str, Any],
    comments: Mapping[str, str] | None = None,
    *,
    pictures: str = "claims",
) -> str:
    """docs/claims.md as Markdown text.

    Args:
        result: As of :func:`claims_page`.
        comments: Likewise.
        pictures: The folder, beside the document, of what
            :func:`~surefoot.report.claims_pictures.claims_pictures` draws.
    """
    result = _commented(result, comments or {})
    environ = _environment(escape=False)
    environ.filters["claim_picture"] = claim_picture
    environ.filters["plane_picture"] = plane_picture
    text = environ.get_template("claims.md.j2").render(
        **_facts(result),
        claims=result["claims"],
        pictures=pictures,
        cost_picture=cost_picture(),
    )
    return text.strip() + "\n"


def _commented(result: Mapping[str, Any], comments: Mapping[str, str]) -> dict[str, Any]:
    rows = [
        {**row, "comment": comments.get(f"{row['number']} {row['set']}", "")}
        for row in result["claims"]
    ]
    return {**result, "claims": rows}


def _environment(*, escape: bool) -> Environment:
    environ = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True) if escape else False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environ.filters["points"] = _points
    environ.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environ.filters["p"] = _p
    environ.filters["reach"] = _reach
    environ.filters["alone"] = _alone
    environ.filters["number"] = _number
    environ.filters["times"] = _times
    environ.filters["entrant"] = _entrant
    environ.filters["machine"] = _machine
    return environ


def _points(value: float) -> str:
    """A difference in points with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def _reach(part: Mapping[str, Any]) -> str:
    """The interval of a difference in points, or that there is none."""
    if part["low"] is None:
        return "no interval"
    return f"{_points(part['low'])} to {_points(part['high'])}"


def _alone(row: Mapping[str, Any], bar: float) -> str:
    """What a claim's own p values say, before the correction over all claims."""
    if row["p"] <= bar:
        return "holds"
    return "does not hold" if row["p_against"] <= bar else "not significant"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _entrant(key: str) -> str:
    """A method's key; Token Replay always as our reading."""
    return f"{key} (our reading)" if key.startswith("token-replay") else key


def _machine(environment: Mapping[str, Any]) -> str:
    """What a study ran on, in words."""
    device = environment.get("gpu") or f"{environment['machine']} without a GPU"
    versions = environment["versions"]
    return f"{device}, {environment['cores']} cores, torch {versions['torch']}"


def _number(value: object, digits: int) -> str:
    """A number, or a dash where there is none."""
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else "–"


def _times(ratio: Mapping[str, Any]) -> str:
    """A ratio of claim 9 with its interval; older results hold its mean instead of its median."""
    middle = f"{ratio.get('median', ratio.get('mean')):.3f} times"
    if ratio["low"] is None:
        return f"{middle} (too few repeats for an interval)"
    return f"{middle} ({ratio['low']:.3f} to {ratio['high']:.3f})"


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    """What both faces show."""
    grid = _grid(result["claims"])
    return {
        "result": result,
        "plan": result["plan"],
        "bar": (1 - result["plan"]["level"]) / 2,
        "recorded_units": any("units" in p for r in result["claims"] for p in r["parts"]),
        "grid": grid,
        "sets": _sets(result["claims"]),
        "kinds": _KINDS,
        "headline": _headline(result),
        "accuracy": _accuracy(result["accuracy"]),
        "picks": _PICKS,
        "costs": _costs(result["cost"]),
        "memory": _memory(result["cost"]),
    }


def _headline(result: Mapping[str, Any]) -> str:
    if result["size"] != "full":
        return "A small run: everything works, nothing is decided"
    asked = [r for r in result["claims"] if r["verdict"] not in ("does not apply", "not decided")]
    held = sum(r["verdict"] == "holds" for r in asked)
    return f"{held} of {len(asked)} answers are “holds”"


def _sets(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(r["set"] for r in rows if r["verdict"] != "does not apply"))


def _grid(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Claim x data set: one row per claim, a verdict per set."""
    sets = _sets(rows)
    out: dict[int, dict[str, Any]] = {}
    for row in rows:
        entry = out.setdefault(row["number"], {"text": row["text"], "cells": {}})
        entry["cells"][row["set"]] = row["verdict"]
    return [
        {
            "number": n,
            "text": e["text"],
            "cells": [e["cells"].get(s, "does not apply") for s in sets],
        }
        for n, e in sorted(out.items())
    ]


def _chart(row: Mapping[str, Any], place: int) -> Any:
    if not row["parts"]:
        return None
    return forest(f"claim-{place}", f"Claim {row['number']} on {row['set']}", row["parts"])


def _accuracy(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Set -> its splits and one line per method and point."""
    out: dict[str, dict[str, Any]] = {}
    for row in rows:
        table = out.setdefault(row["set"], {"splits": list(row["top1"]), "rows": []})
        cells = [row["top1"][s] for s in table["splits"]]
        table["intervals"] = any("low" in cell for cell in cells)
        table["rows"].append({"method": row["method"], "pick": row["pick"], "cells": cells})
    return out


def _costs(cost: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if cost is None:
        return []
    return sorted(
        cost["table"],
        key=lambda r: r.get("fit_cpu_seconds", r.get("fit_seconds", float("inf"))),
    )


def _memory(cost: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Peak memory of fine-tuning and of WiSE-FT, where both were measured."""
    rows = {r["method"]: r.get("peak_mb") for r in _costs(cost)}
    found = {name: rows.get(name) for name in ("ft", "wise-ft")}
    known = {name: float(mb) for name, mb in found.items() if mb is not None}
    return known if len(known) == len(found) else None
