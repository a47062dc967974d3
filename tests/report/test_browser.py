"""The page in a real browser: everything is drawn, nothing sticks out, nothing is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import PLANS

pytestmark = pytest.mark.browser

DRAWN = """() => [...document.querySelectorAll('svg')].map(s => {
  const r = s.getBoundingClientRect(), b = s.getBBox();
  const shown = getComputedStyle(s).display !== 'none';
  const marks = s.querySelectorAll('path, circle, rect').length;
  return {name: s.querySelector('title')?.textContent ?? 'bar', shown,
          w: r.width, h: r.height, bw: b.width, bh: b.height, marks};
})"""

OUTSIDE = """() => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('.scroll, pre, .unseen, .skip, [clip-path]')) continue;
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.right > wide + 1 || r.left < -1))
      out.push(`${e.tagName} ${e.textContent.slice(0, 40)} ${r.left} ${r.right}`);
  }
  return out;
}"""

OVERLAPS = """() => {
  const out = [];
  for (const s of document.querySelectorAll('svg.chart')) {
    if (getComputedStyle(s).display === 'none') continue;
    const texts = [...s.querySelectorAll("text")]
      .filter(t => !t.getAttribute("transform") && t.textContent);
    const boxes = texts.map(t => t.getBoundingClientRect());
    for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
      const a = boxes[i], b = boxes[j];
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 1.5 && h > 4) out.push(`${texts[i].textContent} | ${texts[j].textContent}`);
    }
  }
  return out;
}"""

VIEWS = {"desk": (1280, "light"), "phone": (390, "dark")}


@pytest.fixture(params=VIEWS)
def look(request: pytest.FixtureRequest, browser: Any) -> Any:
    """Opens a page at a size; gives it with everything it asked for and complained about."""
    width, scheme = VIEWS[request.param]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)

    def opened(path: Path) -> tuple[Any, list[str], list[str]]:
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        page.on("console", lambda m: said.append(m.text))
        page.on("pageerror", lambda e: said.append(str(e)))
        page.goto(path.as_uri())
        return page, asked, said

    yield opened
    context.close()


@pytest.mark.parametrize("name", [*PLANS, "empty"])
def test_drawn_and_quiet(look: Any, pages: dict[str, Path], name: str) -> None:
    page, asked, said = look(pages[name])
    assert [u for u in asked if not u.startswith(("file:", "data:"))] == []
    assert said == []
    for svg in page.evaluate(DRAWN):
        assert svg["marks"] > 0, svg
        if svg["shown"]:
            assert min(svg["w"], svg["h"], svg["bw"]) > 0, svg
            assert svg["bh"] > 0 or svg["name"] == "bar", svg
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0


@pytest.mark.parametrize("name", ["usual", "seeds", "twenty", "one"])
def test_texts_of_charts_do_not_overlap(look: Any, pages: dict[str, Path], name: str) -> None:
    page, _, _ = look(pages[name])
    assert page.evaluate(OVERLAPS) == []


def test_slider_walks_the_paths(look: Any, pages: dict[str, Path]) -> None:
    page, _, _ = look(pages["usual"])
    mark = page.locator("svg:visible .follow").first
    before = mark.get_attribute("cx")
    page.locator("#alpha").press("End")
    assert page.locator("#alpha-out").text_content() == "1.00"
    assert mark.get_attribute("cx") != before
    assert page.locator("#alpha-list li").count() == 4


def test_table_sorts_and_comes_back(look: Any, pages: dict[str, Path]) -> None:
    page, _, _ = look(pages["usual"])
    cells = "[...document.querySelectorAll('.scores tbody tr')].map(r => +r.cells[1].dataset.sort)"
    home = page.evaluate(cells)
    button = page.locator(".scores thead button").nth(1)
    button.click()
    assert page.evaluate(cells) == sorted(home, reverse=True)
    assert page.locator(".scores thead th").nth(1).get_attribute("aria-sort") == "descending"
    button.click()
    assert page.evaluate(cells) == sorted(home)
    button.click()
    assert page.evaluate(cells) == home


def test_marks_tell_by_keyboard(look: Any, pages: dict[str, Path]) -> None:
    page, _, _ = look(pages["usual"])
    page.locator("svg:visible [data-tip]").first.focus()
    assert "%" in page.locator("#tip").text_content()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
