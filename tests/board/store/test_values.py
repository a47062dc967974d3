"""Values: what is read, what is left alone, and that nothing is guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.board.store.values import parse_value

READ = [
    # raw, value, decimals, percent, plus_minus
    ("72.1", 72.1, 1, False, None),
    ("0.8428 ± 0.0014", 0.8428, 4, False, 0.0014),
    ("74.67%", 74.67, 2, True, None),
    ("74.67 %", 74.67, 2, True, None),
    ("85.3% ± 0.2%", 85.3, 1, True, 0.2),
    ("85.3 +/- 0.2", 85.3, 1, False, 0.2),
    ("85.3 +- 0.2", 85.3, 1, False, 0.2),
    ("1,234", 1234.0, 0, False, None),
    ("1,234,567.5", 1234567.5, 1, False, None),
    ("  91 ", 91.0, 0, False, None),
    ("−3.5", -3.5, 1, False, None),
    ("+.5", 0.5, 1, False, None),
    ("1e-3", 0.001, None, False, None),
    ("5.", 5.0, 0, False, None),
]


@pytest.mark.parametrize(("raw", "value", "decimals", "percent", "plus_minus"), READ)
def test_read(raw, value, decimals, percent, plus_minus):
    got = parse_value(raw)
    assert got.raw == raw
    assert got.value == pytest.approx(value)
    assert (got.decimals, got.percent, got.plus_minus) == (decimals, percent, plus_minus)
    assert got.bound == ""
    assert got.reason == ""


@pytest.mark.parametrize(
    ("raw", "value", "bound"),
    [("<0.5", 0.5, "<"), ("> 90", 90.0, ">"), ("≤1", 1.0, "<"), (">=3%", 3.0, ">")],
)
def test_a_bound_is_marked_as_one(raw, value, bound):
    got = parse_value(raw)
    assert (got.value, got.bound) == (value, bound)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("-", "missing"),
        ("–", "missing"),
        ("", "missing"),
        ("N/A", "missing"),
        ("NaN", "missing"),
        ("74,67", "a comma that may be a decimal point"),
        ("1,23,456", "a comma that may be a decimal point"),
        ("84.2 (0.3)", "more than one number"),
        ("84.2/91.0", "more than one number"),
        ("86 parts", "a number with other text"),
        ("~84", "a number with other text"),
        ("good", "no number"),
        ("1e999", "too large for a number"),
        ("<script>alert(1)</script>", "a number with other text"),
    ],
)
def test_left_alone_with_the_reason(raw, reason):
    got = parse_value(raw)
    assert got.value is None
    assert got.reason == reason
    assert got.raw == raw


def test_rounding_is_half_a_unit_of_the_last_digit():
    assert parse_value("72.1").rounding == pytest.approx(0.05)
    assert parse_value("72").rounding == pytest.approx(0.5)
    assert parse_value("1e-3").rounding is None


@given(st.floats(-1e6, 1e6), st.integers(0, 6), st.booleans())
def test_what_is_printed_is_read_back(number, decimals, percent):
    raw = f"{number:.{decimals}f}" + ("%" if percent else "")
    got = parse_value(raw)
    assert got.value == float(raw.removesuffix("%"))
    assert got.decimals == decimals
    assert got.percent is percent


@given(st.integers(0, 10**12))
def test_thousands_separators(number):
    assert parse_value(f"{number:,}").value == number


@given(st.text())
def test_any_text_is_a_finite_number_or_has_a_reason(raw):
    got = parse_value(raw)
    assert got.raw == raw
    assert (got.value is None) == bool(got.reason)
    assert got.value is None or math.isfinite(got.value)
