"""The static site: whole, closed in itself, the same twice, and only its own files."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from surefoot.board import BoardError, Paper, Store
from surefoot.board.pages.site import export_site

from .conftest import RICH
from .read import Page

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src",
         "object": "data", "video": "src", "audio": "src"}  # fmt: skip


@pytest.fixture(scope="module")
def pages(site):
    return {p.relative_to(site).as_posix(): Page.of(p.read_text(encoding="utf-8"))
            for p in site.rglob("*.html")}  # fmt: skip


def test_every_page_is_well_formed_and_named(pages):
    assert len(pages) > 500
    assert {n: p.wrong for n, p in pages.items() if p.wrong} == {}
    for name, page in pages.items():
        assert len(page.ids()) == len(set(page.ids())), name
        assert len(page.all("h1")) == 1, name
        assert page.all("html")[0]["lang"] == "en"
        assert page.all("main"), name


def test_every_link_leads_to_a_file(site, pages):
    seen = 0
    for name, page in pages.items():
        for tag in ("a", "link", "script", "form"):
            for a in page.all(tag):
                href = a.get("href") or a.get("src") or a.get("action") or ""
                if href.startswith(("http://", "https://", "data:")) or not href:
                    continue
                parts = urlsplit(href)
                assert not parts.scheme, (name, href)
                assert not href.startswith("/"), (name, href)
                target = (site / name).parent / unquote(parts.path) if parts.path else site / name
                assert target.resolve().is_file(), (name, href)
                if parts.fragment:
                    there = pages[target.resolve().relative_to(site.resolve()).as_posix()]
                    assert parts.fragment in there.ids(), (name, href)
                seen += 1
    assert seen > 10_000


def test_nothing_is_asked_of_another_machine(pages):
    for name, page in pages.items():
        for tag, attribute in LOADS.items():
            for a in page.all(tag):
                assert not urlsplit(a.get(attribute, "")).netloc, (name, tag, a)
        meta = [a["content"] for a in page.all("meta") if a.get("http-equiv")]
        assert meta, name
        assert "default-src 'none'" in meta[0]
        assert not [a for _, a in page.elements if "style" in a], name


def test_the_page_that_people_knew(pages):
    page = pages["papers/robust-fine-tuning-of-zero-shot-models.html"]
    head, first = page.table()[:2]
    assert head[:5] == ["Task", "Dataset", "Metric", "Value", "Model"]
    assert first[:4] == ["Image Classification", "ObjectNet", "Top-1 Accuracy", "72.1"]
    assert first[4].startswith("WiSE-FT")
    assert first[5] == "oracle α"  # alpha chosen by the test score: no rank
    for words in ("Mitchell Wortsman", "CVPR 2022", "4 Sep 2021", "Transfer Learning",
                  "Related papers", "In our own words"):  # fmt: skip
        assert words in page.text
    links = {" ".join(a.get("class", "").split()): a["href"] for a in page.all("a")}
    assert links["button main"] == "https://arxiv.org/abs/2109.01903"
    assert links["button code official"] == "https://github.com/mlfoundations/wise-ft"


def test_alpha_curves_are_drawn_with_their_table(pages):
    page = pages["methods/wise-ft.html"]
    assert "every data set" not in page.text
    charts = [a for a in page.all("svg") if a.get("class") == "chart"]
    assert len(charts) == 2
    assert ["ImageNet-R", "89.0", "90.3", "0.20", "79.8"] in page.table()
    assert any(row and row[0].startswith("ObjectNet Top-1") and len(row) == 22
               for row in page.table())  # fmt: skip


def test_toy_data_stay_out_unless_asked_for(rich_file, site, tmp_path):
    assert not list(site.rglob("*toys*"))
    assert not (site / f"rows/{RICH['toy']}.html").exists()
    assert "Toys" not in (site / "assets/search-index.js").read_text()
    with Store.open(rich_file, read_only=True) as store:
        export_site(store, tmp_path / "all", toy=True)
    assert "Toy model" in (tmp_path / f"all/rows/{RICH['toy']}.html").read_text()


def test_a_row_that_was_taken_off_keeps_its_page(site, pages):
    page = pages[f"rows/{RICH['gone']}.html"]
    assert "was taken off the board" in page.text
    assert "a slip of the pen" in page.text
    board = next(p for n, p in pages.items() if "mine-odd" in n)
    assert "Gone" not in board.text


def test_scatters_lead_to_rows(site, pages):
    page = next(p for n, p in sorted(pages.items()) if n.startswith("compare/"))
    svg = [a for a in page.all("a") if a.get("data-tip")]
    assert len(svg) > 10
    for a in svg:
        assert (site / "compare" / a["href"]).resolve().is_file()
        assert a["aria-label"] == a["data-tip"]


def test_twice_is_the_same_and_only_own_files_are_touched(rich_file, tmp_path):
    folder = tmp_path / "out"
    with Store.open(rich_file, read_only=True) as store:
        export_site(store, folder)
        first = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        (folder / "CNAME").write_text("mine")
        stale = folder / "papers/old.html"
        stale.write_text("old")
        mark = folder / "surefoot-board.json"
        files = json.loads(mark.read_text())["files"]
        outside = tmp_path / "keep.txt"
        outside.write_text("keep")
        mark.write_text(json.dumps({"files": [*files, "papers/old.html", "../keep.txt"]}))
        export_site(store, folder)
    assert not stale.exists()
    assert outside.read_text() == "keep"
    assert (folder / "CNAME").read_text() == "mine"
    assert {p: p.read_bytes() for p in first} == first


def test_an_interrupted_export_leaves_the_old_site_whole(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    with Store.open(":memory:", create=True) as store:
        export_site(store, folder)
        (folder / "data").mkdir()
        (folder / "data" / "mine.csv").write_text("a,b")
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        real, count = Path.write_text, [0]

        def breaks(path, *args, **named):
            count[0] += 1
            if count[0] > 5:
                raise OSError(28, "No space left on device")
            return real(path, *args, **named)

        store.papers.add(Paper("New"))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", breaks)
            with pytest.raises(OSError, match="No space left"):
                export_site(store, folder)
        assert count[0] > 5
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
        export_site(store, folder)
    assert (folder / "papers/new.html").is_file()
    assert (folder / "data/mine.csv").read_text() == "a,b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_killed_between_the_two_renames_nothing_is_lost(tmp_path):
    folder = tmp_path / "out"
    with Store.open(":memory:", create=True) as store:
        export_site(store, folder)
        (folder / "CNAME").write_text("mine")
        folder.rename(tmp_path / ".out.before")
        export_site(store, folder)
    assert (folder / "CNAME").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_the_working_folder_is_not_pulled_from_under_a_shell(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with Store.open(":memory:", create=True) as store:
        export_site(store, ".")
        there = folder.stat().st_ino
        paper = store.papers.add(Paper("Going"))
        export_site(store, ".")
        assert (folder / "papers/going.html").is_file()
        store.papers.delete(paper.id, why="a test")
        export_site(store, ".")
    assert folder.stat().st_ino == there
    assert Path("index.html").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_folder_of_other_pages_is_left_alone(rich, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(BoardError, match="pages that this board did not write"):
        export_site(rich, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(BoardError, match="is a file"):
        export_site(rich, tmp_path / "file")


def test_an_empty_board_has_a_site(tmp_path):
    with Store.open(":memory:", create=True) as store:
        done = export_site(store, tmp_path / "out")
    assert done.pages == 9
    assert "surefoot board init" in (tmp_path / "out/index.html").read_text()


def test_the_template_of_a_submission_is_a_file(site):
    blank = json.loads((site / "submission-template.json").read_text())
    assert {"task", "dataset", "value", "recipe"} <= set(blank)
    assert "surefoot board submit result.json" in (site / "submit.html").read_text()
