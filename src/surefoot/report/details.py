"""Facts, choices of alpha, examples, recipes and environment, as templates take them.

No torch here.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..runs import Selection, Study
from .names import METRICS, metric_name, rule_name, short_names
from .view import MEAN, View

__all__ = [
    "choices",
    "command",
    "environment",
    "examples",
    "facts_strip",
    "inventory",
    "metrics",
    "notes",
    "recipes",
]

_IMAGE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+")
_MOST_EXAMPLES = 60
_MOST_BYTES = 1_500_000


def facts_strip(view: View) -> list[tuple[str, str]]:
    """(name, value) for the strip under the headline."""
    first = view.runs[0].facts if view.runs else {}
    task = _first_dict(view.facts.get("task"), first.get("task"))
    out = [("Task", str(task.get("name") or "")), ("Classes", _count(task.get("classes")))]
    home = view.id_split
    if home is not None:
        out.append(("ID test images" if home.name != "val" else "ID images", _count(home.n)))
    if view.shifts:
        whole = sum(s.n for s in view.shifts)
        many = f" in {len(view.shifts)} shifts" if len(view.shifts) > 1 else ""
        out.append(("Shifted images", f"{_count(whole)}{many}"))
    models = dict.fromkeys(str(r.facts["model"]) for r in view.runs if r.facts.get("model"))
    out.append(("Model", ", ".join(models)))
    out.append(("Seeds", _seeds(view.seeds)))
    out.append(("Time", _time(view)))
    out.append(("Status", status(view)))
    return [(k, v) for k, v in out if v]


def _first_dict(*candidates: Any) -> Mapping[str, Any]:
    return next((c for c in candidates if isinstance(c, dict)), {})


def _count(value: Any) -> str:
    """A number with thin spaces between thousands; a list is counted."""
    if isinstance(value, (list, tuple)):
        value = len(value)
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else ""


def _seeds(seeds: tuple[int, ...]) -> str:
    if not seeds:
        return ""
    return (
        f"{len(seeds)} ({', '.join(map(str, seeds[:5]))}{', …' if len(seeds) > 5 else ''})"
        if (len(seeds) > 1)
        else f"1 (seed {seeds[0]})"
    )


def _time(view: View) -> str:
    """The study's whole time, else the sum over runs."""
    given = _seconds(view.facts.get("seconds"))
    parts = [_seconds(r.facts.get("seconds")) for r in view.runs]
    total = given if given is not None else sum(p for p in parts if p is not None)
    if not total:
        return ""
    if total < 100:
        return f"{total:.0f} s"
    return f"{total / 60:.0f} min" if total < 7200 else f"{total / 3600:.1f} h"


def _seconds(value: Any) -> float | None:
    """A number of seconds, or the total or sum of a dictionary of them."""
    if isinstance(value, dict):
        kept = [v for v in value.values() if isinstance(v, (int, float))]
        return float(value["total"]) if isinstance(value.get("total"), (int, float)) else sum(kept)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def status(view: View) -> str:
    """The least finished of the runs' states, with how many are in it."""
    states = [r.status for r in view.runs]
    for state in ("interrupted", "running", "trial"):
        count = sum(s == state for s in states)
        if count:
            return state if count == len(states) else f"{count} of {len(states)} runs {state}"
    return "finished" if states else ""


def choices(view: View) -> dict[str, Any]:
    """The table of rules: one row per path and rule, seeds together."""
    found: dict[tuple[str, str, str], list[Selection]] = {}
    for label, _, sel in view.selections:
        found.setdefault((label, sel.rule, sel.chosen_on), []).append(sel)
    names = {k for sels in found.values() for s in sels for k in s.regret}
    home = [s.name for s in view.splits if s.domain != "OOD" and s.name in names]
    columns = [
        *home,
        *([MEAN] if MEAN in names else []),
        *(s.name for s in view.shifts if s.name in names),
    ]
    if len(view.shifts) == 1 and MEAN in columns:
        columns.remove(MEAN)
    colours = {p.label: p.hue for p in view.paths}
    rows = []
    for (label, rule, on), sels in found.items():
        alphas = sorted(s.alpha for s in sels)
        shown = (
            f"{alphas[0]:.3g}"
            if alphas[0] == alphas[-1]
            else (f"{alphas[0]:.3g} to {alphas[-1]:.3g}")
        )
        regrets = [_regret(sels, c) for c in columns]
        rows.append(
            {
                "path": label,
                "hue": colours.get(label, 0),
                "rule": rule_name(rule),
                "alpha": shown,
                "on": on or "?",
                "oracle": rule == "oracle",
                "regret": regrets,
                "reason": sels[0].told if len(sels) == 1 else f"{len(sels)} seeds",
            }
        )
    heads = [("ID " + c if c in home else c) for c in columns]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row["path"]), []).append(row)
    return {"columns": heads, "rows": rows, "groups": list(groups.items())}


def _regret(sels: list[Selection], column: str) -> str:
    """Mean regret over seeds in points; empty where it is unknown."""
    kept = [s.regret[column] for s in sels if column in s.regret]
    return f"{100 * sum(kept) / len(kept):.1f}" if kept else ""


def examples(study: Study) -> list[dict[str, Any]]:
    """Images with what each model said; pictures that are no plain data URIs are left out."""
    out: list[dict[str, Any]] = []
    room = _MOST_BYTES
    for e in study.examples()[:_MOST_EXAMPLES]:
        uri = str(e.get("image") or "")
        usable = bool(_IMAGE.fullmatch(uri)) and len(uri) <= room
        room -= len(uri) if usable else 0
        label = str(e.get("label", ""))
        said = e.get("predictions")
        said = said if isinstance(said, dict) else {}
        short = short_names([str(m) for m in said])
        out.append(
            {
                "split": str(e.get("split", "")),
                "id": str(e.get("id", "")),
                "label": label,
                "image": uri if usable else "",
                "tiny": usable and _width(uri) <= 96,
                "predictions": [
                    (short[str(m)], str(c), str(c) == label)
                    for m, c in sorted(said.items(), key=lambda item: _rank(item[0]))
                ],
            }
        )
    return out


def _rank(model: str) -> int:
    """Pretrained models first, mixed ones last; JSON keeps no order."""
    low = model.lower()
    return 0 if low.startswith(("pretrained", "zero-shot", "start")) else 2 if "wise" in low else 1


def _width(uri: str) -> int:
    """Pixels across, of a PNG; 0 for other formats, which are small too as a rule."""
    head, _, data = uri.partition(",")
    if "png" not in head:
        return 0
    raw = base64.b64decode(data[:48] + "=" * (-len(data[:48]) % 4))
    return int.from_bytes(raw[16:20], "big")


def recipes(view: View) -> list[tuple[str, str]]:
    """(run's folder, recipe.yaml) of every run that has one; equal ones once."""
    out: dict[str, list[str]] = {}
    for run in view.runs:
        path = run.path / "recipe.yaml"
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            out.setdefault(text, []).append(run.path.name)
    return [(", ".join(names), text) for text, names in out.items()]


def environment(view: View) -> list[tuple[str, str]]:
    """(name, value) of env.json of the first run that has one; the command stands by itself."""
    for run in view.runs:
        env = run.read_json("env.json")
        if isinstance(env, dict):
            return [(str(k).replace("_", " "), _flat(v)) for k, v in env.items() if k != "command"]
    return []


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_flat(v)}" for k, v in value.items())
    if isinstance(value, list):
        return " ".join(map(_flat, value))
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def command(view: View) -> str:
    """How it was called: the study's record, else the first run's; long ones an option a line."""
    env = view.runs[0].read_json("env.json") if view.runs else None
    kept = env.get("command") if isinstance(env, dict) else None
    typed = _flat(view.facts.get("command") or kept or "")
    return typed if len(typed) <= 90 else typed.replace(" --", " \\\n    --")


def inventory(view: View) -> list[str]:
    """The lines of what went in; none for runs that kept no inventory."""
    first = view.runs[0].facts.get("inventory") if view.runs else None
    lines = _first_dict(view.facts.get("inventory"), first).get("lines")
    return [str(line) for line in lines] if isinstance(lines, list) else []


def notes(view: View) -> list[str]:
    """The task's notes, those of its splits, learning rates chosen, then licences and sources."""
    first = view.runs[0].facts.get("task") if view.runs else None
    task = _first_dict(view.facts.get("task"), first)
    given = view.facts.get("notes") or task.get("notes") or []
    out = [str(v) for v in given] if isinstance(given, (list, tuple)) else [str(given)]
    told = " ".join(inventory(view))
    out = [note for note in out if note not in told]
    names: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    splits = task.get("splits")
    out += (_split_notes(splits, out) if not told else []) + _tuned(view)
    for name, facts in splits.items() if isinstance(splits, dict) else ():
        if isinstance(facts, dict) and facts.get("licence"):
            terms = str(facts["licence"])
            names.setdefault(terms, []).append(str(name))
            sources.setdefault(terms, []).append(str(facts.get("source") or ""))
    for terms, who in names.items():
        known = list(dict.fromkeys(filter(None, sources[terms])))
        told = f" ({known[0]})" if len(known) == 1 else ""
        if terms == "unknown":
            out.append(f"licence not stated: {', '.join(who)}")
        else:
            out.append(f"licence of {', '.join(who)}: {terms}{told}")
    return out


def _split_notes(splits: Any, said: Sequence[str]) -> list[str]:
    """Files left out, rows selected, images drawn; not the cuts, which the task's notes tell."""
    every = [
        str(note)
        for facts in (splits.values() if isinstance(splits, dict) else ())
        for note in (facts.get("notes") or () if isinstance(facts, dict) else ())
    ]
    return [n for n in dict.fromkeys(every) if " cut off " not in n and n not in said]


def _tuned(view: View) -> list[str]:
    """Learning rates that were chosen on ID validation."""
    out = []
    for run in view.runs:
        table = run.read_json("tuning.json")
        if not isinstance(table, dict) or not isinstance(table.get("trials"), list):
            continue
        tried = ", ".join(f"{t['lr']:.2g}" for t in table["trials"])
        label = str(run.facts.get("label") or run.path.name)
        who = f"{label}, seed {run.facts.get('seed')}" if len(view.seeds) > 1 else label
        out.append(
            f"learning rate of {who}: {table['lr']:.2g}, the best on ID validation of {tried} "
            f"after {table['epochs']} epochs each"
            + (f"; {table['end_of_grid']}" if table.get("end_of_grid") else "")
        )
    return out


def metrics(view: View) -> list[tuple[str, str]]:
    """(name, definition) of the metrics that occur."""
    seen = dict.fromkeys(s.metric for s in view.splits)
    return [METRICS.get(m, (metric_name(m), "as its evaluation defines it")) for m in seen]
