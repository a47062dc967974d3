"""Text from strangers stays text, in every field, on the site and the server."""

from __future__ import annotations

import json

import pytest

from surefoot.board import Store
from surefoot.board.pages.links import Links
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.site import export_site
from surefoot.board.pages.views import LISTS, board_html, entity_html, list_html, row_html

from .make import fill_hostile
from .read import Page

OURS = {"board.js", "search.js", "search-index.js"}


@pytest.fixture(scope="module")
def texts(hostile_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "site"
    with Store.open(hostile_file, read_only=True) as store:
        export_site(store, folder)
        context = PageContext(store, Links(True), writable=True)
        live = {f"live {n}": list_html(context, n)[0] for n in LISTS}
        for kind in ("tasks", "datasets", "methods", "papers"):
            for one in getattr(store, kind).all():
                live[f"live {kind} {one.id}"] = entity_html(context, kind, one.slug)
        for one in store.boards.all():
            live[f"live board {one.id}"] = board_html(context, one.slug)[0]
        for one in store.entries.all():
            live[f"live row {one.id}"] = row_html(context, one.id)
    files = {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8")
             for p in folder.rglob("*.html")}  # fmt: skip
    return {**live, **files, "index": (folder / "assets/search-index.js").read_text()}


def test_no_script_no_handler_no_foreign_image(texts):
    assert len(texts) > 40
    for name, text in texts.items():
        if name == "index":
            continue
        page = Page.of(text)
        assert page.wrong == [], name
        for a in page.all("script"):
            assert a["src"].rpartition("/")[2] in OURS, (name, a)
        assert page.all("img") == [], name
        handlers = [a for _, a in page.elements if any(k.startswith("on") for k in a)]
        assert handlers == [], (name, handlers)
        for _, a in page.elements:
            for key in ("href", "src", "action", "formaction", "xlink:href"):
                address = a.get(key, "").lower().lstrip()
                assert not address.startswith(("javascript:", "data:text")), (name, a)


def test_the_text_is_shown_as_it_is(texts):
    shown = sum("<script>alert(1)</script>" in Page.of(t).text
                for n, t in texts.items() if n != "index")  # fmt: skip
    assert shown > 30
    assert sum("{{ 7*7 }}" in Page.of(t).text for n, t in texts.items() if n != "index") > 30
    assert [n for n, t in texts.items() if {"\x00", "\x1b", "\u202e"} & set(t)] == []


def test_the_search_index_is_only_data(texts):
    text = texts["index"]
    assert "</" not in text
    data = json.loads(text.removeprefix("window.surefootIndex=").rstrip(";\n"))
    lines = [line for key, block in data["parts"].items() if key[0] == "e" for line in block]
    assert any("<script>" in title for _, title, _, _ in lines)


def test_files_stay_inside(hostile_file, tmp_path):
    with Store.open(hostile_file, read_only=True) as store:
        done = export_site(store, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
    assert sum(1 for p in (tmp_path / "out").rglob("*") if p.is_file()) == done.files


def test_nothing_changed_in_the_board(hostile_file):
    with Store.open(hostile_file) as store:
        before = store.totals()
        assert before["entries"] == 8
    with Store.open(":memory:", create=True) as store:
        fill_hostile(store)
        assert store.totals() == before
