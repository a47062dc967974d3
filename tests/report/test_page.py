"""The page: well-formed, escaped, self-contained, made without torch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import surefoot
from conftest import HOSTILE, PLANS
from surefoot.report import render
from surefoot.runs import Study

VOID = {"meta", "link", "img", "br", "input", "hr"}
EVERY = [*PLANS, "empty"]


class Reader(HTMLParser):
    """Checks that tags nest, and gathers text, ids, references and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.tags: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value))
            if name == "id":
                self.ids.append(value or "")
            if name in ("aria-labelledby", "for"):
                self.references += (value or "").split()
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        opened = self.stack.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        if not self.stack or self.stack[-1] not in ("script", "style"):
            self.text += data


def read(path: Path) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EVERY)
def test_well_formed(pages: dict[str, Path], name: str) -> None:
    page = read(pages[name])
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert page.tags.count("h1") == 1
    assert page.tags.count("script") == 1


@pytest.mark.parametrize("name", EVERY)
def test_svg_is_xml_with_title_and_description(pages: dict[str, Path], name: str) -> None:
    html = pages[name].read_text(encoding="utf-8")
    drawings = re.findall(r'<svg class="chart.*?</svg>', html, re.S)
    assert len(drawings) == html.count('class="chart')
    for drawing in drawings:
        tree = ElementTree.fromstring(drawing)
        kinds = [child.tag.rpartition("}")[2] for child in tree]
        assert kinds[:2] == ["title", "desc"]
        assert all(child.text for child in tree[:2])
        assert "nan" not in drawing.lower().replace("domi", "")
    if name not in ("empty", "alone"):
        assert len(drawings) >= 1


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_fetched(pages: dict[str, Path], name: str) -> None:
    page = read(pages[name])
    for tag, key, value in page.attributes:
        if key in ("src", "href", "srcset", "action", "data", "poster"):
            assert (value or "").startswith(("data:", "#")), (tag, key, value)
        assert not key.startswith("on"), (tag, key)
        assert key != "style", "inline styles are forbidden by the page's own policy"
    html = pages[name].read_text(encoding="utf-8")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src &#39;none&#39;" in html


@pytest.mark.parametrize("name", EVERY)
def test_small_enough(pages: dict[str, Path], name: str) -> None:
    assert pages[name].stat().st_size < 3_000_000


def test_hostile_names_are_text(pages: dict[str, Path]) -> None:
    page = read(pages["hostile"])
    assert HOSTILE in page.text
    assert page.tags.count("script") == 1
    assert not [a for a in page.attributes if a[1] == "onerror"]


def test_hostile_images_are_left_out(tmp_path: Path) -> None:
    from make_study import Plan, make_study

    study = make_study(tmp_path / "s", Plan(n=20, methods=Plan().methods[:1]))
    bad = [
        "https://example.org/x.png",
        "data:text/html;base64,AAAA",
        "data:image/svg+xml;base64,AA",
    ]
    rows = [
        {"split": "a", "id": "b", "label": "c", "image": b, "predictions": {"m": "c"}} for b in bad
    ]
    import json

    (tmp_path / "s" / "examples.json").write_text(json.dumps(rows))
    html = render(study).read_text(encoding="utf-8")
    assert html.count("no image") == 3
    assert "example.org" not in html


def test_says_what_is_asked(pages: dict[str, Path]) -> None:
    text = read(pages["usual"]).text
    for words in (
        "In distribution against under shift",
        "Along the path",
        "Each shift",
        "Every number",
        "How every α was chosen",
        "uses the test set",
        "Where the models disagree",
        "Training",
        "To do it again",
        "surefoot demo",
        "method: lp-ft",
        "3.11.7",
        "MIT, Apache-2.0, CC-BY-4.0",
        "Clopper",
        "Holm",
        "One seed",
    ):
        assert words in text, words


def test_correctness_is_not_by_colour_alone(pages: dict[str, Path]) -> None:
    text = read(pages["usual"]).text
    assert text.count("✓") == text.count("right: ") > 0
    assert text.count("✗") == text.count("wrong: ") > 0


def test_tiny_images_are_pixelated(pages: dict[str, Path]) -> None:
    html = pages["usual"].read_text(encoding="utf-8")
    assert html.count('class="tiny"') == 18
    assert "image-rendering: pixelated" in html


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one", "Not every run finished"),
        ("none", "A trial: only part"),
        ("none", "No shifted test set"),
        ("none", "ties could not be tested"),
        ("twenty", "10 of 20 shifts are synthetic"),
        ("seeds", "Rings: single runs"),
        ("empty", "No scores yet"),
        ("alone", "Zero-shot: accuracy"),
    ],
)
def test_states_are_told(pages: dict[str, Path], name: str, words: str) -> None:
    assert words in read(pages[name]).text


def test_one_seed_has_no_seed_section(pages: dict[str, Path]) -> None:
    assert "Rings: single runs" not in read(pages["usual"]).text


def test_training_tells_that_validation_chose_no_epoch(pages: dict[str, Path]) -> None:
    page = read(pages["usual"])
    assert "no epoch is chosen by it" in page.text
    html = pages["usual"].read_text(encoding="utf-8")
    assert html.count('class="chart mini validation"') == 4  # of every run that trained
    assert "no epoch is chosen by it" not in read(pages["none"]).text


def test_out_names_the_file(studies: dict[str, Study], tmp_path: Path) -> None:
    assert render(studies["alone"], tmp_path / "x.html") == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.html"]


def test_same_study_same_page(studies: dict[str, Study], tmp_path: Path) -> None:
    a, b = render(studies["usual"], tmp_path / "a"), render(studies["usual"], tmp_path / "b")
    assert a.read_bytes() == b.read_bytes()


def test_renders_without_torch(studies: dict[str, Study], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        heavy = ('torch', 'torchvision', 'timm', 'open_clip', 'transformers')\n"
        "        if name.partition('.')[0] in heavy:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from pathlib import Path\n"
        "from surefoot.report import render, render_terminal\n"
        "from surefoot.runs import open_study\n"
        "study = open_study(sys.argv[1])\n"
        "print(render(study, Path(sys.argv[2])))\n"
        "print(render_terminal(study, 90))\n"
    )
    source = str(Path(surefoot.__file__).parents[1]) if surefoot.__file__ else "src"
    run = subprocess.run(
        [sys.executable, "-c", code, str(studies["one"].path), str(tmp_path / "r.html")],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "r.html").is_file()
    assert "FT (zero-shot head)" in run.stdout
