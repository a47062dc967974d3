"""Runs as rows: folders, packed studies, tables; what a split's manifest says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from surefoot.board import BoardError, Store
from surefoot.board.pages.run_links import run_links
from surefoot.board.runs.add import add_results
from surefoot.board.runs.files import pack, read_rows
from surefoot.board.runs.scores import START, Placing, metric_name
from surefoot.board.store.ranking import in_time
from surefoot.errors import RunError
from surefoot.runs import Run

from .test_add import FULL, make_run, results, score


def study(folder, *names):
    """Runs with facts as `surefoot fit` writes them, as one study."""
    for seed, name in enumerate(names):
        make_run(folder / name, [replace(one, seed=seed) for one in FULL], seed=seed)
    facts = {"members": list(names), "title": "several"}
    (folder / "study.json").write_text(json.dumps(facts))
    return folder


def with_manifest(path, manifest, *, split="test", n=1596):
    """A run whose facts say which images a split held."""
    run = Run.open(path)
    task = run.facts["task"]
    task["splits"][split] = {"use": "test", "n": n, "manifest": manifest, "notes": ["500 of 1596"]}
    run.set_status(run.status, task=task)
    return path


def test_a_packed_study_adds_what_the_study_adds(own, tmp_path):
    folder = study(tmp_path / "mine", "ft", "ft-2")
    packed = tmp_path / "packed.json"
    packed.write_text(json.dumps(pack(folder, command="surefoot fit"), allow_nan=False))
    done = add_results(own, folder)
    assert (done.entries, done.curves) == (6, 2)
    again = add_results(own, packed)
    assert (again.entries, again.unchanged, again.curves) == (0, 6, 0)
    assert {(e.model_name == START, e.source.run) for e in results(own).values()} == {
        (False, "mine/ft, mine/ft-2"), (True, "mine/ft")
    }  # fmt: skip
    with Store.open(":memory:", create=True) as other:
        assert add_results(other, packed).entries == 6
        assert {e.source.date for e in other.entries.all()} == {
            e.source.date for e in results(own).values()
        }


def test_a_packed_study_names_no_place(tmp_path):
    run = make_run(tmp_path / "mine", FULL)
    facts = Run.open(run).facts["task"]
    facts["splits"]["test"]["source"] = "/home/ada/photos"
    facts["class_names"] = ["a", "b"]
    Run.open(run).set_status("finished", task=facts)
    text = json.dumps(pack(run))
    assert "/home/ada" not in text
    assert str(tmp_path) not in text
    assert "class_names" not in text
    assert json.loads(text)["runs"][0]["facts"]["status"] == "finished"


def test_a_run_without_scores_is_not_packed(tmp_path):
    with pytest.raises(BoardError, match="holds no scores"):
        pack(make_run(tmp_path / "mine", [score(split="val")]))
    with pytest.raises(RunError, match="is not a run folder"):
        pack(tmp_path)


def test_a_packed_study_of_tomorrow_is_refused(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"schema": 2, "runs": []}))
    with pytest.raises(BoardError, match="has schema 2"):
        read_rows(path)


def test_a_run_keeps_its_day(own, tmp_path):
    import os

    run = make_run(tmp_path / "mine", [score()])
    os.utime(run / "scores.jsonl", (1_640_995_200 + 3600, 1_640_995_200 + 3600))
    add_results(own, run)
    [entry] = results(own).values()
    assert entry.source.date == "2022-01-01"
    board = own.boards.by_id(entry.board_id)
    [(point, _)] = in_time(own.ranking(board), own.metrics.get(board.metrics[0]))
    assert point.row.dated == "2022-01-01"


WHOLE = "7bc96eb9daee436805b2937d801dca4cc0973679dfcd543aba23c2e48931abe6"


def test_the_manifest_says_whether_a_split_was_whole(own, tmp_path):
    whole = with_manifest(make_run(tmp_path / "a", [score()]), WHOLE)
    part = with_manifest(make_run(tmp_path / "b", [score()], status="trial"), "f" * 64, n=500)
    for run in (whole, part):
        add_results(own, run)
    one, two = (own.entries.full(e.id) for e in own.entries.all() if e.kind == "measured")
    assert (one.results[0].manifest, two.results[0].manifest) == ("whole", "partial")
    assert (one.toy, two.toy) == (False, True)
    assert two.source.note == "500 of 1596."
    # A part of a split is another protocol, so it stands on another board.
    names = [own.boards.by_id(e.board_id).protocol for e in (one, two)]
    assert names == ["pictograms-1-0-test-top1-head-7bc96eb9",
                     "pictograms-1-0-test-top1-head-ffffffff"]  # fmt: skip
    assert f"manifest {WHOLE}" in own.protocols.describe(names[0]).description


def test_the_seed_knows_the_manifests_of_the_built_in_data(seeded):
    from surefoot.data.builtin import pictograms

    task = pictograms()
    splits = {s["name"]: s for s in seeded.datasets.get("pictograms").splits}
    for split in (task.train, task.val, task.test, *(s.split for s in task.shifts)):
        assert splits[split.name]["sha256"] == split.manifest().sha256
        assert splits[split.name]["count"] == len(split)


TABLE = {
    "data": {"name": "pictograms", "version": "1.0.0"},
    "rows": [
        {"model": "tiny-clip", "evaluator": "zero_shot", "split": "dev", "domain": "solid",
         "n": 171, "accuracy": 0.6, "low": 0.52, "high": 0.67},
        {"model": "tiny-clip", "evaluator": "knn", "split": "dev", "domain": "solid",
         "n": 171, "accuracy": 0.61, "low": 0.53, "high": 0.68},
        {"model": "from scratch, plain", "evaluator": "head", "split": "dev", "domain": "solid",
         "n": 171, "accuracy": 0.3, "low": 0.2, "high": 0.4},
    ],
}  # fmt: skip


def test_a_table_of_accuracies(own, tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(TABLE))
    assert add_results(own, path).entries == 3
    found = {(e.model_name, e.backbone, e.setting) for e in results(own).values()}
    assert found == {
        ("Zero-shot classification", "tiny-clip", ""),
        ("kNN classification", "tiny-clip", ""),
        ("from scratch", "", "plain"),
    }
    assert {own.boards.by_id(e.board_id).split for e in results(own).values()} == {"dev solid"}


def test_knn_of_the_pretrained_encoder_is_called_so(own, tmp_path):
    rows = [score(method="zero-shot", evaluator="knn", alpha=None)]
    add_results(own, make_run(tmp_path / "start", rows, label="Zero-shot"))
    add_results(own, make_run(tmp_path / "tuned", [score(evaluator="knn")], label="FT, long"))
    assert {(e.model_name, e.setting) for e in results(own).values()} == {
        ("kNN classification", ""),
        ("Fine-tuning", "FT, long, kNN"),
    }


def test_metrics_are_spelt_as_the_board_spells_them():
    assert metric_name("worst_group:region") == "Worst-region accuracy"
    assert metric_name("worst_group") == "Worst-group accuracy"
    assert metric_name("pm10") == "pm-10 Accuracy"
    assert metric_name("new") == "new"


# links from a report


def test_links_lead_to_the_boards_that_hold_a_run(own, tmp_path):
    run = make_run(tmp_path / "mine", FULL)
    before = run_links(own, run, "../site")
    assert [(one.split, one.slug, one.added) for one in before] == [
        ("test", "", False),
        ("sketch", "", False),
    ]
    history = len(own.history(limit=10**6))
    done = add_results(own, run)
    assert done.boards == tuple(one.slug for one in run_links(own, run, "x"))
    links = run_links(own, run, "../site/")
    assert [one.added for one in links] == [True, True]
    assert links[1].title == "Image Classification on pictograms, sketch"
    assert links[1].address == "../site/boards/image-classification-on-pictograms-sketch.html"
    live = run_links(own, run, "http://127.0.0.1:8000")
    assert live[1].address == (
        "http://127.0.0.1:8000/boards/image-classification-on-pictograms-sketch"
    )
    other = make_run(tmp_path / "other", [score(0.5)])
    assert [(one.slug, one.added) for one in run_links(own, other, "x")] == [(links[0].slug, False)]
    assert len(own.history(limit=10**6)) > history


def test_links_of_a_run_on_a_published_protocol(own, tmp_path):
    run = make_run(tmp_path / "mine", [score(split="objectnet")])
    placing = Placing(protocols={"objectnet": "objectnet-113-top1"})
    [link] = run_links(own, run, "s", placing)
    assert (link.slug, link.added) == ("image-classification-on-objectnet", False)
