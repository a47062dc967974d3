"""docs/datasets.md holds the table that the registry makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.data.known.describe import counts, describe, table
from surefoot.data.known.find import known_dataset, known_names

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


def test_the_page_holds_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    held = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert held == table(), "run `python tools/write_datasets_table.py`"
    assert len(held.splitlines()) == 2 + len(known_names())


@pytest.mark.parametrize("name", known_names())
def test_a_description_says_everything(name: str) -> None:
    known, text = known_dataset(name), describe(known_dataset(name))
    for piece in (known.title, known.summary, known.licence, known.homepage, known.citation,
                  *known.layout, *known.notes, *known.needs):  # fmt: skip
        assert piece in text
    for split, expected in known.splits.items():
        assert f"{name}:{split}" in text
        assert counts(expected) in text
    assert "\n\n\n" not in text


def test_to_describe_them_all_no_heavy_library_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from surefoot.data.known.describe import table; table()"
         "; print({'torch', 'torchvision', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
