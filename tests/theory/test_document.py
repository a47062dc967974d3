"""docs/theory.md says what results/theory.json holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from surefoot.report.theory_charts import geometric_mean
from surefoot.report.theory_pictures import theory_pictures

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "results" / "theory.json").read_text())
    return found


@pytest.fixture(scope="module")
def document() -> str:
    return (ROOT / "docs" / "theory.md").read_text()


def rows_below(document: str, heading: str) -> list[list[str]]:
    """The cells of the table whose header begins with ``heading``."""
    lines = document.split(heading, 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_command_is_named_in_both(result: dict[str, Any], document: str) -> None:
    assert result["command"] == "surefoot theory"
    assert "`surefoot theory` (five seeds; `results/theory.json`)" in document
    assert result["setting"]["seeds"] == 5


def test_verdicts_and_what_was_found(result: dict[str, Any], document: str) -> None:
    one, two, three, four, five = (s["numbers"] for s in result["statements"])
    ratios = [r["mean"] for r in four["ratio_by_eps"].values()]
    top = max(r["high"] for r in four["ratio_by_eps"].values())
    found = [
        f"lowest {one['lowest']:.3f}; at ε = 0.01 at least "
        f"{one['least_ratio_to_lp']:,.0f} times LP",
        f"{two['mean']:.3f} ({two['low']:.3f} to {two['high']:.3f})",
        f"at most {three['highest_ft_and_lp_ft']:.1e}; LP at least {three['lowest_lp']:.1e}",
        f"ratio {min(ratios):.2f} to {max(ratios):.2f}; highest upper end {top:.2f}",
        f"at most {five['highest_outside']:.0e}; FT moves by at least {five['least_move_ft']:.2f}",
    ]
    table = rows_below(document, "| | statement |")
    assert [row[3] for row in table] == [s["verdict"] for s in result["statements"]]
    assert [plain(row[4]) for row in table] == [plain(words) for words in found]
    floors = one["proved_floor_by_seed"]
    assert f"{min(floors):.3f} to {max(floors):.3f} at ε = 0" in document.replace("\n  ", " ")


def plain(words: str) -> str:
    """Exponents as Python writes them or not: 2e-14, 2.1e-05."""
    return re.sub(r"e-0", "e-", words)


def test_losses_at_the_end(result: dict[str, Any], document: str) -> None:
    table = rows_below(document, "| ε | FT | LP | LP-FT |")
    assert [float(row[0]) for row in table] == result["setting"]["eps"]
    for row in table:
        for method, cell in zip(("ft", "lp", "lp-ft"), row[1:], strict=True):
            here = [r for r in result["rows"]
                    if r["method"] == method and r["eps"] == float(row[0])]  # fmt: skip
            for said, name in zip(cell.split(" / "), ("ood_end", "id_end"), strict=True):
                measured = geometric_mean([r[name] for r in here])
                if said == "0":
                    assert measured < 1e-14
                else:
                    digits = len(re.sub(r"e.*|^0\.0*|\.", "", said))
                    assert float(f"{measured:.{digits - 1}e}") == float(said)


def test_the_pictures_are_current_and_shown(result: dict[str, Any], document: str) -> None:
    for name, svg in theory_pictures(result).items():
        assert (ROOT / "docs" / name).read_text() == svg
        assert f"]({name})" in document
