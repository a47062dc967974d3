"""The terminal's table."""

from __future__ import annotations

import pytest

from conftest import PLANS
from surefoot.report import render_terminal
from surefoot.runs import Study


@pytest.mark.parametrize("name", [*PLANS, "empty"])
@pytest.mark.parametrize("width", [40, 80, 160])
def test_fits(studies: dict[str, Study], name: str, width: int) -> None:
    text = render_terminal(studies[name], width)
    said = text.partition("\nsurefoot export ")[0]  # a command and code are never broken
    assert max(map(len, said.splitlines())) <= width
    assert "\x1b" not in text
    assert "nan" not in text.split()


def test_content(studies: dict[str, Study]) -> None:
    text = render_terminal(studies["usual"], 100)
    for words in (
        "Zero-shot",
        "LP-FT",
        "ID test",
        "Mean over shifts",
        "sketch",
        "n=160",
        "oracle: α chosen on the test set",
        "paired tests of all pairs, Holm",
        "One seed",
    ):
        assert words in text, words
    rows = [line for line in text.splitlines() if line.startswith("  α")]
    assert rows
    assert all("°" in line for line in rows if "oracle" in line)
    assert all("°" not in line for line in rows if "oracle" not in line)


def test_narrow_is_one_table_with_half_widths(studies: dict[str, Study]) -> None:
    text = render_terminal(studies["usual"], 80)
    assert sum(line.startswith("LP-FT  ") for line in text.splitlines()) == 1
    assert "±" in text


def test_many_shifts_go_on_below(studies: dict[str, Study]) -> None:
    text = render_terminal(studies["twenty"], 80)
    assert sum(line.startswith("Zero-shot  ") for line in text.splitlines()) > 1
    flat = " ".join(text.split())
    assert "19" in flat


def test_colour_only_on_request(studies: dict[str, Study]) -> None:
    assert "\x1b[1m" in render_terminal(studies["alone"], 100, colour=True)


def test_nothing_yet(studies: dict[str, Study]) -> None:
    text = render_terminal(studies["empty"], 80)
    assert "No scores yet." in text
    assert "Not every run finished" in text
