"""Results show themselves: one line each, tables, data frames, pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import surefoot as sf
from surefoot.display import Table, shown
from surefoot.errors import MissingDependency
from surefoot.evals.evaluate import evaluate
from surefoot.predictions import Predictions
from surefoot.records import Curve, Score
from surefoot.runs import Run, open_study
from surefoot.weights import Weights


def score(split: str, alpha: float | None, value: float, **fields: object) -> Score:
    domain = "ID" if split in ("val", "test") else "OOD"
    given = {"method": "wise-ft(ft)", "metric": "top1", **fields}
    return Score(value=value, n=50, low=value - 0.1, high=value + 0.1, interval="bootstrap",
                 split=split, domain=domain, alpha=alpha, **given)  # type: ignore[arg-type]  # fmt: skip


def curve(metric: str = "top1", alphas: tuple[float, ...] = (0.0, 0.5, 1.0)) -> Curve:
    rows = {
        split: tuple(score(split, a, v, metric=metric) for a, v in zip(alphas, vs, strict=True))
        for split, vs in (("val", (0.5, 0.7, 0.6)), ("<night>", (0.6, 0.5, 0.2)))
    }
    return Curve("wise-ft(ft)", alphas, rows)


def test_one_line_each(task, model):
    head = sf.Head(np_tensor(3, 12), normalize=True, class_names=("a", "b", "c"))
    tuned = model.with_head(head)
    lines = {
        "Task(shapes: 3 classes; train 45, val 30, test 30; shifts: recoloured)": task,
        "Split(train, ID train: 45 images, 3 classes)": task.train,
        "Shift(recoloured: 30 images, 3 classes, top1)": task.shifts[0],
        "Head(linear: 3 classes, 12 features, normalised features)": head,
        "Model(toy: 1,940 weights in the encoder, linear head of 3)": tuned,
        "Path(toy -> toy, head interpolate, batchnorm interpolate)": sf.Path(tuned, tuned),
        "Curve(wise-ft(ft): 3 alphas, val, <night>)": curve(),
        "Selection(id_val: alpha 0.5, chosen on val)": curve().choose("id_val"),
        "Score(wise-ft(ft) on val at alpha 0: top1 0.5000 [0.4000, 0.6000], n=50)": curve().scores[
            "val"
        ][0],
    }
    for line, thing in lines.items():
        assert repr(thing) == line
    for thing in (*lines.values(), Weights.of(tuned)):
        assert "\n" not in repr(thing)
        assert len(repr(thing)) <= 160


def np_tensor(rows: int, columns: int):
    import torch

    return torch.from_numpy(np.arange(rows * columns, dtype=np.float32).reshape(rows, columns))


def test_a_task_with_many_shifts_is_still_one_line():
    assert len(repr(sf.pictograms())) <= 160


def test_an_evaluation_is_a_list_that_shows_itself(task, model):
    head = sf.Head(np_tensor(3, 12), normalize=True, class_names=task.class_names)
    found = evaluate(model.with_head(head), task)
    assert isinstance(found, list)
    assert len(found) == 3
    for said, row in found:
        assert isinstance(said, Predictions)
        assert row.split == said.split
    assert found.scores() == [row for _, row in found]
    table = found.table()
    assert [row[0] for row in table.rows] == ["val", "test", "recoloured"]
    assert str(table) == repr(found)
    assert table.rows[0][2] == f"{100 * found[0][1].value:.1f}"
    assert list(found.to_frame()["value"]) == [row.value for _, row in found]
    assert "recoloured" in found._repr_html_()


def test_a_curve_is_drawn_chosen_from_and_tabled(tmp_path):
    one = curve()
    picture = one.plot()
    ET.fromstring(picture._repr_svg_())
    assert "&lt;night&gt; (top1, n=50)" in picture.svg
    picture.save(tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text() == picture.svg
    assert one.choose("fixed", fixed=0.9).alpha == 1.0
    assert str(one.table()).splitlines()[2].split() == ["0.00", "50.0", "60.0"]
    assert len(one.to_frame()) == 6
    html = one._repr_html_()
    assert "<img alt=" in html
    assert "&lt;night&gt;" in html
    assert "<style" not in html  # a picture's style sheet stays its own


def test_curves_beyond_the_ends_and_of_likelihoods_are_drawn():
    beyond = curve("nll", (-0.5, 0.0, 2.0)).plot()
    drawn = ET.fromstring(beyond.svg)
    width = float(drawn.attrib["width"])
    words = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "-0.5" in words
    assert "2" in words
    assert " %" not in "".join(w or "" for w in words)
    lines = [p.attrib["d"] for p in drawn.iter("{http://www.w3.org/2000/svg}path")
             if "line" in p.attrib.get("class", "")]  # fmt: skip
    xs = [float(pair.strip("MZ").split(",")[0]) for d in lines for pair in d.split()]
    assert lines
    assert 0 <= min(xs) <= max(xs) <= width


def test_runs_and_studies_show_themselves(tmp_path):
    run = Run.create(tmp_path / "run", {"method": "ft", "task": {}})
    run.write_scores([score("test", 0.0, 0.4), score("test", 0.5, 0.7, selection="id_val"),
                      score("night", 0.5, 0.6, selection="id_val")])  # fmt: skip
    assert repr(run) == f"Run({run.path}: ft, running)"
    assert "not begun" in repr(Run(tmp_path / "none"))
    study = open_study(run.path)
    assert repr(study) == f"Study({run.path}: run)"
    assert study.table().columns[-2:] == ("test", "night")
    assert study.table().rows == (("wise-ft(ft)", "head", "", "id_val", "0.5", "70.0", "60.0"),)
    assert "<table>" in study._repr_html_()
    assert set(study.to_frame()["run"]) == {"run"}


def test_a_table_is_escaped_and_aligned():
    table = Table(("name", "value"), (("<b>", "1.0"), ("long name", "10.0")), "a & b")
    assert str(table) == "a & b\nname       value\n<b>          1.0\nlong name   10.0"
    assert "&lt;b&gt;" in table._repr_html_()
    assert "a &amp; b" in table._repr_html_()


def test_likelihoods_are_no_percentages():
    assert shown("nll", 0.5) == "0.500"
    assert shown("top1", 0.5, unit=" %") == "50.0 %"


def test_without_pandas_it_is_said(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependency, match=r"to_frame\(\) needs the package 'pandas'"):
        curve().to_frame()
