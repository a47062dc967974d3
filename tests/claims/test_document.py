"""docs/claims.md is what results/claims.json and the comments say."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from surefoot.claims.plan import full_plan
from surefoot.report.claims_page import claims_document, claims_page

ROOT = Path(__file__).parents[2]


def test_the_document_is_current_and_of_the_plan_in_the_code() -> None:
    result = json.loads((ROOT / "results" / "claims.json").read_text())
    comments = yaml.safe_load((ROOT / "results" / "claims_comments.yaml").read_text())
    assert (ROOT / "docs" / "claims.md").read_text() == claims_document(result, comments)
    assert result["plan"] == full_plan().to_dict()
    assert {r["number"] for r in result["claims"]} == set(range(1, 10))
    page = claims_page(result, comments)
    assert all(c["text"] in page for c in result["claims"] if c["number"] != 7)
