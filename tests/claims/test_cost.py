"""What claim 9 is measured with: memory of one piece of work, time per step, the rule."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from surefoot.claims import cost, meter, timing
from surefoot.claims.cost import cost_of, cost_table, judge_cost
from surefoot.claims.meter import PeakMemory
from surefoot.claims.plan import small_plan
from surefoot.claims.timing import time_round
from surefoot.registry import METHODS

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
    assert timing._step_ms(rows) == pytest.approx(1000 * 10.0 / 50)
    assert timing._step_ms([]) is None


@pytest.mark.parametrize("name", ["language", "zero-shot"])
def test_memory_and_size_of_one_method(name: str) -> None:
    """``language`` returns an encoder without a head; ``zero-shot`` takes no steps."""
    row = cost_of(name, train=128, epochs=1)
    assert json.loads(json.dumps(row)) == row
    assert row["method"] == name
    assert row["parameters"] > 1_000_000
    assert row["peak_mb"] is None or row["peak_mb"] >= 0


@pytest.mark.parametrize("train", [1, small_plan().cost["train"], 620])
def test_every_class_has_a_training_image(train: int) -> None:
    """As few images as the small study takes leave no class to a head that cannot know it."""
    task = timing.task_for(train)
    labels = task.train.require_labels()
    assert set(labels.tolist()) == set(range(len(task.class_names)))
    assert train <= len(labels) < train + len(task.class_names)
    ids = [task.train.images.id(i) for i in range(len(task.train))]
    assert len(set(ids)) == len(ids)


def test_what_failed_is_said_by_the_first_line_of_its_error(tmp_path: Path) -> None:
    said: list[str] = []
    sizes = {name: {"method": name, "failed": "why"} for name in METHODS.names()}
    sizes["ft"] = {"method": "ft", "peak_mb": 1.0}
    for name, size in sizes.items():
        (tmp_path / f"size-{name}.json").write_text(json.dumps(size))
    (tmp_path / "wise.json").write_text("{}")
    found = cost.measure_cost(tmp_path, train=128, epochs=1, repeats=1, rounds=1, say=said.append)
    assert "cost: lp failed and is not timed: why" in said
    assert not any(line.startswith("cost: ft ") for line in said)
    assert [row["method"] for row in found["table"] if "failed" not in row] == ["ft"]
    answers: list[dict[str, Any]] = []
    cost._measure(SimpleNamespace(send=answers.append), "no-such-method", 128, 1)
    assert "no-such-method" in answers[0]["failed"]


@pytest.mark.slow
def test_methods_that_need_every_class_run_with_the_small_studys_few_images() -> None:
    for name in ("lp", "lp-ft"):
        row = cost_of(name, **{k: small_plan().cost[k] for k in ("train", "epochs")})
        assert row["parameters"] > 1_000_000


def test_a_process_of_its_own_for_each_method_and_a_failure_is_told() -> None:
    found = cost._in_a_child("zero-shot", train=128, epochs=1)
    assert (found["method"], "failed" in found) == ("zero-shot", False)
    assert found["parameters"] > 1_000_000
    wrong = cost._in_a_child("no-such-method", train=128, epochs=1)
    assert wrong["method"] == "no-such-method"
    assert "failed" in wrong


def test_a_process_that_is_killed_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_context", lambda: multiprocessing.get_context("spawn"))
    monkeypatch.setattr(cost, "_measure", _die)
    found = cost._in_a_child("ft", train=128, epochs=1)
    assert found == {"method": "ft", "failed": "its process ended with exit code 3"}


def _die(*_: object) -> None:
    os._exit(3)


def test_a_round_times_every_method_in_its_order() -> None:
    found = time_round(["language", "zero-shot"], train=128, epochs=1)
    assert list(found) == ["language", "zero-shot"]
    assert json.loads(json.dumps(found)) == found
    for name, row in found.items():
        assert (row["step_cpu_ms"] is None) == (name == "zero-shot")
        for clock, processor in (("fit_seconds", "fit_cpu_seconds"),
                                 ("predict_ms", "predict_cpu_ms")):  # fmt: skip
            assert 0 < row[processor] <= 1.1 * row[clock]  # one thread


def turn(fit: float, step: float | None = 2.0) -> dict[str, Any]:
    return {"fit_seconds": 2 * fit, "fit_cpu_seconds": fit, "step_cpu_ms": step}


def test_the_table_holds_medians_over_rounds_and_failures() -> None:
    sizes = [
        {"method": "ft", "peak_mb": 5.0},
        {"method": "soup", "peak_mb": 9.0},
        {"method": "none", "peak_mb": 1.0},
        {"method": "broken", "failed": "no reason"},
    ]
    rounds = [
        {"ft": turn(1.0), "soup": turn(3.0), "none": turn(0.1, None)},
        {"ft": turn(2.0), "soup": turn(8.0), "none": turn(0.3, None)},
        {"ft": turn(9.0), "soup": turn(18.0), "none": turn(0.2, None)},
    ]
    ft, soup, none, broken = cost_table(sizes, rounds)
    assert (ft["fit_cpu_seconds"], ft["fit_seconds"], ft["fit_ratio"]) == (2.0, 4.0, 1.0)
    assert soup["fit_ratio"] == 3.0  # the median of 3, 4, 2: each beside its own round's
    assert soup["fit_cpu_each"] == [3.0, 8.0, 18.0]
    assert none["step_cpu_ms"] is None
    assert broken == {"method": "broken", "failed": "no reason"}


def test_pieces_that_are_there_are_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cost.METHODS, "names", lambda: ["ft", "lp", "odd"])

    def child(name: str, **_: int) -> dict[str, Any]:
        asked.append(name)
        return {"method": name, "failed": "odd"} if name == "odd" else {"method": name}

    def timed(names: list[str], **_: int) -> dict[str, Any]:
        asked.append(tuple(names))
        return {name: turn(1.0) for name in names}

    monkeypatch.setattr(cost, "wise_against_ft", lambda **_: {"repeats": 7})
    monkeypatch.setattr(cost, "_in_a_child", child)
    monkeypatch.setattr(cost, "time_round", timed)
    plan = {"train": 128, "epochs": 1, "repeats": 7, "rounds": 2}
    first = cost.measure_cost(tmp_path, **plan)
    assert asked == ["ft", "lp", "odd", ("ft", "lp"), ("lp", "ft")]  # every round begins elsewhere
    assert [row["method"] for row in first["table"]] == ["ft", "lp", "odd"]
    asked.clear()
    (tmp_path / "round-1.json").unlink()  # as a kill leaves it
    assert cost.measure_cost(tmp_path, **plan) == first
    assert asked == ["odd", ("lp", "ft")]


def test_the_interval_of_a_median_leaves_one_disturbed_repeat_out() -> None:
    values = [1.00, 1.01, 0.99, 1.00, 1.02, 0.98, 1.01, 1.00, 3.0]
    found = timing.median_ratio(values)
    assert (found["low"], found["median"], found["high"]) == (0.99, 1.00, 1.02)
    assert found["each"] == values
    six = timing.median_ratio(values[:6])  # 2 / 2^6 = 3.1 % outside
    assert (six["low"], six["high"]) == (0.98, 1.02)
    assert timing.median_ratio(values[:5])["high"] is None  # 2 / 2^5 = 6.3 %


def ratio(low: float | None, high: float | None) -> dict[str, float | None]:
    return {"median": 1.0, "low": low, "high": high}


@pytest.mark.parametrize(
    ("fit", "use", "same", "verdict"),
    [
        (ratio(0.99, 1.02), ratio(0.98, 1.01), True, "holds"),
        (ratio(0.99, 1.06), ratio(0.98, 1.01), True, "not significant"),
        (ratio(None, None), ratio(0.98, 1.01), True, "not significant"),
        (ratio(1.06, 1.20), ratio(0.98, 1.01), True, "does not hold"),
        (ratio(0.99, 1.02), ratio(1.90, 2.10), True, "does not hold"),  # an ensemble
        (ratio(0.99, 1.02), ratio(0.98, 1.01), False, "does not hold"),
    ],
)
def test_the_rule(fit: Any, use: Any, same: bool, verdict: str) -> None:
    found = {"fit_ratio": fit, "predict_ratio": use, "same_architecture": same}
    assert judge_cost(found) == verdict
