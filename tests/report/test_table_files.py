"""The table in files says what the terminal and the page say, and nothing in it is markup."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import PLANS
from surefoot.cli.compare import compare_command
from surefoot.report.gather import gather
from surefoot.report.paired import Pairing
from surefoot.report.table import build_table
from surefoot.report.table_files import write_table
from surefoot.runs import Study, open_study


def written(study: Study, folder: Path, suffix: str) -> str:
    path = folder / f"table{suffix}"
    write_table(study, path)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["usual", "seeds", "none"])
def test_csv_has_a_row_for_every_number_of_the_table(
    studies: dict[str, Study], tmp_path: Path, name: str
) -> None:
    text = written(studies[name], tmp_path, ".csv")
    notes = [line for line in text.splitlines() if line.startswith("# ")]
    rows = list(csv.DictReader(x for x in text.splitlines() if not x.startswith("#")))
    view = gather(studies[name])
    table = build_table(view, Pairing(view))
    found = {(r["method"], r["alpha_by"], r["split"]): r for r in rows}
    assert len(found) == len(rows)
    assert len(rows) == sum(bool(c.text) for r in table.rows for c in r.cells)
    for entry, row in zip(view.entries, table.rows, strict=True):
        for column, shown in zip(table.columns, row.cells, strict=True):
            if not shown.text:
                continue
            cell, label = entry.cells[column.key], view.labels.get(entry.group, entry.label)
            mine = found[label, " ".join(entry.rules), column.key]
            assert float(mine["value"]) == cell.value
            assert mine["mark"] == shown.state
            assert int(mine["images"]) == cell.n
            if cell.interval:
                assert (float(mine["low"]), float(mine["high"])) == (
                    cell.interval.low, cell.interval.high)  # fmt: skip
            else:
                assert (mine["low"], mine["high"]) == ("", "")
                assert mine["interval"].startswith("none")
    assert any("95 % intervals" in n for n in notes)
    one = any(n.startswith("# One seed") for n in notes)
    assert one == (name != "seeds")


def test_latex_and_markdown_have_the_tables_numbers_and_marks(
    studies: dict[str, Study], tmp_path: Path
) -> None:
    view = gather(studies["usual"])
    table = build_table(view, Pairing(view))
    tex = written(studies["usual"], tmp_path, ".tex").splitlines()
    body = tex[tex.index("\\midrule") + 1 : tex.index("\\bottomrule")]
    md = [x for x in written(studies["usual"], tmp_path, ".md").splitlines() if x.startswith("|")]
    assert len(body) == len(table.rows) == len(md) - 2
    for row, latex, mark in zip(table.rows, body, md[2:], strict=True):
        cells, plain = latex.removesuffix(" \\\\").split(" & "), mark.strip("| ").split(" | ")
        assert len(cells) == len(plain) == len(row.cells) + 1
        for shown, a, b in zip(row.cells, cells[1:], plain[1:], strict=True):
            assert re.sub(r"\\textbf\{([\d.]+)\}", r"\1", a).startswith(shown.text)
            assert ("$^{*}$" in a) == ("\\*" in b) == (shown.state in ("best", "tie"))
            assert ("\\circ" in a) == ("°" in b) == (shown.state == "oracle")


def specials(tex: str) -> list[str]:
    """What LaTeX would read as markup, beside what the table itself is made of."""
    word = r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}"
    for ours in (r" \\\\$", word, r"\\[{}&%$#_,]", r"\{''\}", r"\\textbf\{[\d.]+\}",
                 r"\$(\^\{\*\}|\^\{\\circ\}|\\alpha|\\pm|-)\$", r"\\quad",
                 r"\{\\scriptsize [^{}&]*\}", r" & "):  # fmt: skip
        tex = re.sub(ours, " ", tex, flags=re.M)
    return re.findall(r"[\\{}&%$#_^~<>|\"]", tex)


@pytest.mark.parametrize("name", [*PLANS, "empty"])
def test_names_are_no_markup(studies: dict[str, Study], tmp_path: Path, name: str) -> None:
    tex = written(studies[name], tmp_path, ".tex")
    lines = tex.splitlines()
    assert all(x.startswith("%") for x in lines[: lines.index(next(
        x for x in lines if x.startswith("\\begin{tabular}")))])  # fmt: skip
    for line in lines[lines.index("\\toprule") + 1 : lines.index("\\bottomrule")]:
        assert line == "\\midrule" or specials(line) == [], line
    md = written(studies[name], tmp_path, ".md")
    assert "<" not in md
    widths = {len(re.findall(r"(?<!\\)\|", x)) for x in md.splitlines() if x.startswith("|")}
    assert len(widths) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("name", ["usual", "hostile", "twenty"])
def test_latex_compiles(studies: dict[str, Study], tmp_path: Path, name: str) -> None:
    written(studies[name], tmp_path, ".tex")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\noindent\n"
        "\\input{table.tex}\n\\end{document}\n"
    )
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    done = subprocess.run([*words, "paper.tex"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]


def test_compare_takes_studies_beside_runs_and_writes_by_suffix(
    studies: dict[str, Study], tmp_path: Path
) -> None:
    usual, lone = studies["usual"].path, studies["one"].path
    files = [tmp_path / f"x{s}" for s in (".csv", ".tex", ".md", ".html")]
    options = [word for f in files for word in ("--out", str(f))]
    done = CliRunner().invoke(compare_command, [str(usual), str(lone), *options])
    assert done.exit_code == 0, done.output
    assert all(f.is_file() for f in files)
    both = open_study(usual, lone)
    assert len(both.runs) == len(studies["usual"].runs) + 1
    assert "What to ship: " in done.stdout
    asked = CliRunner().invoke(compare_command, [str(usual), str(lone), "--json"])
    rows = [json.loads(line) for line in asked.stdout.splitlines()]
    assert {r["run"] for r in rows} == {r.path.name for r in both.runs}
    refused = CliRunner().invoke(
        compare_command, [str(usual), "--baseline", "imagenet-testbed", "--out", str(files[0])]
    )
    assert refused.exit_code == 2
    assert "--baseline writes one page" in refused.output
