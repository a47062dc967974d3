"""How many threads: what the machine, the launcher and OMP_NUM_THREADS say, without torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from surefoot.threads import MOST, cores, granted

ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(("processes", "expected"), [("1", ALL), ("1000000", 1)])
def test_processes_of_one_launcher_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, processes: str, expected: int
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert cores() == expected


@pytest.mark.parametrize(
    ("asked", "expected"), [("3", 3), ("0", 1), ("", min(ALL, MOST)), ("4,2", min(ALL, MOST))]
)
def test_before_torch_is_imported(asked: str, expected: int) -> None:
    code = (
        "import sys; from surefoot.threads import granted; n = granted()\n"
        "assert 'torch' not in sys.modules; print(n)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": asked, "LOCAL_WORLD_SIZE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == expected


def test_torch_is_asked_once_it_is_there() -> None:
    import torch

    own = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert granted() == 3
    finally:
        torch.set_num_threads(own)
