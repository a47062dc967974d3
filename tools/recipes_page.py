"""Write the generated table into docs/recipes.md: python tools/recipes_page.py."""

from __future__ import annotations

import re
from pathlib import Path

from surefoot.recipes.papers import markdown_table

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(r"\| recipe \|.*?\n(?!\|)", lambda _: markdown_table(), text, flags=re.S),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
