"""A cell is an ordinary run; what is finished stays; ID validation chooses the learning rate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surefoot.claims import cells
from surefoot.claims.cells import cell, rate, run_set
from surefoot.claims.decide import Answers, decide
from surefoot.claims.plan import Entrant, Plan, small_plan
from surefoot.claims.sets import Sources, prepare
from surefoot.claims.study import summarise
from surefoot.claims.timing import one_thread
from surefoot.errors import DataError
from surefoot.report.claims_page import claims_document, claims_page
from surefoot.runs import Run

SCHEDULE = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "weight_decay": 0.1}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path, list[str]]:
    """Every method of the pictograms part with one seed, from few images."""
    whole = small_plan()
    which = replace(
        whole.sets[0],
        limits={"train": 620, "val": 62, "test": 62, "shift": 31},
        entrants=tuple(
            e if e.key != "lp" else Entrant("lp", {"name": "lp", "c_path": [0.1]}, tuned=False)
            for e in whole.sets[0].entrants
        ),
    )
    plan = replace(whole, sets=(which, whole.sets[1]), seeds=(0,), alphas=(0.0, 0.5, 1.0))
    out = tmp_path_factory.mktemp("claims")
    said: list[str] = []
    run_set(plan, which, Sources(), out, said.append)
    run_set(plan, which, Sources(), out, said.append)  # nothing is left to do
    return plan, out, said


def test_every_cell_is_a_finished_run_made_once(study: tuple[Plan, Path, list[str]]) -> None:
    plan, out, said = study
    keys = [e.key for e in plan.sets[0].entrants]
    assert len(said) == len(keys)
    for key in keys:
        run = Run.open(cell(out, "pictograms", key, 0))
        assert run.status == "finished"
        assert run.predictions("emoji", 0.5) is not None


def test_page_and_document_show_every_comparison(study: tuple[Plan, Path, list[str]]) -> None:
    plan, out, _ = study
    result = summarise(plan, out, command="surefoot claims")
    page, document = claims_page(result), claims_document(result)
    parts = [p for row in result["claims"] for p in row["parts"]]
    assert len(parts) == 1 + 2 + 2 + 2 + 4 + 8
    for part in parts:
        assert part["text"] in page
        assert part["text"] in document
    forests = [row for row in result["claims"] if row["parts"]]
    assert len(forests) == 6
    assert page.count("<svg") == len(forests) + 1  # and the plane of ID against shift
    tables = {row["method"] for row in result["accuracy"]}
    assert tables == {e.key for e in plan.sets[0].entrants}
    json.dumps(result, allow_nan=True)


def test_the_start_of_every_path_is_the_zero_shot_model(
    study: tuple[Plan, Path, list[str]],
) -> None:
    plan, out, _ = study
    answers = Answers(out, "pictograms", plan.seeds, plan.sets[0].far)
    rows = decide(plan, lambda name: answers if name == "pictograms" else None)
    assert {r["number"] for r in rows if r["set"] == "pictograms"} == {1, 2, 3, 4, 5, 6}
    starts = [
        Run.open(cell(out, "pictograms", key, 0)).predictions("test", 0.0)
        for key in ("lp", "ft", "lp-ft", "flyp")
    ]
    assert all(s is not None and (s.top1() == starts[0].top1()).all() for s in starts)


def test_the_learning_rate_is_the_best_on_id_validation(tmp_path: Path) -> None:
    plan = replace(small_plan(), grid=(1e-4, 3e-4, 1e-3))
    file = tmp_path / "pictograms" / "ft" / "tuning.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"0.0001": 0.4, "0.0003": 0.5, "0.001": 0.5}))
    entrant = Entrant("ft", {"name": "ft", "schedule": SCHEDULE})
    assert rate(plan, plan.sets[0], entrant, tmp_path) == 3e-4  # ties go to the smallest


def test_two_processes_tune_and_train_as_one_would(tmp_path: Path) -> None:
    """Trials are kept and not repeated; the first seed's cell is the trial that did best."""
    whole = small_plan()
    which = replace(
        whole.sets[0],
        limits={"train": 128, "val": 62, "test": 31, "shift": 31},
        entrants=(Entrant("ft", {"name": "ft", "schedule": SCHEDULE}),),
    )
    plan = replace(whole, sets=(which,), seeds=(0, 1), grid=(1e-4, 1e-3), alphas=(0.0, 1.0))
    said: list[str] = []
    run_set(plan, which, Sources(), tmp_path, said.append, jobs=2)
    assert [line.split(":")[0] for line in sorted(said)] == [
        "pictograms ft lr 0.0001", "pictograms ft lr 0.001",
        "pictograms ft seed 0", "pictograms ft seed 1",
    ]  # fmt: skip
    trials = json.loads((tmp_path / "pictograms" / "ft" / "tuning.json").read_text())
    assert set(trials) == {"0.0001", "0.001"}
    first = Run.open(cell(tmp_path, "pictograms", "ft", 0))
    assert "fitted before" in (first.path / "log.jsonl").read_text()
    assert not (tmp_path / "pictograms" / "ft" / "trials").exists()
    again = tmp_path / "again"
    bench = cells.Bench(plan, which, Sources(), again)
    for seed in plan.seeds:
        with one_thread():  # as each of two processes on two cores has
            bench(cells.Training("ft", seed, rate(plan, which, which.entrants[0], tmp_path)))
        before, after = (Run.open(cell(out, "pictograms", "ft", seed)) for out in (tmp_path, again))
        for split, alpha in (("test", 0.0), ("emoji", 1.0)):
            one, two = before.predictions(split, alpha), after.predictions(split, alpha)
            assert one is not None
            assert two is not None
            np.testing.assert_array_equal(one.logits, two.logits)


def test_a_cell_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    whole = small_plan()
    which = replace(
        whole.sets[0],
        limits={"train": 620, "val": 62, "test": 31, "shift": 31},
        entrants=(Entrant("lp", {"name": "lp", "c_path": [0.1]}, tuned=False),),
    )
    plan = replace(whole, sets=(which,), seeds=(0,), alphas=(0.0, 1.0))
    run_set(plan, which, Sources(), tmp_path, lambda line: None)
    run = Run.open(cell(tmp_path, "pictograms", "lp", 0))
    expected = run.predictions("test", 1.0)
    # As a kill in the middle leaves it: begun, without scores.
    run.set_status("running")
    (run.path / "predictions" / "test@1.npz").unlink()
    said: list[str] = []
    run_set(plan, which, Sources(), tmp_path, said.append)
    assert len(said) == 1
    found = Run.open(run.path).predictions("test", 1.0)
    assert Run.open(run.path).status == "finished"
    assert expected is not None
    assert found is not None
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_cifar10_must_be_given() -> None:
    with pytest.raises(DataError, match="--cifar10 DIR"):
        prepare(small_plan().sets[1], Sources())
