"""A study spread over machines: another one's claims.json stands for parts not run here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from surefoot.claims.elsewhere import Elsewhere, keep_elsewhere, read_elsewhere
from surefoot.claims.plan import LANGUAGE, Plan, full_plan, small_plan
from surefoot.claims.study import run_claims, summarise
from surefoot.errors import RunError
from surefoot.stats import holm

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "results" / "claims.json").read_text())
    return found


def only(result: dict[str, Any], *parts: str) -> dict[str, Any]:
    """What a machine that ran these parts alone would have written."""

    def there(row: dict[str, Any]) -> bool:
        return {8: "theory", 9: "cost"}.get(row["number"], row["set"]) in parts

    bare = ("number", "text", "source", "set")
    rows = [
        r
        if there(r) or r["verdict"] == "does not apply"
        else {k: r[k] for k in bare} | {"verdict": "not decided", "why": "not run", "parts": []}
        for r in result["claims"]
    ]
    return {
        **result,
        "claims": rows,
        "accuracy": [r for r in result["accuracy"] if r["set"] in parts],
        "tuning": {k: v if k in parts else {} for k, v in result["tuning"].items()},
        "cost": result["cost"] if "cost" in parts else None,
    }


def written(folder: Path, name: str, content: dict[str, Any]) -> Path:
    file = folder / name
    file.write_text(json.dumps(content))
    return file


def test_a_plan_comes_back_from_plain_data() -> None:
    for plan in (full_plan(), small_plan()):
        assert Plan.of(plan.to_dict()) == plan
        assert Plan.of(plan.to_dict()).hash() == plan.hash()


def test_a_part_of_a_plan_is_what_concerns_it() -> None:
    plan = full_plan()
    longer = replace(plan, sets=(replace(plan.sets[0], limits={}), *plan.sets[1:]))
    assert longer.part("pictograms") != plan.part("pictograms")
    assert longer.part("cifar10") == plan.part("cifar10")
    assert longer.part(LANGUAGE) == plan.part(LANGUAGE)
    assert replace(plan, grid=(1e-3,)).part(LANGUAGE) == plan.part(LANGUAGE)
    assert replace(plan, seeds=(0,)).part(LANGUAGE) != plan.part(LANGUAGE)


def test_two_machines_together_are_the_whole_study(
    committed: dict[str, Any], tmp_path: Path
) -> None:
    plan = full_plan()
    files = [
        written(tmp_path, "a.json", only(committed, "pictograms", "theory")),
        written(tmp_path, "b.json", only(committed, "cifar10", LANGUAGE, "cost")),
    ]
    out = tmp_path / "study"
    result = run_claims(plan, out, parts=(), also=files)
    assert result["claims"] == committed["claims"]
    assert result["accuracy"] == committed["accuracy"]
    assert result["tuning"] == committed["tuning"]
    assert result["cost"] == committed["cost"]
    assert [e["parts"] for e in result["elsewhere"]] == [
        ["pictograms", "theory"],
        ["cifar10", LANGUAGE, "cost"],
    ]
    # They stay in the folder: the next call needs no file.
    assert summarise(plan, out)["claims"] == committed["claims"]


def test_holm_looks_at_all_that_is_there(committed: dict[str, Any], tmp_path: Path) -> None:
    part = only(committed, "pictograms")
    result = run_claims(
        full_plan(), tmp_path / "study", parts=(), also=[written(tmp_path, "a.json", part)]
    )
    tested = [r for r in result["claims"] if "p" in r]
    assert {r["set"] for r in tested} == {"pictograms"}
    for row, adjusted in zip(tested, holm([r["p"] for r in tested]), strict=True):
        assert row["p_holm"] == pytest.approx(float(adjusted))


def test_parts_under_another_plan_are_left_behind(
    committed: dict[str, Any], tmp_path: Path
) -> None:
    changed = json.loads(json.dumps(committed))
    changed["plan"]["sets"][0]["entrants"][0]["key"] = "other"
    keep_elsewhere(full_plan(), tmp_path, [written(tmp_path, "a.json", changed)])
    found = read_elsewhere(tmp_path)
    assert found.row(1, "pictograms") is None
    assert found.accuracy("pictograms") == []
    assert found.row(2, "cifar10") is not None


def test_a_file_that_answers_nothing_is_refused(committed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="answers nothing under this study's plan"):
        keep_elsewhere(small_plan(), tmp_path, [written(tmp_path, "a.json", committed)])
    with pytest.raises(RunError, match="is not what `surefoot claims` writes"):
        keep_elsewhere(full_plan(), tmp_path, [written(tmp_path, "b.json", {"claims": []})])
    assert read_elsewhere(tmp_path) == Elsewhere()
