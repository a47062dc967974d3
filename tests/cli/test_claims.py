"""``surefoot claims`` as a user types it: a tiny study, stopped and gone on with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from surefoot.claims import cost, timing
from surefoot.claims import plan as plans
from surefoot.cli.main import cli
from surefoot.errors import RunError


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small size, smaller still: one method pair, few images, no alpha between the ends."""
    whole = plans.small_plan()
    first = replace(whole.sets[0], limits={"train": 620, "val": 62, "test": 62, "shift": 31})
    small = replace(
        whole,
        sets=(first, whole.sets[1]),
        cost={"train": 128, "epochs": 1, "repeats": 2, "rounds": 1},
    )
    monkeypatch.setattr(plans, "small_plan", lambda: small)
    monkeypatch.setattr(timing, "_PREDICTIONS", 1)
    monkeypatch.setattr(
        cost, "_in_a_child", lambda name, **_: {"method": name, "failed": "left out"}
    )


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, ["claims", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_study_in_two_sittings(tmp_path: Path) -> None:
    out, document = tmp_path / "claims", tmp_path / "claims.md"
    first = run("--out", str(out), "--only", "theory")
    assert "theory: done" in first
    assert "this part was not run" not in (out / "claims.html").read_text().split("pictograms")[0]
    before = (out / "theory.json").stat().st_mtime_ns
    run("--out", str(out), "--only", "theory", "--only", "cost", "--document", str(document))
    assert (out / "theory.json").stat().st_mtime_ns == before
    result = json.loads((out / "claims.json").read_text())
    assert result["size"] == "small"
    verdicts = {(r["number"], r["set"]): r["verdict"] for r in result["claims"]}
    assert verdicts[8, "linear networks"] == "not decided"  # the small size decides nothing
    assert verdicts[1, "cifar10"] == "does not apply"
    statements = next(r for r in result["claims"] if r["number"] == 8)["statements"]
    assert len(statements) == 5
    text = document.read_text()
    assert "| 9 | WiSE-FT costs nothing extra in training or inference |" in text
    assert "not measured: left out" in text


def test_pages_are_made_again_from_the_numbers_alone(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "results" / "claims.json"
    document = tmp_path / "again.md"
    said = run("--from", str(kept), "--document", str(document))
    assert f"pictures in {tmp_path / 'again'}" in said
    shown = re.findall(r"\]\((again/[^)]+\.svg)\)", document.read_text())
    assert sorted(shown) == sorted(f"again/{p.name}" for p in (tmp_path / "again").iterdir())
    assert not list(tmp_path.glob("*.html"))  # no folder was named

    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    done = CliRunner().invoke(cli, ["claims", "--from", str(wrong)])
    assert isinstance(done.exception, RunError)
    assert "is not what `surefoot claims` writes" in str(done.exception)


def test_cifar10_without_its_data_says_what_is_missing(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["claims", "--out", str(tmp_path / "x"), "--only", "cifar10"])
    assert done.exit_code == 1
    assert "--cifar10 DIR" in str(done.exception)
