"""``surefoot demo`` as a user types it, and its report in a real browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "study"
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", "demo", "--out", str(out), "--device", "cpu"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    for name in ("Zero-shot", "LP-FT", "oracle", "n=400"):
        assert name in done.stdout
    assert str(out / "report.html") in done.stderr
    return out


def test_every_method_has_a_path_with_intervals(demo: Path) -> None:
    members = json.loads((demo / "study.json").read_text())["members"]
    assert members == ["zero-shot", "lp", "ft", "lp-ft"]
    for member in members[1:]:
        rows = [json.loads(r) for r in (demo / member / "scores.jsonl").read_text().splitlines()]
        ends = {(r["split"], r["alpha"]): r for r in rows if r["selection"] == "none"}
        assert all(r["low"] <= r["value"] <= r["high"] for r in rows)
        zero = (demo / "zero-shot" / "scores.jsonl").read_text().splitlines()
        for row in map(json.loads, zero):
            assert ends[row["split"], 0.0]["value"] == row["value"]


def test_the_report_is_drawn_whole(demo: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: said.append(m.text))
    page.goto((demo / "report.html").as_uri())
    drawn = page.evaluate(
        "() => [...document.querySelectorAll('svg.chart')]"
        ".filter(s => getComputedStyle(s).display !== 'none').map(s => s.getBBox())"
        ".map(b => [b.width, b.height])"
    )
    assert len(drawn) >= 3
    assert all(width > 20 and height > 20 for width, height in drawn)
    loaded = page.evaluate("() => [...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert len(loaded) >= 10
    assert all(loaded)
    assert said == []
    assert not [u for u in asked if not u.startswith(("file:", "data:"))]
    page.close()
