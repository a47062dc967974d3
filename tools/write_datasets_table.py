"""Writes the table of published data sets in docs/datasets.md anew, from the registry.

python tools/write_datasets_table.py
"""

from __future__ import annotations

from pathlib import Path

from surefoot.data.known.describe import table
from surefoot.records import write_atomic

PAGE = Path(__file__).parents[1] / "docs" / "datasets.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    write_atomic(PAGE, f"{head}{BEGIN}{table()}{END}{tail}")


if __name__ == "__main__":
    main()
