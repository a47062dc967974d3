"""Ranks, ties, the best so far, and agreement."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.board import Board, Entry, Result, Source
from surefoot.board.store.entries import make_result
from surefoot.board.store.metrics import Metric
from surefoot.board.store.ranking import (
    ORACLE,
    agreement,
    in_time,
    rank,
    standard_error,
)
from surefoot.board.store.results import Brief

UP = Metric("Accuracy", "higher", "declared", "%")
DOWN = Metric("Error", "lower", "declared", "%")
BOARD = Board(1, 1, "test", "p-1", id=1)


def entry(raw, *, metric="Accuracy", kind="published", date="2020-01-01", number=0, **known):
    result = make_result(metric, raw, **known)
    return Entry(1, kind, "m", Source("paper"), paper_date=date, id=number, results=(result,))


def row(raw, **known):
    """The short form of a row with this number."""
    e = entry(raw, **known)
    [r] = e.results
    return Brief(e.id, r.id, e.kind, e.model_name, e.backbone, e.setting, e.method_id, e.paper_id,
                 e.paper_title, e.extra_data, e.toy, e.dated, "[]", "", "", r.raw, r.value, r.bound,
                 r.selection, r.alpha, r.stderr, r.low, r.high)  # fmt: skip


def ranks(rows):
    return [(r.row.raw, r.rank) for r in rows]


def best_so_far(ranked, metric):
    return [one.row for one, best in in_time(ranked, metric) if best]


def test_ties_share_a_rank_and_the_next_is_skipped():
    rows = rank([row("70"), row("72.1"), row("72.10"), row("60")], UP)
    assert ranks(rows) == [("72.1", 1), ("72.10", 1), ("70", 3), ("60", 4)]


def test_lower_is_better_where_the_metric_says_so():
    rows = rank([row("3"), row("1")], DOWN)
    assert ranks(rows) == [("1", 1), ("3", 2)]


def test_an_unknown_direction_ranks_nothing():
    rows = rank([row("3"), row("1")], Metric("Accuracy"))
    assert [r.rank for r in rows] == [None, None]
    assert "which way 'Accuracy' is better is not known" in rows[0].reason


def test_what_cannot_be_read_or_is_a_bound_comes_last_without_a_rank():
    rows = rank([row("-"), row("<99"), row("5")], UP)
    assert ranks(rows) == [("5", 1), ("-", None), ("<99", None)]
    assert rows[1].reason == "its value could not be read as one number"
    assert rows[2].reason == "only a bound is given"


def test_what_knew_the_test_score_is_ranked_apart_and_never_the_best():
    rows = rank(
        [
            row("90", selection="oracle", date="2021-01-01"),
            row("70", selection="fixed", alpha=0.5),
            row("95", selection="oracle", date="2022-01-01"),
            row("-", selection="oracle"),
            row("80", selection="id_val"),
        ],
        UP,
    )
    assert ranks(rows) == [("80", 1), ("70", 2), ("95", None), ("90", None), ("-", None)]
    assert [r.reason for r in rows] == ["", "", ORACLE, ORACLE, rows[4].reason]
    assert "could not be read" in rows[4].reason
    assert [r.value for r in best_so_far(rows, UP)] == [80.0]
    assert 95.0 not in [p.row.value for p, _ in in_time(rows, UP)]
    low = rank([row("3", selection="oracle"), row("5")], DOWN)
    assert ranks(low) == [("5", 1), ("3", None)]


def test_statistical_ties_need_intervals_on_both_sides():
    best, near, far = (row(raw, stderr=0.5) for raw in ("80", "79", "75"))
    plain = row("74")
    rows = rank([best, near, far, plain], UP)
    # sqrt(0.5^2 + 0.5^2) * 1.96 = 1.386
    assert [r.ties_best for r in rows] == [None, True, False, None]
    assert [r.ties_above for r in rows] == [None, True, False, None]


def test_a_row_is_as_old_as_its_paper_or_its_run():
    plain = entry("1", date="2020-01-01")
    assert plain.dated == "2020-01-01"
    assert replace(plain, kind="submitted", paper_date=None).dated == ""
    ours = replace(plain, kind="reproduced", created="2026-02-03T04:05:06Z")
    assert ours.dated == "2026-02-03"
    assert replace(ours, source=Source("run", date="2025-12-31")).dated == "2025-12-31"


def test_the_standard_error_comes_from_the_interval():
    assert standard_error(Result("m", "1", low=78.04, high=81.96)) == pytest.approx(1.0, abs=1e-3)
    assert standard_error(Result("m", "1", low=1.0, high=3.0, stderr=0.2)) == 0.2
    assert standard_error(Result("m", "1", low=1.0)) is None


@given(st.lists(st.integers(0, 20), max_size=30), st.booleans())
def test_ranks_equal_a_slow_count(values, higher):
    metric = UP if higher else Metric("Accuracy", "lower", "declared")
    rows = rank([row(str(v), number=i) for i, v in enumerate(values)], metric)
    assert len(rows) == len(values)
    for one in rows:
        better = sum((v > one.row.value) if higher else (v < one.row.value) for v in values)
        assert one.rank == 1 + better


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_best_so_far_equals_a_slow_scan(points):
    rows = [row(str(v), date=f"200{d}-01-01", number=i) for i, (d, v) in enumerate(points)]
    series = list(in_time(rank(rows, UP), UP))
    assert [p.row.dated for p, _ in series] == sorted(p.row.dated for p, _ in series)
    for at, (point, best) in enumerate(series):
        before = [p.row.value for p, _ in series[:at]]
        assert best == (point.row.value > max(before, default=-math.inf))
    by_day = {d: max(v for e, v in points if e == d) for d, _ in points}
    records, top = [], -1
    for day in sorted(by_day):
        if by_day[day] > top:
            top = by_day[day]
            records.append((f"200{day}-01-01", float(top)))
    assert [(p.row.dated, p.row.value) for p, best in series if best] == records


def test_results_without_a_date_are_not_in_the_series():
    assert list(in_time(rank([row("5", date=None)], UP), UP)) == []


# agreement

PUBLISHED = (BOARD, entry("72.1"), make_result("Accuracy", "72.1"))


def ours(value, **known):
    known = {"stderr": 0.1, "manifest": "whole", **known}
    result = make_result("Accuracy", f"{value}", **known)
    return BOARD, entry(f"{value}", kind="reproduced"), result


@pytest.mark.parametrize(
    ("value", "stderr", "verdict", "tolerance"),
    [
        (72.15, 0.01, "matches", 0.05),  # within the rounding of what was printed
        (72.16, 0.01, "differs", 0.05),
        (72.29, 0.1, "matches", 0.2),  # within two standard errors
        (71.8, 0.1, "differs", 0.2),
        (73.1, 0.5, "matches", 1.0),
    ],
)
def test_matches_within_rounding_or_two_standard_errors(value, stderr, verdict, tolerance):
    got = agreement(PUBLISHED, ours(value, stderr=stderr), UP)
    assert got.verdict == verdict
    assert got.difference == pytest.approx(value - 72.1)
    assert got.tolerance == pytest.approx(tolerance)


def test_a_difference_is_said_with_its_sign():
    assert agreement(PUBLISHED, ours(70.0), UP).reason == "differs by -2.10 points"


B, E, R = ours(72.1)
NOT_COMPARABLE = [
    ((B, E, replace(R, manifest="partial")), "manifest is partial, not whole"),
    ((B, E, replace(R, manifest="unknown")), "manifest is unknown, not whole"),
    ((B, E, replace(R, stderr=0.51)), "our standard error is above 0.5 points"),
    ((B, E, replace(R, stderr=None)), "our number has no standard error"),
    ((replace(B, protocol="p-2"), E, R), "protocols differ: p-1 and p-2"),
    ((replace(B, split="val"), E, R), "other splits"),
    ((replace(B, dataset_id=2), E, R), "other data sets"),
    ((B, replace(E, toy=True), R), "toy data"),
    ((B, replace(E, kind="measured"), R), "is compared with a reproduced one"),
    ((B, E, replace(R, metric="F1")), "other metrics"),
    ((B, E, replace(R, selection="oracle")), "alpha was chosen in another way"),
    ((B, E, replace(R, value=0.721)), "one looks like a fraction, the other like points"),
    ((B, E, replace(R, value=None)), "a number could not be read"),
    ((B, E, replace(R, bound="<")), "a number could not be read"),
]


@pytest.mark.parametrize(("mine", "reason"), NOT_COMPARABLE)
def test_everything_else_is_not_comparable_with_the_reason(mine, reason):
    got = agreement(PUBLISHED, mine, UP)
    assert got.verdict == "not comparable"
    assert reason in got.reason
    assert got.difference is None


def test_an_unknown_published_protocol_is_never_comparable():
    board = replace(BOARD, protocol="unspecified")
    got = agreement((board, *PUBLISHED[1:]), (board, E, R), UP)
    assert got.reason == "the published protocol is not known"


def test_points_must_be_known_to_be_points():
    got = agreement(PUBLISHED, ours(72.1), Metric("Accuracy", "higher", "inferred"))
    assert got.verdict == "not comparable"
