"""What pages tell beyond the numbers: places, what hangs below, changes, other metrics, forms."""

from __future__ import annotations

import json

import pytest

from surefoot.board import Entry, Source
from surefoot.board.pages.board_view import row_page
from surefoot.board.pages.entities import _curve, datasets_list
from surefoot.board.pages.links import Links
from surefoot.board.pages.lists import front_page, task_page
from surefoot.board.pages.others import about_page, search_index
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.site import export_site
from surefoot.board.pages.views import board_html, row_html, rows_file
from surefoot.board.store.entries import make_result
from surefoot.board.store.results import Curve, CurvePoint
from surefoot.board.store.rows import Dataset

from .make import add
from .read import Page


@pytest.fixture
def context(own):
    return PageContext(own, Links(True))


def test_a_row_says_where_it_stands(context):
    store = context.store
    board = store.boards.ensure(store.tasks.ensure("T").id, store.datasets.ensure("D").id)
    best, near = (add(store, board, "measured", n, v, stderr=1.0, seeds=1)
                  for n, v in (("A", "80"), ("B", "79")))  # fmt: skip
    same = [add(store, board, "published", n, "60") for n in "CD"]
    oracle = add(store, board, "published", "O", "90", selection="oracle")

    def place(entry):
        return row_page(context, store.entries.full(entry.id))["results"][0][2]

    assert place(best) == "Rank 1 of 4."
    assert place(near) == "Rank 2 of 4, cannot be told from the best."
    assert [place(e) for e in same] == ["Rank 3 of 4, shared."] * 2
    assert place(oracle).startswith("Not ranked: α was chosen by the test score")
    assert "one seed" in row_html(context, best.id)


def test_a_task_without_boards_shows_those_below_it_or_of_its_data(context):
    store = context.store
    vision = task_page(context, store.tasks.get("computer-vision"))
    assert vision["whose"] == "Benchmarks of the tasks below it"
    assert len(vision["lines"]) == len(context.shown(store.boards.all()))
    general = task_page(context, store.tasks.get("domain-generalization"))
    assert general["whose"] == "Benchmarks on its data sets"
    assert "ObjectNet" in {x["board"]["dataset"] for x in general["lines"]}
    assert "ObjectNet" in {d.name for d in general["datasets"]}
    assert task_page(context, store.tasks.get("image-classification"))["whose"] == "Benchmarks"


def test_a_circle_of_tasks_ends(context):
    one, two = context.store.tasks.ensure("One"), context.store.tasks.ensure("Two")
    context.store.tasks.link(one.id, two.id)
    context.store.tasks.link(two.id, one.id)
    assert task_page(context, one)["lines"] == []


def test_changes_of_one_kind_are_one_line(context):
    store = context.store
    board = store.boards.get("image-classification-on-objectnet")
    for i in range(5):
        add(store, board, "published", f"New {i}", "50")
    gone = add(store, board, "published", "Gone", "50")
    store.entries.delete(gone.id, why="a slip")
    first, second = about_page(context)["latest"][:2]
    assert (first["action"], first["what"], first["name"]) == ("took off", "1 row", "")
    assert first["note"] == "a slip"
    assert (second["action"], second["what"]) == ("added", "6 rows")
    assert second["name"] == "Gone, New 4, New 3 and 3 more"


def test_other_metrics_sort_a_file_and_rank_a_served_page(context, tmp_path):
    store = context.store
    board = store.boards.ensure(store.tasks.ensure("T").id, store.datasets.ensure("D").id)
    for name, top, error in (("A", "80", "0.3"), ("B", "70", "n/a"), ("C", "60", "0.1")):
        results = (make_result("Top-1 Accuracy", top), make_result("Test error", error))
        store.entries.add(Entry(board.id, "published", name, Source("paper"), row_key=name,
                                results=results))  # fmt: skip
    static = PageContext(store, Links(False, depth=1))
    page = Page.of(board_html(static, board.slug)[0])
    heads = [a["data-sort"] for a in page.all("th") if a.get("data-sort")]
    assert heads == ["rank", "model", "value", "m0", "kind", "extra", "date"]
    cells = [a["data-key"] for t, a in page.elements if t == "td" and "data-key" in a]
    assert cells[2::6] == ["0.3", "", "0.1"]
    live = Page.of(board_html(context, board.slug)[0])
    links = [a["href"] for a in live.all("a") if "Test+error" in a.get("href", "")]
    assert any("/boards/" in x for x in links)
    html, _ = board_html(context, board.slug, metric="Test error")
    first = next(r for r in Page.of(html).table() if r[:1] == ["1"])
    assert first[1] == "C"


def test_the_rows_of_a_large_board_come_with_what_sorts_them(context, tmp_path, monkeypatch):
    monkeypatch.setattr("surefoot.board.pages.site.row_html", lambda context, row: "")
    board = context.store.boards.get("image-classification-on-objectnet")
    with context.store.transaction():
        for i in range(220):
            add(context.store, board, "published", f"Row {i}", f"{i / 10:.1f}")
    export_site(context.store, tmp_path / "site")
    text = (tmp_path / "site" / rows_file(board.slug)).read_text()
    names, rows = json.loads(text.removeprefix("surefootRows(").removesuffix(");\n"))
    assert names == ["rank", "model", "value", "kind", "extra", "date"]
    assert len(rows) == 249
    for keys, kind, _extra, method, code, words, html in rows:
        assert len(keys) == len(names)
        assert f'data-kind="{kind}"' in html
        assert f'data-method="{method}"' in html
        assert f'data-code="{code}"' in html
        assert keys[1] in words
    assert [r[0][0] for r in rows if r[0][0]] == sorted(r[0][0] for r in rows if r[0][0])


def test_a_curve_says_nothing_of_ends_that_it_does_not_reach(context):
    points = tuple(
        CurvePoint(a, "D", "Top-1 Accuracy", str(v), v) for a, v in ((0.2, 1.0), (0.7, 2.0))
    )
    told = _curve(Curve("k", "t", "measured", points, Source("run")), "curve-0")["told"]
    assert (told[0]["start"], told[0]["best"], told[0]["end"]) == ("", "2.0", "")


def test_toy_data_count_only_where_they_are_shown(own):
    before = {w: n for w, n, _ in front_page(PageContext(own, Links(False), toy=False))["totals"]}
    data = own.datasets.add(Dataset("Toys", toy=True))
    board = own.boards.ensure(own.tasks.ensure("T").id, data.id)
    add(own, board, "measured", "Toy model", "99", toy=True)
    site, live = PageContext(own, Links(False), toy=False), PageContext(own, Links(True))
    after = {w: n for w, n, _ in front_page(site)["totals"]}
    assert after == before
    shown = {w: n for w, n, _ in front_page(live)["totals"]}
    assert shown["results"] == after["results"] + 1
    assert shown["data sets"] == after["data sets"] + 1
    assert datasets_list(live)["total"] == datasets_list(site)["total"] + 1
    assert "Toy model" not in {line[1] for _, line in search_index(site)}
    assert ("Model", "Toy model") in {line[:2] for _, line in search_index(live)}
