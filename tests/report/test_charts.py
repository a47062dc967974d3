"""Charts as functions on numbers."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.drawing.labels import Box, dodge, lanes, place, shorten, text_width
from surefoot.drawing.scale import Linear, Logit, nice_step, span
from surefoot.drawing.svg import el, num
from surefoot.report import charts

fractions = st.floats(0.0, 1.0)


@given(fractions, fractions, st.integers(2, 9))
def test_ticks_are_inside_and_ascend(a: float, b: float, count: int) -> None:
    low, high = sorted((a, b))
    if high - low < 1e-3:
        high = low + 1e-3
    for scale in (Linear(low, high, 0, 400), Logit(min(low, 0.99), min(high, 0.999), 0, 400)):
        ticks = scale.ticks(count)
        assert ticks == sorted(set(ticks))
        assert all(scale.low - 1e-9 <= t <= scale.high + 1e-9 for t in ticks)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_logit_keeps_the_order(a: float, b: float) -> None:
    scale = Logit(0.001, 0.999, 0, 500)
    assert (a < b) <= (scale(a) <= scale(b))
    assert scale(0.5) == pytest.approx(250)


def test_logit_is_logit() -> None:
    scale = Logit(0.1, 0.9, 0, 1)
    assert scale(0.7) == pytest.approx((math.log(7 / 3) + math.log(9)) / (2 * math.log(9)))


@given(st.floats(1e-6, 1e6), st.integers(1, 12))
def test_nice_step(width: float, count: int) -> None:
    step = nice_step(width, count)
    assert step * count >= width * (1 - 1e-6)
    assert f"{step:e}"[0] in "125"


@given(st.lists(fractions, min_size=1, max_size=9))
def test_span_holds_values_and_is_never_narrow(values: list[float]) -> None:
    low, high = span(values, least=0.06, bounds=(0, 1))
    assert low <= min(values) + 1e-12
    assert high >= max(values) - 1e-12
    assert high - low >= 0.06 - 1e-12
    assert low >= 0
    assert high <= 1


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_dodge_keeps_apart(wanted: list[float]) -> None:
    spots = sorted(dodge(wanted, 14, 0, 300))
    assert all(b - a >= 13 for a, b in pairwise(spots))
    assert spots[0] >= -1e-6
    assert spots[-1] <= 300 + 1e-6


def test_lanes() -> None:
    assert lanes([(0, 50), (40, 90), (60, 100), (10, 20)]) == [0, 1, 0, 1]


def test_labels_keep_off_each_other() -> None:
    points = [(100 + 6 * i, 100 + 5 * i, f"model {i}") for i in range(5)]
    marks = [Box(x - 6, y - 6, x + 6, y + 6) for x, y, _ in points]
    boxes = [s.box for s in place(points, Box(0, 0, 400, 300), marks)]
    for i, a in enumerate(boxes):
        assert all(a.overlap(b) < 1 for b in boxes[:i])
        assert a.outside(Box(0, 0, 400, 300)) == 0


def test_shorten() -> None:
    assert shorten("short", 200, 12) == "short"
    cut = shorten("a very long name of a shift indeed", 90, 12)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 90


def test_svg_escapes() -> None:
    markup = el("text", "<&>\x00", data_tip="\"'<\x07", stroke_width=1.0).render()
    node = ElementTree.fromstring(markup)
    assert node.text == "<&>"
    assert node.get("data-tip") == "\"'<"
    assert node.get("stroke-width") == "1"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (-0.01, "0"), (0.04, "0"), (1.25, "1.2"), (-3.0, "-3"), (120.06, "120.1")],
)
def test_num(value: float, words: str) -> None:
    assert num(value) == words


def test_num_refuses_nan() -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        num(math.nan)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(fractions, fractions), min_size=1, max_size=6))
def test_plane_draws_anything(spots: list[tuple[float, float]]) -> None:
    dots = [
        charts.Dot(
            f"m{i}", (x, max(x - 0.1, 0), min(x + 0.1, 1)), (y, max(y - 0.1, 0), min(y + 0.1, 1)), i
        )
        for i, (x, y) in enumerate(spots)
    ]
    xs, ys = zip(*spots, strict=True)
    alphas = tuple(i / max(len(spots) - 1, 1) for i in range(len(spots)))
    trail = charts.Trail("t", alphas, xs, ys, 1)
    line = charts.Baseline("plain models", 0.9, -0.4)
    chart = charts.plane_chart("p", "t", "d", dots, [trail], axes=("x", "y"), baselines=[line])
    tree = ElementTree.fromstring(chart.render())
    assert len(tree.findall(".//*[@data-tip]")) >= len(spots)


@settings(deadline=None, max_examples=40)
@given(st.lists(fractions, min_size=2, max_size=8))
def test_alpha_chart_draws_anything(values: list[float]) -> None:
    xs = tuple(i / (len(values) - 1) for i in range(len(values)))
    low, high = (tuple(max(v - 0.1, 0) for v in values), tuple(min(v + 0.1, 1) for v in values))
    series = charts.Series("s", xs, tuple(values), low, high)
    picks = (
        charts.Pick(0.5, "fixed"),
        charts.Pick(0.5, "one-SE"),
        charts.Pick(0.5, "oracle", True),
    )
    markup = charts.alpha_chart("a", "t", "d", [charts.Panel("p", (series,), picks)]).render()
    tree = ElementTree.fromstring(markup)
    assert "fixed · one-SE 0.5" in markup
    hollow = [n for n in tree.iter() if "hollow" in (n.get("class") or "")]
    assert len(hollow) == 1
    assert "oracle" in (hollow[0].get("data-tip") or "")


def test_bar_outside_its_axis_is_an_arrow() -> None:
    inside = charts.interval_bar(0.6, 0.5, 0.7, (0.4, 0.8)).render()
    outside = charts.interval_bar(0.1, 0.05, 0.2, (0.4, 0.8)).render()
    assert "circle" in inside
    assert "circle" not in outside
    assert 'class="off"' in outside
