"""Recorded results come out again to the last digit; what was written before still opens."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from .cases import CASES, GROUPS
from .commands import Said, surefoot
from .compare import differences, other_versions, roughly
from .settings import run, versions

RESULTS = Path(__file__).parent / "results"


class OnlyRoughly(UserWarning):
    """A record was compared to a tolerance, not to the last digit."""


def test_every_case_is_in_a_group_and_recorded() -> None:
    assert sorted(c for group in GROUPS.values() for c in group) == sorted(CASES)
    recorded = [json.loads(p.read_text())["case"] for p in RESULTS.glob("*.json")]
    assert set(recorded) == set(CASES)
    assert len(recorded) >= 20


@pytest.mark.slow
@pytest.mark.filterwarnings("default::tests.records.test_records.OnlyRoughly")
@pytest.mark.parametrize("group", GROUPS)
def test_recorded_results_come_out_again(group: str, tmp_path: Path) -> None:
    """Equal to the last digit; after other versions of what computes, within a few images.

    An equal record is never looked at twice. One that differs where every version is the same is
    a fault; where versions differ, accuracies may be off by ``compare.IMAGES`` images, and a
    warning says that no more was compared.
    """
    run(GROUPS[group], tmp_path / "found", tmp_path / "place")
    wrong, rough = [], []
    for file in sorted(RESULTS.glob("*.json")):
        kept = json.loads(file.read_text())
        if kept["case"] not in GROUPS[group]:
            continue
        found = json.loads((tmp_path / "found" / file.name).read_text())
        exact = [f"{file.stem}: {d}" for d in differences(kept["numbers"], found["numbers"])]
        others = other_versions(kept["versions"], versions())
        if exact and others:
            left = [f"{file.stem}: {d}" for d in roughly(kept["numbers"], found["numbers"])]
            wrong += left + ([] if not left else [f"{file.stem}: {', '.join(others)}"])
            rough.append(f"{file.stem}: {len(exact)} places differ; {', '.join(others)}")
        else:
            wrong += exact
    if rough:
        told = "compared within a few images only, since versions differ:\n  " + "\n  ".join(rough)
        warnings.warn(told, OnlyRoughly, stacklevel=1)
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:200])


def test_a_difference_in_the_last_digit_is_found() -> None:
    kept = {"a": [0.1, {"b": None}], "gone": 1}
    assert list(differences(kept, {"a": [0.1, {"b": None, "new": 2}], "gone": 1})) == []
    found = {"a": [0.1 + 2**-56, {"b": 0}]}
    told = list(differences(kept, found))
    assert told[0] == f"/a[0]: 0.1 was recorded, {0.1 + 2**-56!r} came out"
    assert told[1:] == ["/a[1]/b: None was recorded, 0 came out", "/gone: is missing"]
    assert list(differences([1], [1, 2])) == [": [1] was recorded, [1, 2] came out"]


def test_what_is_roughly_the_same() -> None:
    columns = ["method", "seed", "split", "evaluator", "selection", "alpha", "metric", "value", "n"]

    row = ["ft", 0, "test", "head"]

    def table(value: float, alpha: float, selection: str = "none") -> dict[str, object]:
        return {"columns": columns, "rows": [[*row, selection, alpha, "top1", value, 24]]}

    assert list(roughly({"s": table(0.5, 1)}, {"s": table(15 / 24, 1)})) == []
    (told,) = roughly({"s": table(0.5, 1)}, {"s": table(16 / 24, 1)})
    assert told.startswith("/s ft 0 test head none 1 top1: 0.5 was recorded")
    assert list(roughly({"s": table(0.5, 0.3, "id_val")}, {"s": table(0.9, 0.7, "id_val")})) == []
    assert next(roughly({"s": table(0.5, 1)}, {"s": {}})).endswith("is missing")
    assert list(roughly({"a": {"b": 1}}, {"a": {"c": 1}})) == ["/a/b: is missing"]
    chosen = [{"predictions": {f"test@{alpha}.npz": 1}} for alpha in (0.3, 0.7)]
    assert list(roughly(*chosen)) == []
    assert other_versions({"torch": "1"}, {"torch": "2"}) == ["torch 1 (here 2)"]


def test_what_is_refused_with_a_command_is_migrated() -> None:
    """The contract of later versions: open what was written, or name what migrates it."""
    migrated: list[str] = []

    def later(command: list[str]) -> Said:
        if command[0] == "migrate":
            migrated.append(command[1])
            return Said(0, "", "")
        if migrated:
            return Said(0, "opened", "")
        return Said(1, "", "surefoot: a run of schema 1\n  to fix:   `surefoot migrate 'a run'`\n")

    assert surefoot("report", "a run", typed=later).out == "opened"
    assert migrated == ["a run"]
    with pytest.raises(AssertionError, match="exit 1"):
        surefoot("x", typed=lambda command: Said(1, "", "surefoot: no\n  to fix:   pray\n"))
    with pytest.raises(AssertionError, match="surefoot mend"):
        surefoot("x", typed=lambda command: Said(1, "", "  to fix:   run `surefoot mend it`"))
