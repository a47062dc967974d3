"""Parts of a study that another machine carried out: its claims.json stands for their run folders.

Every part is decided by its own comparisons; only Holm's correction looks at all of them. So a
study may be spread over machines: each runs some parts with the same plan, and one of them takes
up the others' files and corrects over everything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..records import write_atomic
from .plan import Plan

__all__ = ["Elsewhere", "keep_elsewhere", "read_elsewhere"]

_FOLDER = "elsewhere"


@dataclass(frozen=True)
class Elsewhere:
    """What other machines found, the first file that has something before the next.

    Attributes:
        files: Contents of their claims.json.
    """

    files: tuple[dict[str, Any], ...] = ()

    def row(self, number: int, name: str) -> dict[str, Any] | None:
        """A claim's answer on a data set, with its parts; None where nobody has one."""
        for file in self.files:
            for row in file["claims"]:
                if (row["number"], row["set"]) == (number, name) and _answered(row):
                    return dict(row)
        return None

    def accuracy(self, name: str) -> list[dict[str, Any]]:
        """The table of a data set; empty where nobody has one."""
        tables = ([r for r in file["accuracy"] if r["set"] == name] for file in self.files)
        return next((t for t in tables if t), [])

    def tuning(self, name: str) -> dict[str, Any]:
        """The trials of learning rates on a data set."""
        return next((f["tuning"][name] for f in self.files if f["tuning"].get(name)), {})

    def cost(self) -> Any:
        """What the methods cost; None where nobody measured."""
        return next((f["cost"] for f in self.files if f["cost"] is not None), None)

    def about(self, own: Sequence[str]) -> list[dict[str, Any]]:
        """For the record: which parts came from which machine.

        Args:
            own: Parts that this machine's folder answers.
        """
        found, taken = [], set(own)
        for file in self.files:
            sets = dict.fromkeys(_part_of(r) for r in file["claims"] if _answered(r))
            parts = [name for name in sets if name not in taken]
            taken |= set(parts)
            if parts:
                found.append({"parts": parts, "environment": file["environment"]})
        return found


def _answered(row: dict[str, Any]) -> bool:
    return "p" in row or "statements" in row or "wise" in row


def _part_of(row: dict[str, Any]) -> str:
    """The part of the study that an answer belongs to."""
    return {8: "theory", 9: "cost"}.get(row["number"], str(row["set"]))


def keep_elsewhere(plan: Plan, out: Path, files: Sequence[Path]) -> None:
    """Copy what other machines answered under the same plan into the study's folder.

    A part counts whose own plan (data, methods, grid, alphas, seeds) is the same; other parts of
    a file are left behind.

    Raises:
        RunError: One is no claims.json, or no part of it was carried out under this plan.
    """
    for number, path in enumerate(files, 1):
        content = _read(path)
        theirs = Plan.of(content["plan"])
        answered = dict.fromkeys(_part_of(r) for r in content["claims"] if _answered(r))
        same = [name for name in answered if theirs.part(name) == plan.part(name)]
        if not same:
            raise RunError(
                f"{path} answers nothing under this study's plan",
                expected="a part with the same data, methods, grid, alphas and seeds",
                fix="run the missing parts here, or both studies with one version of surefoot",
            )
        kept = {
            **content,
            "claims": [r for r in content["claims"] if _answered(r) and _part_of(r) in same],
            "accuracy": [r for r in content["accuracy"] if r["set"] in same],
            "tuning": {k: v for k, v in content["tuning"].items() if k in same},
            "cost": content["cost"] if "cost" in same else None,
        }
        folder = out / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"{number}.json", json.dumps(kept, indent=1) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or not {"claims", "plan", "accuracy"} <= set(content):
        raise RunError(
            f"{path} is not what `surefoot claims` writes",
            expected="the claims.json of a study",
        )
    return content


def read_elsewhere(out: Path) -> Elsewhere:
    """What :func:`keep_elsewhere` put into a folder."""
    files = sorted((out / _FOLDER).glob("*.json"), key=lambda f: int(f.stem))
    return Elsewhere(tuple(json.loads(f.read_text(encoding="utf-8")) for f in files))
