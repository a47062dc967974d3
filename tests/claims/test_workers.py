"""Several processes do what one does; they end with the one that began them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from surefoot.claims.workers import Workers, usual_jobs
from surefoot.errors import UnknownName


def made(note: Path) -> Callable[[int], tuple[int, int, str]]:
    """Notes that it was called; what it gives squares, and tells process and threads."""
    with open(note, "a") as out:
        out.write("made\n")

    def work(item: int) -> tuple[int, int, str]:
        if item < 0:
            raise ValueError(f"{item} is negative")
        return item**2, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")

    return work


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_item_is_done_once_and_loading_once_per_process(jobs: int, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with Workers(jobs, partial(made, note)) as workers:
        assert list(workers.do([])) == []
        assert not note.exists()  # nothing is loaded for nothing
        found = dict(workers.do([3, 1, 2])) | dict(workers.do([4]))
    assert {item: result[0] for item, result in found.items()} == {3: 9, 1: 1, 2: 4, 4: 16}
    assert 1 <= len(note.read_text().split()) <= jobs
    if jobs > 1:
        assert os.getpid() not in {result[1] for result in found.values()}
        assert {result[2] for result in found.values()} == {"1"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_exception_comes_out(jobs: int, tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="-1 is negative"),
        Workers(jobs, partial(made, tmp_path / "note")) as workers,
    ):
        list(workers.do([-1, 1]))


def broken(_: Path) -> Callable[[int], object]:
    raise UnknownName("model", "tiny-clop", ["tiny-clip"], ["tiny-clip"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_loaded_is_told_as_in_one_process(jobs: int, tmp_path: Path) -> None:
    with (
        pytest.raises(UnknownName, match="tiny-clop") as caught,
        Workers(jobs, partial(broken, tmp_path)) as workers,
    ):
        list(workers.do([1, 2]))
    assert "tiny-clip" in str(caught.value)


def test_there_is_a_process_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.context.cap_threads", lambda: 64)
    monkeypatch.setattr(
        "surefoot.context.pick_device", lambda name: __import__("torch").device("cpu")
    )
    assert usual_jobs() == 8
    monkeypatch.setattr("surefoot.context.cap_threads", lambda: 2)
    assert usual_jobs() == 2


SCRIPT = """
import os, sys, time
from functools import partial
from pathlib import Path
from surefoot.errors import UnknownName
from surefoot.claims.workers import Workers

def make(folder):
    def work(item):
        Path(folder, str(os.getpid())).touch()
        time.sleep(600)
    return work

if __name__ == "__main__":
    with Workers(2, partial(make, sys.argv[1])) as workers:
        list(workers.do([1, 2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_none_is_left_when_the_study_is_killed(tmp_path: Path) -> None:
    script, noted = tmp_path / "script.py", tmp_path / "noted"
    script.write_text(SCRIPT)
    noted.mkdir()
    study = subprocess.Popen([sys.executable, str(script), str(noted)])
    until(lambda: len(list(noted.iterdir())) == 2)
    study.send_signal(signal.SIGKILL)
    study.wait()
    until(lambda: not any(alive(int(p.name)) for p in noted.iterdir()))


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Running, not merely waiting to be buried by whoever adopted it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
