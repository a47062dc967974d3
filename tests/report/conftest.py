"""Studies of several shapes, made once; and a browser where one is found."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from make_study import Plan, make_study
from tests.browser import chromium

from surefoot.report import render
from surefoot.runs import Study, open_study

HOSTILE = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"

PLANS = {
    "usual": Plan(n=160),
    "seeds": Plan(n=60, seeds=3, shifts=("solid", "sketch")),
    "twenty": Plan(
        n=40,
        shifts=tuple(f"shift {i}" for i in range(20)),
        synthetic=tuple(f"shift {i}" for i in range(10, 20)),
        methods=Plan().methods[:3],
    ),
    "one": Plan(n=80, shifts=("sketch",), methods=Plan().methods[2:3], status="interrupted"),
    "none": Plan(n=60, shifts=(), keep=False, status="trial", log=False),
    "alone": Plan(n=60, methods=Plan().methods[:1]),
    "thousand": Plan(n=30, classes=1000, shifts=("a", "b"), methods=Plan().methods[:3]),
    "hostile": Plan(
        n=40,
        shifts=(f"shift {HOSTILE}",),
        class_names=tuple(f"{HOSTILE} {i}" for i in range(12)),
        methods=(("zero-shot", f"Z {HOSTILE}", 0.7, 0.5), ("ft", f"FT {HOSTILE}", 0.8, 0.55)),
        title=HOSTILE,
    ),
}
LONE = ("one", "alone")


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    """Name -> study; a run without scores comes on top."""
    root = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        # Thousands of small files: nothing here has to survive a power cut.
        patch.setattr(os, "fsync", lambda fd: None)
        return _make(root)


def _make(root: Path) -> dict[str, Study]:
    out = {k: make_study(root / k, plan, lone=k in LONE) for k, plan in PLANS.items()}
    (root / "empty").mkdir()
    (root / "empty" / "run.json").write_text('{"status": "running", "method": "ft"}')
    out["empty"] = open_study(root / "empty")
    return out


@pytest.fixture(scope="session")
def pages(studies: dict[str, Study]) -> dict[str, Path]:
    """Name -> report.html."""
    return {k: render(study) for k, study in studies.items()}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    yield from chromium("the report")
