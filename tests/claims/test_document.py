"""docs/claims.md is what results/claims.json and the comments say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import yaml

from surefoot.claims.plan import full_plan
from surefoot.registry import METHODS
from surefoot.report.claims_page import claims_document, claims_page
from surefoot.report.claims_pictures import claims_pictures

ROOT = Path(__file__).parents[2]


def test_the_document_is_current_and_of_the_plan_in_the_code() -> None:
    result = json.loads((ROOT / "results" / "claims.json").read_text())
    comments = yaml.safe_load((ROOT / "results" / "claims_comments.yaml").read_text())
    assert (ROOT / "docs" / "claims.md").read_text() == claims_document(result, comments)
    assert result["plan"] == full_plan().to_dict()
    assert {r["number"] for r in result["claims"]} == set(range(1, 10))
    page = claims_page(result, comments)
    assert all(c["text"] in page for c in result["claims"] if c["number"] != 7)


def test_every_picture_is_current_and_shown() -> None:
    result = json.loads((ROOT / "results" / "claims.json").read_text())
    document = (ROOT / "docs" / "claims.md").read_text()
    drawn = claims_pictures(result)
    folder = ROOT / "docs" / "claims"
    assert {p.name: p.read_text() for p in folder.iterdir()} == drawn
    assert re.findall(r"\]\(claims/([^)]+)\)", document) == [n for n in drawn if "claim-" in n] + [
        n for n in drawn if "claim-" not in n
    ]
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
    decided = [r for r in result["claims"] if r["parts"]]
    for row in decided:
        svg = drawn[f"claim-{row['number']}-{row['set']}.svg"]
        for part in row["parts"]:
            assert escape(part["text"]) in svg


def test_what_the_costs_are_is_told_for_every_method() -> None:
    result = json.loads((ROOT / "results" / "claims.json").read_text())
    rows = {r["method"]: r for r in result["cost"]["table"]}
    assert sorted(rows) == METHODS.names()
    assert not [name for name, r in rows.items() if "failed" in r]
    assert all(r["fit_seconds"] > 0 and r["peak_mb"] > 0 for r in rows.values())
