"""The search of the static site: from its files come the very hits that the server finds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.board import Paper, Store
from surefoot.board.pages import search_files
from surefoot.board.pages.links import Links
from surefoot.board.pages.others import hit_line, search_index
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.render import asset
from surefoot.board.pages.site import export_site
from surefoot.board.store.search import words_of

from .test_browser import Look, browser

__all__ = ["browser"]  # a fixture of theirs

CALL = re.compile(r"^(?:surefootPart\((.*)\)|window\.surefootIndex=(.*));\n$", re.DOTALL)


def made(context: PageContext, whole: int) -> tuple[dict[str, Any], list[str]]:
    """What the script reads, wherever it lies, and the names of the files."""
    parts, names, about = {}, [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_files, "WHOLE", whole)
        db = context.store.db.connection
        for name, text in search_files.search_files(db, search_index(context)):
            call, value = CALL.match(text).groups()
            names.append(name)
            if call:
                key, data = json.loads(f"[{call}]")
                parts[key] = data
            else:
                about = json.loads(value)
    return {**about, "parts": {**about["parts"], **parts}}, names


def look(index: dict[str, Any], query: str) -> list[list[str]]:
    """What search.js does, in Python."""
    per_word: list[dict[int, int]] = []
    words = words_of(query)[:12]
    for number, word in enumerate(words):
        places: dict[int, int] = {}
        if word[:2] in index["prefixes"]:
            begins = number == len(words) - 1 and len(word) > 1
            for own, steps in index["parts"][f"w{word[:2]}"].items():
                if own.startswith(word) if begins else own == word:
                    at = 0
                    for step in steps:
                        at += step
                        places[at // 2] = min(places.get(at // 2, 1), at % 2)
        per_word.append(places)
    both = set.intersection(*map(set, per_word)) if per_word else set()
    room: dict[str, int] = {}
    found = []
    for _, entry in sorted((max(p[i] for p in per_word), i) for i in both):
        kind = index["kinds"][entry]
        room[kind] = room.get(kind, 0) + 1
        if room[kind] <= 15:
            block = index["parts"][f"e{entry // index['block']}"]
            found.append(block[entry % index["block"]])
    return found


@pytest.fixture
def site(rich: Store) -> PageContext:
    return PageContext(rich, Links(False), toy=True)


def asked(context: PageContext, query: str) -> list[list[str]]:
    """What the server finds, as the site would link it."""
    lines = [hit_line(context, hit) for hit in context.store.search(query, limit=15)]
    return [[line["kind"], line["title"], line["text"], line["href"]] for line in lines]


QUERIES = ("wiseft", "WiSE-FT", "robust fine", "imagenet", "objectnet", "a", "2109.01903", "lp",
           "https://arxiv.org/abs/2109.01903", "wortsman", "image", "clip vit", "ft wise", "top-1",
           "nothing at all", "end to end", "Générateurs", "of the", "kNN", "vit-b/16",
           "")  # fmt: skip


@pytest.mark.parametrize("whole", [0, 10**6])
def test_site_and_server_find_the_same(site, whole):
    index, names = made(site, whole)
    assert (len(names) == 1) == bool(whole)
    assert [q for q in QUERIES if look(index, q) != asked(site, q)] == []
    assert sum(bool(look(index, q)) for q in QUERIES) > 15


WORDS = st.sampled_from(["robust", "Robust", "rob", "fine-tuning", "Über", "ub", "x", "文字", "文",
                         "fi", "vit-b/16", "B16", "한국", "n_2", "2.5"])  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=5).map(" ".join),
                       st.lists(WORDS, max_size=3).map(" ".join)), max_size=40),
    st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
)  # fmt: skip
def test_any_words_are_found_alike(papers, query):
    with Store.open(":memory:") as store:
        for title, abstract in papers:
            store.papers.add(Paper(title, abstract=abstract))
        context = PageContext(store, Links(False))
        index, _ = made(context, 0)
        assert look(index, query) == asked(context, query)
        for title, _ in papers[:3]:
            assert look(index, title) == asked(context, title) != []


def test_a_large_board_has_blocks_and_short_files():
    with Store.open(":memory:") as store:
        for i in range(200):
            store.tasks.ensure(f"Title {i}")
        context = PageContext(store, Links(False))
        whole, names = made(context, 200)
        assert names == ["assets/search-index.js"]
        index, names = made(context, 199)
        assert index == whole
    blocks = [v for k, v in index["parts"].items() if k.startswith("e")]
    assert [len(b) for b in blocks] == [64, 64, 64, 8]
    assert sorted(e[1] for b in blocks for e in b) == sorted(f"Title {i}" for i in range(200))
    assert len(index["kinds"]) == 200


def test_hostile_titles_stay_inside_their_script(store):
    for _ in range(2):
        store.papers.add(Paper("</script><!-- __proto__ constructor \u2028"))
    context = PageContext(store, Links(False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_files, "WHOLE", 1)
        db = store.db.connection
        texts = dict(search_files.search_files(db, search_index(context)))
    assert len(texts) > 4
    assert not [n for n, t in texts.items() if "</" in t or "<!--" in t]
    assert all(
        re.fullmatch(r"(search/(e\d+|w[0-9a-f]+)|assets/search-index)\.js", n) for n in texts
    )


PAGE = """
const queries = JSON.parse(process.argv[1]), fs = require("fs"), vm = require("vm"), found = [];
const nodes = {q: {addEventListener: (_, f) => { nodes.q.input = f; }}, found: {}, hits: {}};
const element = () => ({inner: [], append(...some) { this.inner.push(...some); }});
nodes.hits.replaceChildren = () => { nodes.hits.sections = []; };
nodes.hits.append = (section) => { nodes.hits.sections.push(section); };
globalThis.window = globalThis;
globalThis.location = {search: ""};
globalThis.document = {getElementById: (id) => nodes[id], createElement: element};
for (const file of process.argv.slice(2)) vm.runInThisContext(fs.readFileSync(file, "utf-8"));
(async () => {
  for (const query of queries) {
    nodes.q.value = query;
    nodes.q.input();
    await new Promise((done) => setTimeout(done, 5));
    const lines = nodes.hits.sections.flatMap((section) => section.inner[1].inner);
    found.push(lines.map((line) => line.inner[0].href));
  }
  console.log(JSON.stringify(found));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="runs the script in Node.js")
def test_the_script_finds_the_same(site, tmp_path):
    (file,) = search_files.search_files(site.store.db.connection, search_index(site))
    for name, text in (("index.js", file[1]), ("search.js", asset("search.js"))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["node", "-e", PAGE, json.dumps(QUERIES), "index.js", "search.js"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for query, hrefs in zip(QUERIES, json.loads(done.stdout), strict=True):
        assert sorted(hrefs) == sorted(line[3] for line in asked(site, query)), query


@pytest.mark.browser
def test_a_browser_searches_the_parts(
    browser: Any, own: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_files, "WHOLE", 20)
    own.papers.add(Paper("Générateurs d'images", authors=("Łukasz Ö O",)))
    export_site(own, tmp_path / "site")
    assert len(list((tmp_path / "site/search").glob("e*.js"))) > 2
    seen = Look(browser.new_context())
    home = (tmp_path / "site/search.html").as_uri()
    for query, title in (
        ("robust fine", "Robust fine-tuning of zero-shot models"),
        ("generateurs ö łuk", "Générateurs d'images"),
        ("wortsman", "Robust fine-tuning of zero-shot models"),
    ):
        seen.page.goto(f"{home}?q={query.replace(' ', '+')}")
        seen.page.wait_for_selector("#hits a")
        assert title in seen.page.locator("#hits a").all_text_contents()
    seen.page.locator("#q").fill("objectnet")
    seen.page.locator("#hits a", has_text="ObjectNet").first.wait_for()
    assert "hits" in seen.page.get_by_role("status").text_content()
    seen.page.locator("#q").fill("zzzz")
    seen.page.wait_for_function("document.getElementById('found').textContent === '0 hits'")
    assert seen.page.locator("#hits a").count() == 0
    seen.is_quiet(home)
    for file in (tmp_path / "site/search").glob("e*.js"):
        file.unlink()
    seen.page.goto(f"{home}?q=robust")
    seen.page.get_by_text("could not be loaded").wait_for()
