"""The archive's real size: half a million papers in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import surefoot

SCRIPT = Path(__file__).with_name("large.py")
CACHE_MB = 64
"""What the import lets SQLite keep."""


def run(folder: Path, count: int) -> dict:
    """In a process of its own: torch and the tests before it would hide the memory."""
    source = str(Path(surefoot.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(count)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_half_a_million_papers_in_bounded_memory(tmp_path):
    count = 500_000
    facts = run(tmp_path, count)
    assert facts["records"] == count
    assert facts["papers"] == count - count // 1000
    assert facts["quarantined"] == count // 1000
    assert facts["reasons"] == {"title is missing": count // 1000}
    assert facts["found"] == [f"Paper {count - 2} \u2014 on things"]
    assert facts["after"] - facts["before"] < CACHE_MB + 60


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Past the cache of 64 MB nothing may grow: small here, the slow test shows the real size."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    few, many = run(small, 2_000), run(large, 10_000)
    assert many["papers"] == 9_990
    pages = (large / "board.db").stat().st_size - (small / "board.db").stat().st_size
    assert many["after"] - few["after"] < pages / 2**20 + 10
