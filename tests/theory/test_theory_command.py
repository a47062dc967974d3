"""``surefoot theory``, as typed, and its page."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from copy import deepcopy

import pytest
from click.testing import CliRunner

from surefoot.cli.main import cli
from surefoot.report.theory_charts import Line, Log, geometric_mean, power, time_chart
from surefoot.report.theory_page import theory_page


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("theory") / "deep" / "er"
    result = CliRunner().invoke(cli, ["theory", "--seeds", "2", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out, result


@pytest.fixture(scope="module")
def numbers(done):
    return json.loads((done[0] / "theory.json").read_text())


@pytest.fixture(scope="module")
def page(done):
    return (done[0] / "theory.html").read_text()


def test_it_prints_five_verdicts_and_writes_its_files(done):
    out, result = done
    found = re.findall(r"^(\d)  (holds|does not hold|not significant)  ", result.stdout, re.M)
    assert [n for n, _ in found] == ["1", "2", "3", "4", "5"]
    assert sorted(p.name for p in out.iterdir()) == [
        "theory-ends.svg",
        "theory-times.svg",
        "theory.html",
        "theory.json",
    ]
    assert "theory.html" in result.stderr
    assert "theory.html" not in result.stdout


def test_json_on_stdout_is_the_file(done, tmp_path):
    result = CliRunner().invoke(cli, ["theory", "--seeds", "2", "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == (done[0] / "theory.json").read_text()


def test_the_page_can_be_made_again_from_the_file(numbers, page):
    assert theory_page(numbers, "surefoot theory --seeds 2") == page


def test_the_page_is_one_file_with_every_verdict(numbers, page):
    assert not re.search(r"<(?:link[^>]+stylesheet|img|script[^>]+src|iframe)", page)
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert not re.search(r"url\((?!#)|@import", page)
    for s in numbers["statements"]:
        assert page.count(f'<td class="n">{s["number"]}</td>') == 1
    assert "surefoot theory --seeds 2" in page
    assert "prefers-color-scheme: dark" in page


def test_every_drawing_is_sound_and_described(numbers, page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(drawings) == 2 + 2 * len(numbers["setting"]["eps"])
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for drawing in drawings:
        tree = ET.fromstring(drawing)
        desc = tree.find("{http://www.w3.org/2000/svg}desc")
        assert all(name in desc.text for name in ("FT: ", "LP: ", "LP-FT: "))
        assert "nan" not in drawing
        assert "inf" not in drawing


def test_the_headline_and_headings_follow_the_verdicts(numbers):
    good, bad = deepcopy(numbers), deepcopy(numbers)
    for s in good["statements"]:
        s["verdict"] = "holds"
    bad["statements"][0]["verdict"] = "does not hold"
    bad["statements"][1]["verdict"] = "holds"
    assert "All five statements of the theory hold" in theory_page(good)
    assert "No moment at which to stop" in theory_page(good)
    broken = theory_page(bad)
    assert "All five statements" not in broken
    assert "No moment at which to stop" not in broken
    assert "stopping early does not save it" not in broken
    assert 'class="v no">does not hold' in broken


def test_logarithmic_axes():
    scale = Log(1e-4, 1.0, 0, 100)
    assert scale(1e-2) == pytest.approx(50)
    assert scale(0.0) < -500
    assert scale.ticks(5) == [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    assert len(Log(1e-9, 10, 0, 1).ticks(4)) <= 4
    assert [power(v) for v in (1e-8, 1e-3, 1e-2, 1, 10)] == ["10⁻⁸", "10⁻³", "0.01", "1", "10"]
    assert geometric_mean([1, 100]) == pytest.approx(10)


def test_a_line_below_the_axis_is_named():
    line = Line("LP <b>", 2, (0.1, 1.0), ((1e-30, 0.0),))
    drawing = time_chart("t", "OOD", [line], (1e-5, 10)).render()
    assert "LP &lt;b&gt; ↓" in drawing


def test_bad_arguments_are_refused():
    result = CliRunner().invoke(cli, ["theory", "--seeds", "0"])
    assert result.exit_code == 2
    assert "--seeds" in result.stderr
