"""The site and the server in a browser: the walk, accessibility, sorting, filters, no requests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from surefoot.board import Store
from surefoot.board.pages.site import export_site
from tests.browser import chromium

from .make import add

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
VIEWS = {"static": (1280, "light"), "live": (390, "dark")}
OUTSIDE = """() => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('.scroll, pre, .unseen, .skip, .chart-box, .bar nav, thead, [hidden], svg'))
      continue;
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.right > wide + 1 || r.left < -1))
      out.push(`${e.tagName}.${e.className} ${e.textContent.slice(0, 40)} ${r.left} ${r.right}`);
  }
  return out;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium("the board")


@pytest.fixture(scope="module")
def live(rich_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a live server of a board of its own."""
    uvicorn = pytest.importorskip("uvicorn")
    from surefoot.board.web.app import create_app

    path = tmp_path_factory.mktemp("live") / "board.db"
    path.write_bytes(rich_file.read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(create_app(path), port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(params=["static", "live"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which: the site on a desk in light, the server on a phone in the dark."""
    return str(request.param)


@pytest.fixture
def home(kind: str, request: pytest.FixtureRequest) -> str:
    """The front page's address on one of them."""
    if kind == "live":
        return f"{request.getfixturevalue('live')}/"
    site: Path = request.getfixturevalue("site")
    return (site / "index.html").as_uri()


class Look:
    """A page with everything that it asked for and complained about."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("console", lambda m: self.said.append(m.text))
        self.page.on("pageerror", lambda e: self.said.append(str(e)))

    def is_quiet(self, home: str) -> None:
        """Nothing was asked of another machine, and nothing was complained about."""
        own = home.rpartition("/")[0]
        assert [u for u in self.asked if not u.startswith((own, "data:"))] == []
        assert self.said == []


@pytest.fixture
def look(kind: str, browser: Any) -> Iterator[Look]:
    width, scheme = VIEWS[kind]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield Look(context)
    context.close()


def check(page: Any) -> None:
    """No serious violation of accessibility, nothing that sticks out."""
    axe = pytest.importorskip("axe_core_python.sync_playwright").Axe()
    found = axe.run(page, options=RULES)["violations"]
    bad = [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found
           if v["impact"] in ("serious", "critical")]  # fmt: skip
    assert bad == [], page.url
    assert page.evaluate(OUTSIDE) == [], page.url


def test_the_walk(look: Look, home: str) -> None:
    """Tasks -> board -> paper -> method -> row -> scatter -> submit, with every page checked."""
    page = look.page
    page.goto(home)
    check(page)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Tasks").click()
    assert page.locator("h1").text_content() == "Tasks"
    check(page)
    page.get_by_role("link", name="Image Classification", exact=True).click()
    check(page)
    page.locator("main th").get_by_role("link", name="ObjectNet", exact=True).first.click()
    assert page.locator("h1").text_content() == "Image Classification on ObjectNet"
    check(page)
    page.get_by_role("link", name="Robust fine-tuning of zero-shot models").first.click()
    first = page.locator("table").first.locator("tbody tr").first
    cells = [" ".join(c.split()) for c in first.locator("td").all_text_contents()]
    assert cells[:4] == ["Image Classification", "ObjectNet", "Top-1 Accuracy", "72.1"]
    check(page)
    page.get_by_role("complementary").get_by_role("link", name="WiSE-FT").click()
    assert page.locator("svg.chart").count() == 2
    check(page)
    page.go_back()
    page.locator("table").first.get_by_role("link", name="WiSE-FT").first.click()
    assert "Where it comes from" in page.locator("main").text_content()
    check(page)
    page.locator(".crumbs a").last.click()
    page.locator("section", has_text="Against another board").locator(".chip").first.click()
    check(page)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Submit").click()
    assert page.locator("h1").text_content() == "Submit a result"
    check(page)
    for name in ("Papers", "Methods", "Data sets", "SotA", "About"):
        page.get_by_role("navigation", name="Sections").get_by_role("link", name=name).click()
        check(page)
    look.is_quiet(home)


def test_search_finds_on_both_faces(look: Look, home: str) -> None:
    page = look.page
    page.goto(home)
    page.get_by_role("searchbox").first.fill("robust fine")
    page.keyboard.press("Enter")
    page.wait_for_selector("#hits a")
    assert "q=robust+fine" in page.url
    titles = page.locator("#hits a").all_text_contents()
    assert "Robust fine-tuning of zero-shot models" in titles
    check(page)
    page.get_by_role("link", name="Robust fine-tuning of zero-shot models", exact=True).click()
    assert "Robust fine-tuning" in page.locator("h1").text_content()
    look.is_quiet(home)


def values(page: Any) -> list[float]:
    texts = page.locator("#results tbody td:nth-child(3) b").all_text_contents()
    return [float(t) for t in texts]


def test_sort_and_filter_on_both_faces(look: Look, home: str) -> None:
    page = look.page
    page.goto(home)
    page.locator(".cards a", has_text="ObjectNet").first.click()
    before = values(page)
    places = page.locator("#results tbody td.rank").all_inner_texts()
    ranked = sum("oracle" not in p for p in places)
    assert 0 < ranked < len(before)
    assert all("oracle" in p for p in places[ranked:])
    for part in (before[:ranked], before[ranked:]):
        assert part == sorted(part, reverse=True)
    head = page.locator("th[data-sort='value']")
    head.locator("a, button").click()
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("a, button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert values(page) == sorted(before)
    page.locator("#f-q").fill("basic-l")
    if page.url.startswith("http"):
        page.keyboard.press("Enter")
        page.wait_for_url("**q=basic-l**")
    assert page.locator("#results tbody tr").count() == 4
    assert "4 of 30 rows" in page.locator("#told").text_content()
    look.is_quiet(home)


def test_marks_tell_and_lead_by_keyboard(look: Look, home: str) -> None:
    page = look.page
    page.goto(home)
    page.locator(".cards a", has_text="ObjectNet").first.click()
    mark = page.locator("svg a[data-tip]:not([tabindex])").first
    mark.focus()
    assert "best so far" in page.locator("#tip").text_content()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
    page.keyboard.press("Enter")
    page.wait_for_selector("#numbers")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    look.is_quiet(home)


def test_a_form_is_sent_and_comes_back(browser: Any, live: str) -> None:
    look = Look(browser.new_context(viewport={"width": 390, "height": 900}))
    page = look.page
    page.goto(f"{live}/submit")
    check(page)
    name = "Walked by hand"
    for field, text in (("task", "Image Classification"), ("dataset", "ObjectNet"),
                        ("metric", "Top-1 Accuracy"), ("value", "high"),
                        ("model_name", name)):  # fmt: skip
        page.locator(f"#s-{field}").fill(text)
    page.get_by_role("button", name="Send to the queue").click()
    alert = page.get_by_role("alert")
    assert "cannot be read as one number" in alert.text_content()
    assert page.locator("#s-value").get_attribute("aria-invalid") == "true"
    check(page)
    page.locator("#s-value").fill("71.9")
    page.get_by_role("button", name="Send to the queue").click()
    assert "is queued" in page.locator(".okbox").text_content()
    page.get_by_role("link", name=name).click()
    assert "submitted" in page.locator("h1").text_content()
    own = [m for m in look.said if "422" not in m]  # the browser notes the refused form
    assert own == []


def test_a_large_board_sorts_from_its_file(
    browser: Any, own: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.board.pages.table.PAGE", 40)
    monkeypatch.setattr("surefoot.board.pages.board_view.PAGE", 40)
    monkeypatch.setattr("surefoot.board.pages.site.row_html", lambda context, row: "")
    board = own.boards.get("image-classification-on-objectnet")
    with own.transaction():
        for i in range(220):
            add(own, board, "published", f"Row {i}", f"{i / 10:.1f}", paper_date="2020-01-01")
    monkeypatch.setattr("surefoot.board.pages.table.make_rows.__kwdefaults__", {
        "query": None, "page": 1, "size": 40, "others": ()})  # fmt: skip
    export_site(own, tmp_path / "site")
    look = Look(browser.new_context())
    home = (tmp_path / "site/boards/image-classification-on-objectnet.html").as_uri()
    look.page.goto(home)
    assert look.page.locator("#results tbody tr").count() == 40
    look.page.get_by_role("link", name="Next").click()
    assert "Page 2 of 7" in look.page.locator(".pager:visible").text_content()
    look.page.go_back()
    look.page.locator("th[data-sort='value'] button").click()
    look.page.locator("th[data-sort='value'] button").click()
    first = look.page.locator("#results tbody td b", has_text="0.0").first
    first.wait_for()
    assert first.text_content() == "0.0"
    assert look.page.locator("#results tbody tr").count() == 40
    look.page.locator("#f-q").fill("row 21")
    assert look.page.locator("#results tbody tr").count() == 12
    assert "12 of 249 rows" in look.page.locator("#told").text_content()
    first = look.page.locator("#results tbody tr").first
    assert "row 21" in first.locator("th").text_content().lower()
    look.page.locator("#f-q").fill("nothing like it")
    assert look.page.locator("#results tbody tr").count() == 0
    look.is_quiet(home.rpartition("/boards")[0] + "/")
