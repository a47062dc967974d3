"""docs/statistics.md's tables and its picture, written from the results.

python benchmarks/coverage_page.py            # writes them
python benchmarks/coverage_page.py --check    # fails where they say something else
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.drawing import Frame, Linear, Node, el, figure
from surefoot.drawing.marks import point, text
from surefoot.drawing.standalone import standalone_svg

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
PAGE, PICTURE = DOCS / "statistics.md", DOCS / "statistics.svg"

Row = Mapping[str, Any]


def by_statement(rows: Mapping[str, Row]) -> dict[str, list[Row]]:
    """Statement -> its rows, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows.values():
        found.setdefault(row["statement"], []).append(row)
    return found


def table(rows: Sequence[Row], equal: bool) -> list[str]:
    """One statement's settings as Markdown."""
    if equal:
        head = ["| setting | called different in |", "|---|---|"]
        return head + [f"| {r['setting']} | {_errs(r)} |" for r in rows]
    head = ["| setting | covers | too high / too low | width | shown | form |",
            "|---|---|---|---|---|---|"]  # fmt: skip
    return head + [_line(r) for r in rows]


def _errs(row: Row) -> str:
    if not row["shown"]:
        return "0 %: nothing is said"
    return f"{100 * (row['too_high'] + row['too_low']) / row['studies']:.1f} %"


def _line(row: Row) -> str:
    shown = f"{100 * row['shown'] / row['studies']:.0f} %"
    if not row["shown"]:
        return f"| {row['setting']} | not shown | | | {shown} | |"
    sides = " / ".join(f"{100 * row[k] / row['shown']:.1f}" for k in ("too_high", "too_low"))
    scarce = row["shown"] < row["studies"] / 2
    covers = f"({100 * row['covers']:.1f} %)" if scarce else f"{100 * row['covers']:.1f} %"
    forms = ", ".join(row["kinds"])
    return f"| {row['setting']} | {covers} | {sides} | {row['width']:.3g} | {shown} | {forms} |"


def picture(rows: Mapping[str, Row]) -> str:
    """Coverage of every setting by statement; hollow where the form is exact or Bonferroni."""
    found = {k: v for k, v in by_statement(rows).items() if not v[0]["errs"]}
    left, top, step = 250.0, 26.0, 24.0
    frame = Frame(Linear(0.9, 1.0, left, 760.0), Linear(0.0, 1.0, top + step * len(found), top))
    box, parts = frame.box, [frame.grid_x([0.9, 0.93, 0.95, 0.98, 1.0], unit=" %")]
    band = el("rect", class_="band h2", x=frame.x(0.93), y=box.top, height=box.bottom - box.top,
              width=frame.x(0.98) - frame.x(0.93))  # fmt: skip
    for number, (name, group) in enumerate(found.items()):
        y = top + step * (number + 0.5)
        parts.append(text(left - 10, y + 4, name, anchor="end"))
        parts += [_dot(frame, row, y) for row in group if row["shown"] >= row["studies"] / 2]
    title = "How often 95 % intervals hold the truth"
    words = "Every simulated setting by statement; the range from 93 to 98 % is shaded."
    drawn = figure("coverage", 780, box.bottom + 34, title, words, band, parts)
    return standalone_svg([drawn], title)


def _dot(frame: Frame, row: Row, y: float) -> Node:
    tip = f"{row['setting']}: {100 * row['covers']:.1f} %"
    exact = bool(row["exact"])
    mark = point(frame.x(max(row["covers"], 0.9)), y, r=4, hollow=exact, tip=tip)
    return el("g", mark, class_="h1" if exact else "h0")


def page(text_of_page: str, told: Mapping[str, Any]) -> str:
    """The page with its tables as the results have them."""
    tables = by_statement(told["rows"])
    lines = []
    for name, rows in tables.items():
        lines += [f"### {name[0].upper()}{name[1:]}", "", *table(rows, rows[0]["errs"]), ""]
    marked = re.compile(r"(<!-- coverage -->\n).*?(<!-- end -->)", re.DOTALL)
    body = "\n".join(
        ["", f"`{told['command']}`, {told['studies']:,} studies a setting.", "", *lines]
    )
    return marked.sub(lambda m: m[1] + body + "\n" + m[2], text_of_page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    told = json.loads((HERE / "results" / "coverage.json").read_text(encoding="utf-8"))
    now = PAGE.read_text(encoding="utf-8")
    wanted = {PAGE: page(now, told), PICTURE: picture(told["rows"])}
    if options.check:
        stale = [f.name for f, t in wanted.items() if not f.is_file() or f.read_text("utf-8") != t]
        sys.exit(f"not what the results say: {', '.join(stale)}" if stale else 0)
    for file, content in wanted.items():
        file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
