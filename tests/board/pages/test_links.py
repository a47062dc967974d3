"""Addresses: what may be linked, and where pages lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.board.pages.charts import Dot, alpha_chart, best_chart
from surefoot.board.pages.compare_view import scatter_chart
from surefoot.board.pages.links import Links, file_of, web
from surefoot.board.pages.words import day, interval, signed, tidy
from surefoot.board.store.results import Result
from surefoot.board.store.text import slugify
from surefoot.report.charts import Series


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", " javascript:x", "JaVaScRiPt:x", "data:text/html,x", "ftp://x.org",
     "//x.org", "/etc/passwd", "https://", "http:///x", "https://a b", "https://x\n.org", "", None,
     7, "http://[", "https://x.org/" + "a" * 2000, "java\tscript:x"],
)  # fmt: skip
def test_only_web_addresses_are_linked(address):
    assert web(address) is None


@pytest.mark.parametrize("address", ["https://x.org", "http://x.org/a?b=c#d", "HTTPS://X.org/é"])
def test_web_addresses_pass(address):
    assert web(address) == address


@given(st.text(max_size=300))
def test_every_slug_is_one_safe_file_name(name):
    slug = slugify(name)
    file = file_of("papers", slug, page=3)
    folder, _, rest = file.partition("/")
    assert folder == "papers"
    assert not {"/", "\\"} & set(rest)
    assert not rest.startswith(".")
    assert len(rest.encode()) < 255


@given(
    st.text(alphabet="あいうé-x", min_size=61, max_size=200), st.text(alphabet="あé", min_size=1)
)
def test_long_names_stay_apart(one, more):
    assert file_of("papers", one) != file_of("papers", one + more)


def test_relative_and_absolute():
    files, live = Links(False, depth=1, papers={1}), Links(True)
    assert files("boards", "a", page=2) == "../boards/a.p2.html"
    assert files() == "../index.html"
    assert files("boards", "a", sort="value") == "../boards/a.html"
    assert live("boards", "a b", page=2, sort="value", q="") == "/boards/a%20b?sort=value&page=2"
    assert live() == "/"
    assert files.paper(2, "x") is None
    assert live.paper(2, "x") == "/papers/x"


def test_words():
    assert day("2021-09-04T10:00:00Z") == "4 Sep 2021"
    assert day("May 2020") == "May 2020"
    assert day(None) == ""
    assert signed(-1.25, 2) == "−1.25"
    assert tidy("a\x00b\n c", 10) == "a\ufffdb c"
    assert tidy("abcdef", 4) == "abc…"
    assert interval(Result("m", "1", low=1.0, high=2.0)) == "1.0 to 2.0"
    assert interval(Result("m", "1", plus_minus=0.5)) == "± 0.5"
    assert interval(Result("m", "1 ± 0.5", plus_minus=0.5)) == ""


def dots(n, same=False):
    return [Dot(737000 + (0 if same else i * 40), float(i), f"M{i}", f"tip {i}", f"r{i}", i % 8,
                i % 5 == 0) for i in range(n)]  # fmt: skip


def test_a_course_needs_two_dates():
    assert best_chart("b", "t", "a", dots(4, same=True)) is None
    svg = best_chart("b", "t", "a", dots(12)).render()
    assert svg.count("<a ") == 12
    assert 'href="r5"' in svg
    assert "Higher is better" in svg


@given(st.lists(st.tuples(st.floats(0.1, 99.9), st.floats(0.1, 99.9)), min_size=2, max_size=30))
def test_scatter_draws_any_percentages(pairs):
    some = [Dot(x, y, "m", "t", "r", i % 8, True) for i, (x, y) in enumerate(pairs)]
    for odds in (True, False):
        assert scatter_chart("s", "t", ("a", "b"), some, odds=odds).render().count("<a ") == len(
            pairs)  # fmt: skip


def test_alpha_chart_names_best_and_ends():
    lines = [Series("ID", (0, 0.5, 1), (60.0, 70.0, 65.0)), Series("OOD", (0, 1), (5, 5))]
    svg = alpha_chart("c", "t", lines, "Accuracy").render()
    assert "ID: 60 at α = 0, best 70 at α = 0.5, 65 at α = 1" in svg
