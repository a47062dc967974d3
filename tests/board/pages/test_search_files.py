"""The static search of a large board: its parts find what a plain look finds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.board import Paper, Store
from surefoot.board.pages import export_site, search_files
from surefoot.board.pages.search_files import words_of

from .test_browser import Look, browser

__all__ = ["browser"]  # a fixture of theirs

CALL = re.compile(r"^(?:surefoot\w+\((.*)\)|window\.surefoot\w+=(.*));\n$", re.DOTALL)


def made(lines: list[tuple[str, str, str, str]], whole: int = 0) -> dict[str, Any]:
    """File -> what the script is given by it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_files, "WHOLE", whole)
        found = {}
        for name, text in search_files.search_files(iter(lines)):
            call, value = CALL.match(text).groups()
            found[name] = json.loads(f"[{call}]") if call else json.loads(value)
        return found


def look(files: dict[str, Any], query: str) -> list[tuple[int, list[str]]]:
    """What search.js does, in Python: (words in the title, entry) in its order."""
    about = files["assets/search-index.js"]
    per_word = []
    for word in dict.fromkeys(words_of(query)):
        places: dict[int, int] = {}
        if word[:2] in about["prefixes"]:
            prefix, words = files[f"search/w{word[:2].encode().hex()}.js"]
            assert prefix == word[:2]
            for own, steps in words.items():
                if own.startswith(word) if len(word) > 1 else own == word:
                    at = 0
                    for step in steps:
                        at += step
                        places[at // 2] = max(places.get(at // 2, 0), 1 - at % 2)
        per_word.append(places)
    both = set.intersection(*map(set, per_word))
    order = sorted((-sum(p[i] for p in per_word), i) for i in both)
    size = about["block"]
    return [(-n, files[f"search/e{i // size}.js"][1][i % size]) for n, i in order]


WORDS = st.sampled_from(["robust", "Robust", "rob", "fine-tuning", "Über", "ub", "x", "文字", "文"])
LINE = st.tuples(st.sampled_from(["Task", "Paper"]), st.lists(WORDS, min_size=1, max_size=5).map(
    " ".join), st.lists(WORDS, max_size=3).map(", ".join), st.just("papers/a.html"))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LINE, min_size=1, max_size=150),
    st.sampled_from(["robust", "ro", "fine tun", "ub", "über", "x", "文", "文字", "nothing"]),
)
def test_parts_find_what_a_plain_look_finds(lines, query):
    files = made([(k, f"{t} {i}", m, h) for i, (k, t, m, h) in enumerate(lines)])
    got = look(files, query)
    asked = words_of(query)

    def fits(word: str, asked: str) -> bool:
        return word.startswith(asked) if len(asked) > 1 else word == asked

    for score, (_, title, _, _) in got:
        assert score == sum(any(fits(w, q) for w in words_of(title)) for q in asked)
    want = [
        f"{t} {i}"
        for i, (_, t, m, _) in enumerate(lines)
        if all(any(fits(w, q) for w in words_of(f"{t} {i} {m}")) for q in asked)
    ]
    assert sorted(e[1] for _, e in got) == sorted(want)
    scores = [s for s, _ in got]
    assert scores == sorted(scores, reverse=True)


def test_a_small_board_has_one_file_and_a_large_one_blocks():
    lines = [("Task", f"Title {i}", "", f"tasks/{i}.html") for i in range(200)]
    assert made(lines, 200) == {"assets/search-index.js": [list(one) for one in lines]}
    files = made(lines, 199)
    blocks = [v[1] for k, v in files.items() if k.startswith("search/e")]
    assert [len(b) for b in blocks] == [64, 64, 64, 8]
    assert sorted(tuple(e) for b in blocks for e in b) == sorted(lines)
    assert files["assets/search-index.js"]["count"] == 200
    assert max(len(b) for k, b in files.items() if k.startswith("search/w")) == 2


def test_hostile_titles_stay_inside_their_script():
    lines = [("Task", "</script><!-- __proto__ constructor", "\u2028", "a.html")] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_files, "WHOLE", 1)
        texts = dict(search_files.search_files(iter(lines)))
    assert not [n for n, t in texts.items() if "</" in t or "<!--" in t]
    assert all(re.fullmatch(r"(search/[ew][0-9a-f]+|assets/search-index)\.js", n) for n in texts)


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
        ("generateurs łuk o", "Générateurs d'images"),
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
