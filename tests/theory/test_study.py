"""The five statements: their rules on made-up rows, and the experiment itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from surefoot.theory import RULES, Row, Setting, judge, run_study
from surefoot.theory.study import TIMES

TINY = Setting(d=30, k=3, m=9, n=27, eps=(0.0, 0.05, 0.2), seeds=3)


@pytest.fixture(scope="module")
def study():
    return run_study(TINY)


def made_up(setting: Setting) -> list[Row]:
    """Rows on which every statement holds."""
    rows = []
    for seed in range(setting.seeds):
        for eps in setting.eps:
            probe = (1 + 0.1 * seed) * eps**2
            for method, inside, ood in (("lp", probe / 2, probe), ("ft", 1e-16, 1.2),
                                        ("lp-ft", 1e-16, (0.8 + 0.01 * seed) * probe)):  # fmt: skip
                tuned = method != "lp"
                rows.append(
                    Row(seed, eps, method, inside, ood, 1e-16, ood, 1.0, 9.0, 0.5 * tuned,
                        1e-14 * tuned, 1e-12, 0.01 if method == "ft" else None)
                )  # fmt: skip
    return rows


def verdicts(rows, setting=TINY):
    return [s.verdict for s in judge(setting, rows)]


def change(rows, field, value, **where):
    """The rows with ``field`` of those that match set to value, or to value(row)."""
    out = []
    for row in rows:
        if all(getattr(row, k) == v for k, v in where.items()):
            row = replace(row, **{field: value(row) if callable(value) else value})
        out.append(row)
    return out


def test_all_five_hold_on_rows_made_for_it():
    statements = judge(TINY, made_up(TINY))
    assert [s.verdict for s in statements] == ["holds"] * 5
    assert [s.number for s in statements] == [1, 2, 3, 4, 5]
    assert [s.rule for s in statements] == list(RULES)


@pytest.mark.parametrize(
    ("number", "field", "value", "where"),
    [
        # FT dips once, in one seed, however briefly: an early stop would save it
        (1, "ood_lowest", 0.05, {"method": "ft", "seed": 1, "eps": 0.2}),
        (1, "ood_lowest", 0.05, {"method": "ft", "seed": 2, "eps": 0.0}),
        (1, "ood_end", 0.5, {"method": "lp", "seed": 0, "eps": 0.05}),
        (2, "ood_end", lambda r: r.eps, {"method": "lp"}),
        (2, "ood_end", lambda r: r.eps**4 + 1e-9, {"method": "lp"}),
        (3, "id_end", 1e-6, {"method": "ft", "seed": 0, "eps": 0.2}),
        (3, "id_end", 1e-6, {"method": "lp-ft", "seed": 2, "eps": 0.05}),
        (3, "id_end", 1e-9, {"method": "lp", "seed": 1, "eps": 0.05}),
        (4, "ood_end", lambda r: 3 * r.eps**2 * (1 + r.seed / 99), {"method": "lp-ft"}),
        (5, "moved_outside", 1e-6, {"method": "lp-ft", "seed": 1, "eps": 0.2}),
        (5, "moved", 0.0, {"method": "ft", "seed": 1, "eps": 0.2}),
    ],
)
def test_one_breach_turns_a_verdict(number, field, value, where):
    broken = change(made_up(TINY), field, value, **where)
    assert verdicts(broken)[number - 1] == "does not hold"


def test_a_probe_that_fits_at_eps_zero_breaks_nothing():
    assert verdicts(change(made_up(TINY), "id_end", 0.0, method="lp", eps=0.0)) == ["holds"] * 5


def test_scatter_over_seeds_is_not_significant():
    rows = made_up(TINY)
    wild = change(rows, "ood_end", lambda r: r.eps**2 * (0.2, 1.0, 4.0)[r.seed], method="lp-ft")
    assert verdicts(wild)[3] == "not significant"
    bent = change(rows, "ood_end", lambda r: r.eps ** (1.0, 2.0, 3.0)[r.seed], method="lp")
    assert verdicts(bent)[1] == "not significant"


def test_one_seed_leaves_open_what_needs_an_interval():
    one = replace(TINY, seeds=1)
    assert verdicts(made_up(one), one) == [
        "holds", "not significant", "holds", "not significant", "holds"
    ]  # fmt: skip


def test_slopes_are_those_of_the_rows():
    numbers = judge(TINY, made_up(TINY))[1].numbers
    np.testing.assert_allclose(numbers["slopes"], 2, rtol=1e-9)
    assert numbers["low"] == pytest.approx(2)


def test_the_statements_hold_in_the_experiment(study):
    assert [s["verdict"] for s in study["statements"]] == ["holds"] * 5


def test_the_result_is_json_and_whole(study):
    again = json.loads(json.dumps(study, allow_nan=False))
    assert again["setting"]["eps"] == list(TINY.eps)
    assert len(again["rows"]) == 3 * 3 * 3
    assert {(r["seed"], r["eps"], r["method"]) for r in again["rows"]} == {
        (s, e, m) for s in range(3) for e in TINY.eps for m in ("lp", "ft", "lp-ft")
    }
    assert again["curves"]["times"] == TIMES.tolist()
    for line in again["curves"]["rows"]:
        assert np.shape(line["id"]) == np.shape(line["ood"]) == (3, len(TIMES))


def test_curves_and_rows_tell_one_story(study):
    ends = {(r["seed"], r["eps"], r["method"]): r for r in study["rows"]}
    for line in study["curves"]["rows"]:
        for seed, (inside, ood) in enumerate(zip(line["id"], line["ood"], strict=True)):
            row = ends[seed, line["eps"], line["method"]]
            assert ood[-1] == pytest.approx(row["ood_end"], rel=1e-4, abs=1e-25)
            assert inside[-1] == pytest.approx(row["id_end"], rel=1e-4, abs=1e-25)
            assert row["ood_lowest"] <= min(ood) * (1 + 1e-5)
            if line["method"] == "ft":
                assert row["ood_lowest"] > row["floor"]


def test_the_seeds_differ_and_the_study_repeats(study):
    fine = [r["ood_end"] for r in study["rows"] if r["method"] == "ft" and r["eps"] == 0.2]
    assert len(set(fine)) == 3
    assert run_study(replace(TINY, seeds=1))["rows"] == study["rows"][:9]


def test_the_integration_is_sound(study):
    assert study["integration"]["largest_drift_of_the_conserved_quantity"] < 1e-9
    assert study["integration"]["largest_relative_difference_to_it"] < 1e-4


def test_progress_is_told_by_seed():
    told = []
    run_study(replace(TINY, seeds=2), each=told.append)
    assert told == [1, 2]
