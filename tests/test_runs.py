"""A run's life: alive, interrupted, gone on with, done; nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.errors import RunError
from surefoot.runs import Run


@pytest.mark.parametrize(("trial", "status"), [(False, "finished"), (True, "trial")])
def test_a_run_that_ends_is_done_and_a_trial_too(tmp_path: Path, trial: bool, status: str) -> None:
    assert not Run(tmp_path / "run").done
    run = Run.create(tmp_path / "run", {"method": "ft"})
    assert not run.done
    with run.alive(trial=trial) as clock, clock.time("fit"):
        assert run.status == "running"
    assert (run.status, run.done) == (status, True)
    assert run.facts["method"] == "ft"
    assert run.facts["seconds"]["fit"] >= 0


def test_a_run_that_is_stopped_is_interrupted(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"method": "ft"})
    with pytest.raises(KeyboardInterrupt), run.alive(trial=False) as clock, clock.time("fit"):
        raise KeyboardInterrupt
    assert (run.status, run.done) == ("interrupted", False)
    assert set(run.facts["seconds"]) == {"fit"}
    with pytest.raises(RunError, match=r"run folder .* exists already"):
        Run.create(tmp_path / "run", {})
    again = Run.create(tmp_path / "run", {}, resume=True)
    assert again.status == "running"
