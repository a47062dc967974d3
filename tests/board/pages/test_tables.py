"""What a board's table says: ranks, ties, kinds, differences, filters, pages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.board import Protocol, Store
from surefoot.board.pages.board_view import board_page
from surefoot.board.pages.compare_view import compare_page, is_id, order, partners
from surefoot.board.pages.links import Links
from surefoot.board.pages.lists import front_page, tasks_page
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.ranked import Cache
from surefoot.board.pages.table import Query, make_rows, select
from surefoot.board.pages.views import board_html
from surefoot.board.pages.words import detail, signed
from surefoot.board.store.ranking import in_time
from surefoot.board.store.results import Brief
from surefoot.board.store.submit import submit

from .conftest import RICH
from .make import add
from .read import Page


@pytest.fixture
def context(rich):
    return PageContext(rich, Links(True), Cache())


def board(context, protocol):
    return context.store.boards.find(protocol=protocol)


def rows(context, protocol, **query):
    found = board_page(context, board(context, protocol), query=Query(**query))
    return found["rows"].items


def test_equal_values_share_a_rank_and_statistical_ties_are_marked(context):
    items = rows(context, "mine-test")
    told = [(r["entry"].model_name, r["place"].rank, r["shared"], r["tied"]) for r in items]
    assert told == [
        ("Model A", 1, False, False),
        ("Model B", 2, False, True),
        ("Model C", 3, True, False),
        ("Model D", 3, True, False),
        ("Claim", None, False, False),
    ]
    assert items[-1]["place"].reason == "submitted, not verified"
    page = Page.of(board_html(context, board(context, "mine-test").slug)[0])
    shown = [r[0] for r in page.table()[1:6]]
    assert shown == ["1", "2 ≈1", "3=", "3=", "–not ranked: submitted, not verified"]


def test_lower_is_better_and_what_has_no_number_comes_last(context):
    items = rows(context, "mine-error")
    assert [(r["result"].raw, r["place"].rank) for r in items] == [
        ("0.25 ± 0.01", 1), ("0.5", 2), ("n/a", None)
    ]  # fmt: skip
    page = board_page(context, board(context, "mine-error"))
    assert page["metric"]["arrow"] == "↓"
    assert page["metric"]["known_from"] == "inferred"


def test_an_unknown_direction_is_not_ranked(context):
    page = board_page(context, board(context, "mine-odd"))
    assert [r["place"].rank for r in page["rows"].items] == [None]
    assert page["best"] is None
    assert page["chart"] is None
    html = board_html(context, board(context, "mine-odd").slug)[0]
    assert "Nothing is ranked" in html


def test_published_and_reproduced_numbers_stand_side_by_side(context):
    items = {r["entry"].id: r for r in rows(context, "objectnet-113-top1")}
    for name in ("headline", "again"):
        check = items[RICH[name]]["check"]
        assert (check["published"].raw, check["reproduced"].raw) == ("72.1", "72.2")
        assert signed(check["told"].difference, 2) == "+0.10"
        assert check["told"].verdict == "matches"
    assert items[RICH["headline"]]["check"]["href"] == f"/rows/{RICH['again']}"
    assert items[RICH["again"]]["check"]["href"] == f"/rows/{RICH['headline']}"
    assert items[RICH["again"]]["entry"].kind == "reproduced"
    page = Page.of(board_html(context, "image-classification-on-objectnet")[0])
    assert page.table()[0][4:7] == ["Published", "Reproduced", "Difference"]
    assert "Published" not in Page.of(board_html(context, "image-classification-on-imagenet")[0]
                                      ).table()[0]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_filter_and_sort_agree_with_a_plain_reading(rich_file, data):
    with Store.open(rich_file, read_only=True) as store:
        context = PageContext(store, Links(True))
        ranked = context.rows(store.boards.get("image-classification-on-objectnet")).rows
        sort = data.draw(st.sampled_from(["rank", "model", "value", "date", "extra", "kind"]))
        down, code = data.draw(st.booleans()), data.draw(st.booleans())
        text = data.draw(st.sampled_from(["", "wise", "BASIC-L zero", "nothing like it", "ViT"]))
        kind = data.draw(st.sampled_from(["", "published", "reproduced"]))
        query = Query(sort, down, text, kind, code=code)
        has = {r.row.id for r in ranked[::2]}
        got = select(ranked, query, lambda e: e.id in has)
    want = [
        r
        for r in ranked
        if (not kind or r.row.kind == kind)
        and (not code or r.row.id in has)
        and all(w.lower() in f"{r.row.model_name} {r.row.backbone} {r.row.setting} "
                f"{r.row.paper_title} {r.row.kind}".lower() for w in text.split())
    ]  # fmt: skip
    assert {r.row.id for r in got} == {r.row.id for r in want}
    if sort == "value":
        values = [r.row.value for r in got]
        assert values == sorted(values, reverse=down)
    if sort == "rank":
        ranks = [r.rank for r in got if r.rank is not None]
        assert ranks == sorted(ranks, reverse=down)
        assert [r.rank for r in got][len(ranks) :] == [None] * (len(got) - len(ranks))


def test_pages_cut_a_long_table(own):
    target = own.boards.get("image-classification-on-objectnet")
    with own.transaction():
        for i in range(450):
            add(own, target, "published", f"Row {i}", f"{i / 10:.1f}", paper_date="2020-01-01")
    context = PageContext(own, Links(True))
    found = context.rows(target)
    seen = []
    for page in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99):
        part = make_rows(context, target.id, found.rows, page=page)
        assert part.pages == 10
        assert part.page == min(page, 10)
        seen += [r["entry"].id for r in part.items] if page < 99 else []
    assert seen == [r.row.id for r in found.rows]
    html, pages = board_html(context, target.slug, page=2, query=Query(q="row"))
    assert pages == 9
    assert "Page 2 of 9" in html
    assert "450 of 479 rows" in html


def test_of_many_marks_some_are_drawn_and_the_best_always(own):
    target = own.boards.get("image-classification-on-objectnet")
    with own.transaction():
        for i in range(1500):
            add(own, target, "published", f"Row {i}", f"{50 + i / 40:.3f}",
                paper_date=f"20{10 + i // 150}-{i % 12 + 1:02d}-01")  # fmt: skip
    chart = board_page(PageContext(own, Links(True)), target)["chart"]
    assert "1522 dated results" in chart
    assert 200 < chart.count("<a ") < 600
    ranked, metric = own.ranking(target), own.metrics.get(target.metrics[0])
    best = [p for p, now in in_time(ranked, metric) if now]
    assert all(f'href="/rows/{p.row.id}"' in chart for p in best)


def test_the_short_form_of_a_row_ranks_and_filters_as_the_whole_one(rich):
    """Pages read every row of a board in short: nothing may be told from it that is not so."""
    context, seen = PageContext(rich, Links(True)), 0
    for one in rich.boards.all():
        for metric in one.metrics or ("",):
            waiting = rich.ranking(one, metric, kinds=("submitted",))
            want = [
                *((r.row.id, r.row.result_id, r.rank, r.ties_best, r.ties_above, r.reason)
                  for r in rich.ranking(one, metric)),
                *((r.row.id, r.row.result_id, None, None, None, "submitted, not verified")
                  for r in waiting),
            ]  # fmt: skip
            got = context.rows(one, metric).rows
            assert [(r.row.id, r.row.result_id, r.rank, r.ties_best, r.ties_above, r.reason)
                    for r in got] == want  # fmt: skip
            whole = rich.entries.several([r.row.id for r in got])
            for short in (r.row for r in got):
                e = whole[short.id]
                result = next(r for r in e.results if r.id == short.result_id)
                assert short == Brief(
                    e.id, result.id, e.kind, e.model_name, e.backbone, e.setting, e.method_id,
                    e.paper_id, e.paper_title, e.extra_data, e.toy, e.dated, short.code_links,
                    e.source.run, e.source.recipe, result.raw, result.value, result.bound,
                    result.selection, result.alpha, result.stderr, result.low, result.high,
                    e.printed_by,
                )  # fmt: skip
                links = json.loads(short.code_links)
                assert (tuple(links) if links is not None else None) == e.code_links
                assert e == rich.entries.full(e.id)
                seen += 1
    assert seen > 300


def test_the_cache_follows_the_file(own):
    cache = Cache()
    context = PageContext(own, Links(True), cache)
    target = own.boards.get("image-classification-on-objectnet")
    cache.at(1)
    before = len(context.rows(target).rows)
    add(own, target, "published", "New", "1.0")
    assert len(context.rows(target).rows) == before
    cache.at(2)
    assert len(context.rows(target).rows) == before + 1


def test_in_distribution_goes_across(context):
    get = context.store.boards.get
    net, shift = get("image-classification-on-imagenet"), get("image-classification-on-objectnet")
    assert is_id(context, net)
    assert not is_id(context, shift)
    assert order(context, shift, net) == order(context, net, shift) == (net, shift)
    assert is_id(context, board(context, "wilds-fmow-id"))
    assert not is_id(context, board(context, "wilds-fmow-ood-worst-region"))
    page = compare_page(context, net, shift)
    first, second = next((x, y) for x, y in page["lines"] if y.row.raw == "71.1")
    told = detail(second.row, second.row)
    assert (first.row.raw, told) == ("86.8", "CLIP ViT-L/14@336 · end to end · α = 0.5")
    row = context.store.entries.full(second.row.id)
    assert (row.model_name, row.results[0].raw) == ("WiSE-FT", "71.1")
    assert page["odds"]
    # 87.1 and 72.1 belong to two values of alpha, which the paper does not name.
    assert page["oracle"]
    assert "72.1" not in {y.row.raw for _, y in page["lines"]}
    chip = next(p for p in partners(context, shift) if p["pair"] == (net.id, shift.id))
    assert chip["n"] == len(page["lines"])


def test_boards_of_one_split_are_told_apart(own):
    """Two protocols on one split: what their titles share is left out."""
    task, data = own.tasks.ensure("T"), own.datasets.ensure("D")
    for name, title in (("d-head", "D, sketch"), ("d-knn", "D, sketch, kNN"), ("d-odd", "")):
        own.protocols.declare(Protocol(name, title))
        made = own.boards.ensure(task.id, data.id, "sketch", name)
        add(own, made, "measured", "M", "50")
    alone = own.boards.ensure(task.id, data.id, "test", "d-test")
    context = PageContext(own, Links(True))
    found = {b.protocol: context.heading(b) for b in own.boards.of(dataset_id=data.id)}
    assert found["d-head"]["full"] == "T on D, sketch"
    assert found["d-knn"]["full"] == "T on D, sketch, kNN"
    assert found["d-odd"]["full"] == "T on D, sketch, d-odd"
    assert context.heading(alone)["full"] == "T on D"
    html, _ = board_html(context, found["d-knn"]["slug"])
    assert "<title>T on D, sketch, kNN" in html
    assert 'class="variant">sketch, kNN<' in html


def test_front_page_and_tree_count_what_is_there(context):
    page = front_page(context)
    assert [c["board"]["dataset"] for c in page["notable"]][:2] == [
        "ObjectNet", "ImageNet distribution shifts"]  # fmt: skip
    assert len(page["notable"]) == 6
    assert page["picture"]["method"] == "WiSE-FT"
    assert {w: n for w, n, _ in page["totals"]}["results"] == context.store.results.count()
    tree = tasks_page(context)["roots"]
    vision = next(n for n in tree if n["name"] == "Computer Vision")
    assert vision["boards"] == 0
    assert vision["below"] == len(context.shown(context.store.boards.all()))


def test_a_submission_renames_no_board(own):
    """One of another protocol stands on a board of its own, which says what it is."""
    target = own.boards.get("image-classification-on-objectnet")
    before = PageContext(own, Links(True)).heading(target)["full"]
    sent = submit(own, {"task": "Image Classification", "dataset": "ObjectNet", "value": "99.9",
                        "metric": "Top-1 Accuracy", "model_name": "Mine"}, who="eve")  # fmt: skip
    context = PageContext(own, Links(True))
    assert context.heading(target)["full"] == before == "Image Classification on ObjectNet"
    aside = own.boards.by_id(own.entries.full(sent.entry_id).board_id)
    assert aside.id != target.id
    assert context.heading(aside)["variant"] == "submitted, protocol unspecified"
    add(own, aside, "published", "Printed", "50", paper_date="2020-01-01")
    context = PageContext(own, Links(True))
    assert context.heading(target)["variant"] == "classes shared with ImageNet"
    assert context.heading(aside)["variant"] == ""
