"""The inventories that docs/own-data.md quotes are what the commands beside them print."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from surefoot.cli.main import cli

from .test_inventory_agreement import typed

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "own-data.md").read_text()


def quoted(heading: str) -> list[tuple[list[str], list[str]]]:
    """(words of a command, lines that it prints) of each command of a section."""
    section = DOCUMENT.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", section, re.S)
    return [
        (shlex.split(command.replace("\\\n", " ").strip().splitlines()[-1]), text.splitlines())
        for command, text in blocks
    ]


@pytest.mark.parametrize("at", [0, 1])
def test_the_quoted_inventories_are_exact(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(ROOT / "tools" / "messy_drawings.py"))["make"](tmp_path / "drawings")
    monkeypatch.chdir(tmp_path)
    [(words, lines)] = quoted("A folder of drawings")[at : at + 1]
    assert words[:2] == ["surefoot", "check"]
    typed(words[1:])
    assert capsys.readouterr().out.splitlines() == lines


def test_the_page_names_only_commands_that_there_are() -> None:
    for name in re.findall(r"surefoot (\w+)", DOCUMENT):
        assert name in cli.list_commands(None) or name in ("ls",), name  # type: ignore[arg-type]
