"""The README does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_python_example_runs_and_is_short() -> None:
    [code] = blocks("python")
    statements = [line for line in code.splitlines() if line and not line.startswith(" ")]
    assert len(statements) < 10
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "recoloured" not in done.stdout
    assert "'test'" in done.stdout


def test_every_command_that_it_names_exists() -> None:
    from surefoot.cli.main import _COMMANDS

    named = set(re.findall(r"^surefoot (\w+)", "\n".join(blocks("sh")), flags=re.M))
    named |= set(re.findall(r"`surefoot (\w+)", README))
    assert named >= {"fit", "report", "eval", "export", "sweep", "merge", "check", "show", "ls"}
    assert named <= set(_COMMANDS)


def test_ci_calls_the_test_command() -> None:
    [command] = [b for b in blocks("sh") if "tools/check.py" in b]
    tail = command.strip().split("activate && ")[1]
    assert tail in (Path(__file__).parent.parent / ".ci" / "run").read_text()
