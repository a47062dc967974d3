"""Verdicts from stored predictions: what was planted is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surefoot.claims.cells import cell, open_plan
from surefoot.claims.decide import Answers, decide
from surefoot.claims.plan import Plan, full_plan, small_plan
from surefoot.claims.statements import CLAIMS, Claim, Part, Side
from surefoot.errors import RunError
from surefoot.predictions import Predictions
from surefoot.runs import Run, Selection

SPLITS = {"test": "ID", "near": "OOD", "far": "OOD"}
N = 400


def plant(out: Path, key: str, accuracy: dict[float, float], seeds: tuple[int, ...]) -> None:
    """Run folders of a method whose models are right so often, at each alpha."""
    for seed in seeds:
        facts = {"task": {"splits": {n: {"domain": d} for n, d in SPLITS.items()}}}
        run = Run.create(cell(out, "toy", key, seed), facts)
        run.write_selections([Selection("id_val", 0.5, "val")])
        for split, domain in SPLITS.items():
            rng = np.random.default_rng([len(split), 5])
            hard = rng.permutation(N)  # the same images are hard for every model
            for alpha, share in accuracy.items():
                noise = np.random.default_rng([seed, round(100 * alpha)]).random(N) < 0.03
                right = (hard < share * N) ^ noise
                logits = np.stack([~right, right], axis=1).astype(np.float32)
                run.save_predictions(
                    Predictions(
                        split, domain, logits, np.ones(N, dtype=np.int64),
                        tuple(map(str, range(N))), ("a", "b"),
                    ),
                    alpha,
                )  # fmt: skip
        run.set_status("finished")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    seeds = (0, 1, 2)
    plant(tmp_path, "good", {0.0: 0.5, 0.5: 0.8, 1.0: 0.7}, seeds)
    plant(tmp_path, "bad", {0.0: 0.5, 0.5: 0.5, 1.0: 0.4}, seeds)
    plant(tmp_path, "same", {0.0: 0.5, 0.5: 0.7, 1.0: 0.7}, seeds)
    return tmp_path


def claim(*parts: Part, number: int = 1) -> Claim:
    return Claim(number, "a claim", "a paper", {"toy": parts}, {"other": "no such thing there"})


def plan(size: str = "full") -> Plan:
    return replace(full_plan(), size=size, seeds=(0, 1, 2))  # type: ignore[arg-type]


def verdicts(out: Path, *claims: Claim, size: str = "full") -> list[dict]:
    answers = Answers(out, "toy", (0, 1, 2), far=("far",))
    found = decide(plan(size), lambda name: answers if name == "toy" else None, claims)
    return [row for row in found if row["set"] == "toy"]


BETTER = Part("good above bad, ID", Side("good"), Side("bad"), "test")
FAR = Part("good above bad, far", Side("good"), Side("bad"), "far")
WORSE = Part("bad above good", Side("bad"), Side("good"), "shifts")
EQUAL = Part("good above same", Side("good"), Side("same"), "test")
NOT_WORSE = replace(EQUAL, text="good not worse than same", not_worse=True)
CHOSEN = Part("chosen above both", Side("good", "id_val"), Side("good", "end"), "test")


def test_every_part_must_hold(study: Path) -> None:
    (row,) = verdicts(study, claim(BETTER, FAR, CHOSEN))
    assert row["verdict"] == "holds"
    assert [round(p["difference"], 1) for p in row["parts"]] == [0.3, 0.3, 0.1]
    (row,) = verdicts(study, claim(BETTER, EQUAL))
    assert row["verdict"] == "not significant"
    (row,) = verdicts(study, claim(BETTER, WORSE))
    assert row["verdict"] == "does not hold"


def test_a_part_beside_the_claim_has_no_say(study: Path) -> None:
    (row,) = verdicts(study, claim(BETTER, replace(WORSE, counts=False)))
    assert row["verdict"] == "holds"
    assert len(row["parts"]) == 2


def test_not_worse_is_less_than_better(study: Path) -> None:
    (better,) = verdicts(study, claim(EQUAL))
    (not_worse,) = verdicts(study, claim(NOT_WORSE))
    assert not_worse["parts"][0]["p"] < better["parts"][0]["p"]
    assert not_worse["parts"][0]["bound"] == -0.01


def test_p_values_are_adjusted_over_all_claims(study: Path) -> None:
    (alone,) = verdicts(study, claim(BETTER))
    several = verdicts(study, *(claim(BETTER, number=i) for i in range(4)))
    assert alone["p_holm"] == alone["p"]
    assert several[0]["p_holm"] == pytest.approx(4 * alone["p"])


def test_a_small_study_gives_no_verdicts(study: Path) -> None:
    (row,) = verdicts(study, claim(BETTER), size="small")
    assert row["verdict"] == "not decided"
    assert row["parts"][0]["difference"] > 0.2


def test_where_it_does_not_apply_it_says_why(study: Path) -> None:
    rows = decide(plan(), lambda name: None, [claim(BETTER)])
    assert [(r["set"], r["verdict"]) for r in rows] == [
        ("toy", "not decided"),
        ("other", "does not apply"),
    ]
    assert rows[1]["why"] == "no such thing there"


def test_missing_predictions_are_named(study: Path) -> None:
    part = replace(BETTER, a=Side("good", "start"), on="test")
    (study / "toy" / "good" / "s1" / "predictions" / "test@0.npz").unlink()
    with pytest.raises(RunError, match=r"toy/good/s1 holds no predictions on 'test' at alpha 0"):
        verdicts(study, claim(part))


def test_a_study_keeps_its_plan(tmp_path: Path) -> None:
    open_plan(full_plan(), tmp_path)
    before = (tmp_path / "plan.json").read_text()
    open_plan(full_plan(), tmp_path)
    with pytest.raises(RunError, match="another plan"):
        open_plan(small_plan(), tmp_path)
    assert (tmp_path / "plan.json").read_text() == before


def test_every_method_gets_the_same_budget() -> None:
    for chosen in (full_plan(), small_plan()):
        for which in chosen.sets:
            schedules = [e.method.get("schedule") or e.method.get("tune", {}).get("schedule")
                         for e in which.entrants if e.tuned]  # fmt: skip
            assert all(s == schedules[0] for s in schedules)
            assert all("lr" not in s for s in schedules)
    assert len(full_plan().seeds) >= 5
    assert (len(small_plan().seeds), len(small_plan().grid)) == (2, 1)


def test_claims_name_methods_of_the_plan() -> None:
    for which in full_plan().sets:
        keys = {e.key for e in which.entrants}
        for one in CLAIMS:
            for part in one.parts.get(which.name, ()):
                assert {part.a.entrant, part.b.entrant} <= keys
    assert [c.number for c in CLAIMS] == [1, 2, 3, 4, 5, 6, 7]
