"""docs/board.md tells the truth: its code runs, its commands exist, its figures were measured."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from surefoot.board.archive.export import export
from surefoot.cli.board import board_command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "board.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_python_example_prints_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = blocks("python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/board.md", "exec"), {})
    [expected] = re.findall(r"prints\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert said.getvalue().splitlines()[:1] == expected.splitlines()


COMMANDS = [
    line.partition("#")[0].strip()
    for block in blocks("")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("surefoot board")
]


def test_the_commands_were_found():
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line):
    words = line.split()[2:]
    command = board_command.commands[words[0]]
    known = {option for p in command.params for option in p.opts}
    assert {w for w in words if w.startswith("--")} <= known


def test_the_figures_are_those_of_the_benchmark():
    facts = json.loads((ROOT / "benchmarks" / "results" / "board_import.json").read_text())
    text = " ".join(PAGE.split())
    assert facts["papers"] >= 500_000
    assert f"{facts['papers']:,} papers ({facts['file_mb']:.0f} MB packed)" in text
    assert (
        f"{facts['imported_s']:.0f} s, {facts['papers_per_second']:,.0f} papers per second" in text
    )
    assert f"peak memory {facts['peak_memory_mb']:.0f} MB" in text
    assert f"{facts['peak_memory_before_import_mb']:.0f} MB of it before the import" in text
    assert f"{facts['board_mb'] / 1000:.1f} GB" in text
    assert facts["command"].removesuffix(" --words 150") in text


def test_the_figures_of_the_pages_and_of_the_site_are_measured():
    results = ROOT / "benchmarks" / "results"
    text = " ".join(PAGE.split())
    pages = json.loads((results / "board_pages.json").read_text())
    assert pages["rows"] == 10_000
    for words, figure in (
        ("The file opens in Chromium in {:.2f} s", "static_open_s"),
        ("its first sort over all rows takes {:.2f} s", "static_first_sort_of_all_rows_s"),
        ("The live page opens in {:.2f} s", "live_open_again_s"),
        ("ranked anew, in {:.2f} s", "live_open_after_a_change_s"),
        ("the worst of five in {:.2f} s", "live_open_after_a_change_worst_s"),
        ("The server's part of that is {:.2f} s", "live_first_s"),
        ("sorted and filtered {:.2f} s", "live_sorted_and_filtered_s"),
    ):
        assert words.format(pages[figure]) in text, figure
    site = json.loads((results / "board_site.json").read_text())
    assert site["command"] in text
    assert (
        f"{site['pages']:,} pages, {site['site_mb']:.0f} MB, in {site['exported_s']:.0f} s" in text
    )
    assert f"{site['pages_per_second']:.0f} pages per second" in text
    assert f"peak memory {site['peak_memory_mb']:.0f} MB, data files included" in text


def test_the_files_of_an_export_are_those_of_the_table(store, tmp_path):
    written = {f.name for f in export(store, tmp_path).files}
    table = PAGE.partition("## Exports")[2].partition("##")[0]
    assert set(re.findall(r"`([\w.-]+\.(?:json|csv|yml|txt))`", table)) == written
