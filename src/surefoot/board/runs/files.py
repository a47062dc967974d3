"""Scores of runs, studies and files, as rows that know which run they come from.

Three kinds of file hold scores: lines of scores (``scores.jsonl`` of a run, or a .json list of
them), a packed study (:func:`pack`: runs without their weights and predictions, small enough to
commit), and a table of accuracies as ``tools/evaluate_tiny.py`` writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...errors import RunError
from ...records import Score, read_jsonl
from ...runs import Run, open_study
from ..errors import BoardError

__all__ = ["RunRow", "pack", "read_rows"]

Facts = Mapping[str, Any]
_KEPT = ("method", "label", "seed", "model", "status", "version")
_KEPT_OF_SPLIT = ("n", "domain", "use", "version", "manifest", "licence", "synthetic", "notes")


@dataclass(frozen=True)
class RunRow:
    """A score with the run that it comes from.

    Attributes:
        score: The number.
        run: Name of the run, as a reader can find it.
        facts: run.json of the run, as far as it is known, with ``date`` (ISO day), ``version``,
            ``machine`` and ``report`` beside it.
    """

    score: Score
    run: str
    facts: Facts

    @property
    def dataset(self) -> str:
        """The data set that the score is of."""
        return str(self.facts.get("task", {}).get("name") or "unnamed")

    @property
    def split(self) -> Facts:
        """What the run says about the split of the score; {} where it says nothing."""
        known: Facts = self.facts.get("task", {}).get("splits", {}).get(self.score.split, {})
        return known

    @property
    def trial(self) -> bool:
        """From a run with limits on its data."""
        return self.facts.get("status") == "trial"

    @property
    def toy(self) -> bool:
        """From a trial, or from images that a program made."""
        return self.trial or self.score.synthetic


def read_rows(path: Path) -> list[RunRow]:
    """Scores of a run, a study or a file, without those of a validation split.

    Raises:
        BoardError: Unfinished, or no file of scores.
        RunError: The folder is no run.
    """
    rows = _read_file(path) if path.is_file() else _read_folder(path)
    return [r for r in rows if _counts(r)]


def pack(path: str | Path, *, command: str = "") -> dict[str, Any]:
    """A run or a study as one JSON object that :func:`read_rows` reads back.

    It holds what the board needs: facts, selected scores and points of the path, without weights,
    predictions, class names or anything that names a machine.

    Args:
        path: The folder.
        command: How it was made, for the record.

    Raises:
        BoardError: A run is unfinished, or there are no scores.
        RunError: The folder is no run.
    """
    runs: dict[str, dict[str, Any]] = {}
    for row in read_rows(Path(path)):
        if row.run not in runs:
            date = row.facts.get("date", "")
            runs[row.run] = {"name": row.run, "date": date, "facts": _packed_facts(row.facts),
                             "scores": []}  # fmt: skip
        runs[row.run]["scores"].append(_short(row.score))
    if not runs:
        raise BoardError(f"{path} holds no scores", expected="a finished run or study")
    return {"schema": 1, "command": command, "runs": list(runs.values())}


def _packed_facts(facts: Facts) -> dict[str, Any]:
    task = facts.get("task", {})
    splits = {
        name: {k: v for k, v in split.items() if k in _KEPT_OF_SPLIT}
        for name, split in task.get("splits", {}).items()
    }
    kept = {k: v for k, v in facts.items() if k in _KEPT}
    short = {"name": task.get("name", ""), "metric": task.get("metric", ""), "splits": splits,
             "notes": task.get("notes", [])}  # fmt: skip
    return {**kept, "task": short}


def _counts(row: RunRow) -> bool:
    validation = "val" in (row.score.split, row.split.get("use"))
    return math.isfinite(row.score.value) and not validation


def _short(score: Score) -> dict[str, Any]:
    """A score without the fields that have their default."""
    usual = {f.name: f.default for f in fields(Score) if f.default is not MISSING}
    data = {k: v for k, v in score.to_json().items() if k not in usual or usual[k] != v}
    return {k: v for k, v in data.items() if not (k == "extra" and not v)}


def _read_folder(path: Path) -> list[RunRow]:
    study = open_study(path)
    unfinished = [r.path.name for r in study.runs if r.status not in ("finished", "trial")]
    if unfinished:
        raise BoardError(
            f"{', '.join(unfinished)} of {path} is not finished",
            expected="finished runs",
            fix="go on with it (`surefoot fit ... --resume`), or add the others one by one",
        )
    rows = []
    for run in study.runs:
        name = _name(run, path)
        facts = {**run.facts, "date": _day(run), **_made(run, name)}
        rows += [RunRow(s, name, facts) for s in run.scores()]
    return rows


def _name(run: Run, path: Path) -> str:
    """``demo/lp-ft`` of a study, the folder's own name of a lone run."""
    whole = path.resolve()
    inner = run.path.resolve()
    return whole.name if inner == whole else f"{whole.name}/{inner.name}"


def _made(run: Run, name: str) -> dict[str, str]:
    """By what, where, and the report of it, as far as the folder says."""
    env = run.read_json("env.json") or {}
    words = (env.get("platform"), env.get("machine"), env.get("gpu"))
    return {
        "version": str(env.get("versions", {}).get("surefoot", "")),
        "machine": ", ".join(str(w) for w in words if w),
        "report": f"{name}/report.html" if (run.path / "report.html").is_file() else "",
    }


def _day(run: Run) -> str:
    """The day on which a run's scores were written."""
    file = run.path / "scores.jsonl"
    if not file.is_file():
        return ""
    return datetime.fromtimestamp(file.stat().st_mtime, timezone.utc).strftime("%Y-%m-%d")


def _read_file(path: Path) -> list[RunRow]:
    try:
        if path.suffix != ".json":
            data: Any = read_jsonl(path)
        else:
            data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and "runs" in data:
            return _packed(data)
        if isinstance(data, dict) and "rows" in data:
            return _table(data, path.name)
        rows = data["scores"] if isinstance(data, dict) else data
        scores = [Score.from_json(row) for row in rows]
    except (RunError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise BoardError(
            f"{path} is no file of score rows ({error!r})",
            expected="JSON lines as scores.jsonl of a run has them, a .json with a list of them, "
            "or what `surefoot board pack` wrote",
        ) from error
    facts: Facts = {"status": "finished", "task": {"name": path.stem}}
    return [RunRow(s, path.name, facts) for s in scores]


def _packed(data: Mapping[str, Any]) -> list[RunRow]:
    if data.get("schema", 1) > 1:
        raise RunError(f"a packed study has schema {data['schema']}", expected="at most 1")
    return [
        RunRow(Score.from_json(row), str(one["name"]), {**one["facts"], "date": one["date"]})
        for one in data["runs"]
        for row in one["scores"]
    ]


_ASKED = {"zero_shot": "zero-shot", "knn": "kNN classification"}


def _table(data: Mapping[str, Any], name: str) -> list[RunRow]:
    """Accuracies of encoders on the splits that serve design decisions ("val", "dev")."""
    rows = []
    for row in data["rows"]:
        base, _, label = str(row["model"]).partition(", ")
        method = _ASKED.get(row["evaluator"], base)
        split = f"{row['split']} {row['domain']}"
        score = Score(
            "top1",
            float(row["accuracy"]),
            int(row["n"]),
            float(row["low"]),
            float(row["high"]),
            "clopper-pearson",
            split,
            "ID" if row["split"] == "val" else "OOD",
            method=method,
            evaluator="head" if method != base else str(row["evaluator"]),
            selection="end",
            version=str(data["data"]["version"]),
        )
        facts = {
            "status": "finished",
            "label": label,
            "model": base if method != base else "",
            "date": str(data.get("date", "")),
            "task": {
                "name": str(data["data"]["name"]),
                "splits": {split: {"n": int(row["n"])}},
                "notes": [],
            },
        }
        rows.append(RunRow(score, name, facts))
    return rows
