"""docs/versions.md names every requirement, and check.py --lowest installs exactly the bounds."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path
from venv import EnvBuilder

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"
if str(TOOLS) not in sys.path:
    sys.path.insert(0, str(TOOLS))

import lowest  # noqa: E402

WRITTEN = lowest.requirements()


def test_the_page_gives_a_reason_for_every_requirement() -> None:
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", page, flags=re.M)
    assert [row[0] for row in rows] == WRITTEN


@pytest.mark.parametrize("line", WRITTEN)
def test_a_requirement_has_a_lower_bound_and_no_upper_one(line: str) -> None:
    assert [s.operator for s in Requirement(line).specifier] == [">="]


def test_a_library_has_one_bound_for_each_python() -> None:
    pins = lowest.constraints()
    assert len({Requirement(p).name for p in pins}) == len(pins)
    assert {Requirement(p).name for p in pins} == {Requirement(r).name for r in WRITTEN}


def test_the_lowest_versions_are_pinned_exactly() -> None:
    assert "torch==2.10" in lowest.constraints()
    later = sys.version_info >= (3, 11)
    assert ("pillow==13" in lowest.constraints()) is later
    assert ("pillow==12.3" in lowest.constraints()) is not later


def test_loading_weights_only_is_safe_with_the_bound() -> None:
    """CVE-2025-32434 was fixed in torch 2.6.0, CVE-2026-24747 in 2.10.0."""
    torch = next(Requirement(r) for r in WRITTEN if Requirement(r).name == "torch")
    assert "2.9.1" not in torch.specifier
    assert Version(version("torch")) >= Version("2.10")


def test_check_installs_the_pins_outside_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(lowest.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(lowest.venv, "EnvBuilder", lambda with_pip: EnvBuilder(with_pip=False))
    monkeypatch.setattr(lowest.subprocess, "run", lambda command, **_: ran.append(command))
    python = lowest.prepare()
    assert Path(python).is_relative_to(tmp_path)
    assert Path(python).exists()
    (command,) = ran
    assert command[0] == python
    pins = Path(command[command.index("--constraint") + 1])
    assert pins.read_text(encoding="utf-8").splitlines() == lowest.constraints()
