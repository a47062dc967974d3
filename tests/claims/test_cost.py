"""What claim 9 is measured with: memory of one piece of work, time per step, the rule."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from surefoot.claims import cost, meter
from surefoot.claims.cost import cost_of, judge_cost
from surefoot.claims.meter import PeakMemory

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own mark")


@LINUX
def test_peak_memory_is_that_of_the_work_itself() -> None:
    large = np.ones(60 * 2**17)  # 60 MiB
    del large
    quiet = PeakMemory()
    assert (quiet.mebibytes() or 0) < 20  # what was freed before does not count
    memory = PeakMemory()
    large = np.ones(40 * 2**17)
    assert large.nbytes == 40 * 2**20
    del large
    found = memory.mebibytes()
    assert found is not None
    assert 38 < found < 60  # it was held, though it is gone by now


@LINUX
def test_a_child_does_not_inherit_its_parents_peak() -> None:
    """``ru_maxrss`` does: under a large parent every method would seem to take nothing."""
    ballast = np.ones(300 * 2**17)
    script = (
        "import numpy as np\n"
        "from surefoot.claims.meter import PeakMemory\n"
        "memory = PeakMemory(); np.ones(40 * 2**17); print(memory.mebibytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ballast.nbytes == 300 * 2**20
    assert 38 < float(done.stdout) < 60


def test_where_the_system_does_not_tell_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_of_status", lambda name: None)
    monkeypatch.setattr(meter, "_highest", lambda: None)
    assert PeakMemory().mebibytes() is None


def test_time_per_step_is_over_every_training_of_a_method() -> None:
    rows: list[dict[str, Any]] = [
        {"note": "no training"},
        {"epoch": 1, "step": 10, "seconds": 2.0, "images_per_second": 1.0},
        {"epoch": 2, "step": 20, "seconds": 4.0, "images_per_second": 1.0},
        {"epoch": 1, "step": 30, "seconds": 4.0, "images_per_second": 1.0},  # a second member
    ]
    assert cost._step_ms(rows) == pytest.approx(1000 * 10.0 / 50)
    assert cost._step_ms([]) is None


@pytest.mark.parametrize("name", ["language", "zero-shot"])
def test_one_method_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``language`` returns an encoder without a head; ``zero-shot`` takes no steps."""
    monkeypatch.setattr(cost, "_PREDICTIONS", 1)
    row = cost_of(name, train=128, epochs=1)
    assert json.loads(json.dumps(row)) == row
    assert (row["step_ms"] is None) == (name == "zero-shot")
    assert row["fit_seconds"] > 0
    assert row["predict_ms"] > 0


def ratio(low: float, high: float) -> dict[str, float]:
    return {"mean": (low + high) / 2, "low": low, "high": high}


@pytest.mark.parametrize(
    ("fit", "use", "same", "verdict"),
    [
        (ratio(0.99, 1.02), ratio(0.98, 1.01), True, "holds"),
        (ratio(0.99, 1.06), ratio(0.98, 1.01), True, "not significant"),
        (ratio(1.06, 1.20), ratio(0.98, 1.01), True, "does not hold"),
        (ratio(0.99, 1.02), ratio(1.90, 2.10), True, "does not hold"),  # an ensemble
        (ratio(0.99, 1.02), ratio(0.98, 1.01), False, "does not hold"),
    ],
)
def test_the_rule(fit: Any, use: Any, same: bool, verdict: str) -> None:
    found = {"fit_ratio": fit, "predict_ratio": use, "same_architecture": same}
    assert judge_cost(found) == verdict
