"""Our own runs on the board."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from surefoot.board import BoardError
from surefoot.board.runs.add import add_results
from surefoot.board.runs.curves import curves_of
from surefoot.board.runs.files import read_rows
from surefoot.board.runs.scores import Placing
from surefoot.errors import RunError
from surefoot.records import Score, write_jsonl
from surefoot.runs import Run

SPLITS = {
    "val": {"use": "val", "domain": "ID"},
    "test": {"use": "test", "domain": "ID"},
    "sketch": {"use": "test", "domain": "OOD"},
}


def score(value=0.721, *, split="test", method="ft", selection="end", alpha=1.0, **more):
    spread = more.pop("spread", 0.02)
    known = {"n": 500, "low": value - spread, "high": value + spread, "seed": 0,
             "interval": "clopper-pearson", "domain": SPLITS.get(split, {}).get("domain", "OOD"),
             "recipe": "abc", "version": "1.0", "metric": "top1"}  # fmt: skip
    return Score(value=value, split=split, method=method, selection=selection, alpha=alpha,
                 **{**known, **more})  # fmt: skip


def make_run(path, scores, *, status="finished", seed=0, label="FT", notes=()):
    facts = {"method": "ft", "seed": seed, "model": "tiny-clip", "label": label,
             "task": {"name": "pictograms", "splits": SPLITS, "notes": list(notes)}}  # fmt: skip
    run = Run.create(path, facts)
    run.write_scores(scores)
    run.set_status(status)
    return path


def path_scores(split):
    return [score(0.6 + a / 10, split=split, selection="none", alpha=a) for a in (0.0, 0.5, 1.0)]


FULL = [
    score(),
    score(0.55, split="sketch"),
    score(0.9, split="val"),
    score(0.6, split="sketch", method="wise-ft(ft)", selection="fixed", alpha=0.5),
    score(0.7, split="sketch", method="wise-ft(ft)", selection="oracle", alpha=0.25),
    *path_scores("test"),
    *path_scores("sketch"),
    *path_scores("val"),
]


def results(store):
    entries = [store.entries.full(e.id) for e in store.entries.all() if e.kind != "published"]
    return {
        (e.model_name, store.boards.by_id(e.board_id).split, e.results[0].selection): e
        for e in entries
    }


def test_a_run_becomes_entries_and_a_curve(own, tmp_path):
    run = make_run(tmp_path / "mine", FULL, notes=["WARNING: 3 images leak", "plain"])
    done = add_results(own, run)
    assert (done.entries, done.reproduced, done.unchanged, done.curves) == (6, 0, 0, 1)
    found = results(own)
    assert set(found) == {
        ("Fine-tuning", "test", "end"),
        ("Fine-tuning", "sketch", "end"),
        ("WiSE-FT of FT", "sketch", "fixed"),
        ("WiSE-FT of FT", "sketch", "oracle"),
        ("Before fine-tuning", "test", "fixed"),
        ("Before fine-tuning", "sketch", "fixed"),
    }
    entry = found["Fine-tuning", "test", "end"]
    [result] = entry.results
    assert (entry.kind, entry.backbone, entry.setting) == ("measured", "tiny-clip", "")
    assert entry.source.run == "mine"
    assert entry.source.recipe == "abc"
    assert entry.source.note == "WARNING: 3 images leak"
    assert (result.raw, result.metric, result.n) == ("72.10", "Top-1 Accuracy", 500)
    assert result.value == pytest.approx(72.1)
    assert (result.low, result.high) == (pytest.approx(70.1), pytest.approx(74.1))
    assert result.stderr == pytest.approx(4 / (2 * 1.96), abs=1e-3)
    board = own.boards.by_id(entry.board_id)
    assert own.datasets.path(board.dataset_id) == ("Pictograms",)
    assert board.protocol == "pictograms-1-0-test-top1-head"
    assert "version 1.0" in own.protocols.describe(board.protocol).description
    assert found["WiSE-FT of FT", "sketch", "fixed"].results[0].alpha == 0.5


def test_scores_at_the_chosen_alphas_alone_are_no_curve(own, tmp_path):
    """kNN that was asked at 0, at 0.5 and at the chosen alpha is not a path."""
    rows = read_rows(make_run(tmp_path / "runs" / "r1", FULL))
    assert len(curves_of(own, rows, Placing())) == 1
    some = [r for r in rows if r.score.alpha != 1.0]
    assert curves_of(own, some, Placing()) == []
    knn = [replace(r, score=replace(r.score, evaluator="knn")) for r in rows]
    [curve] = curves_of(own, knn, Placing())
    assert curve.title.endswith(", kNN")


def test_the_curve_has_every_split_but_the_one_that_chose(own, tmp_path):
    add_results(own, make_run(tmp_path / "mine", FULL))
    curve = own.curves.of(method_id=own.methods.get("wise-ft").id)[-1]
    assert curve.kind == "measured"
    assert {p.dataset for p in curve.points} == {"pictograms: test", "pictograms: sketch"}
    assert [p.alpha for p in curve.points if p.dataset.endswith("test")] == [0.0, 0.5, 1.0]
    assert curve.points[0].value == pytest.approx(60.0)


def test_adding_again_adds_nothing(own, tmp_path):
    run = make_run(tmp_path / "mine", FULL)
    add_results(own, run)
    again = add_results(own, run)
    assert (again.entries, again.unchanged, again.curves) == (0, 6, 0)


def test_seeds_are_one_entry_with_the_interval_over_them(own, tmp_path):
    values = (0.70, 0.72, 0.77)
    for seed, value in enumerate(values):
        make_run(tmp_path / "study" / f"ft-s{seed}", [score(value, seed=seed)], seed=seed)
    facts = {"members": ["ft-s0", "ft-s1", "ft-s2"], "title": "three"}
    (tmp_path / "study" / "study.json").write_text(json.dumps(facts))
    assert add_results(own, tmp_path / "study").entries == 1
    [entry] = results(own).values()
    [result] = entry.results
    assert (result.seeds, result.raw) == (3, "73.00")
    deviation = math.sqrt(sum((100 * v - 73) ** 2 for v in values) / 2)
    # Student's t with two degrees of freedom for other seeds, and the images' own reach
    seeds, images = 4.302653 * deviation / math.sqrt(3), 100 * (score().high - score().value)
    assert result.high - result.value == pytest.approx(math.hypot(seeds, images), rel=1e-5)
    assert result.stderr == pytest.approx((result.high - result.low) / (2 * 1.959964))
    assert result.interval == "bound"
    assert entry.source.run == "study/ft-s0, study/ft-s1, study/ft-s2"


def test_images_that_hang_together_give_the_wider_interval(own, tmp_path):
    """Rows of before have two intervals; the wider one is theirs."""
    run = make_run(tmp_path / "mine", [score()])
    row = score().to_json() | {"cluster_low": 0.65, "cluster_high": 0.79}
    (run / "scores.jsonl").write_text(json.dumps(row) + "\n")
    add_results(own, run)
    [entry] = results(own).values()
    assert (entry.results[0].low, entry.results[0].interval) == (
        pytest.approx(65.0),
        "cluster-bootstrap",
    )


def test_a_number_without_an_interval_goes_on_the_board_without(own, tmp_path):
    one = score(interval="none", extra={"no_interval": "one unit"})
    add_results(own, make_run(tmp_path / "mine", [one]))
    [entry] = results(own).values()
    assert (entry.results[0].low, entry.results[0].interval) == (None, "none")


def test_trials_and_made_images_are_toy(own, tmp_path):
    add_results(own, make_run(tmp_path / "a", [score()], status="trial"))
    add_results(own, make_run(tmp_path / "b", [score(0.5, split="noise", synthetic=True)]))
    assert [e.toy for e in results(own).values()] == [True, True]


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_unfinished_runs_are_refused(own, tmp_path, status):
    run = make_run(tmp_path / "mine", [score()], status=status)
    with pytest.raises(BoardError, match=r"mine of .* is not finished"):
        add_results(own, run)
    assert not results(own)


def test_files_of_scores(own, tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [score().to_json()])
    (tmp_path / "b.json").write_text(json.dumps([score(0.5).to_json()]))
    (tmp_path / "c.json").write_text(json.dumps({"scores": [score(0.4).to_json()]}))
    for name in ("a.jsonl", "b.json", "c.json"):
        assert add_results(own, tmp_path / name, Placing(dataset="Pictograms")).entries == 1
    assert len([e for e in own.entries.all() if e.kind == "measured"]) == 3


@pytest.mark.parametrize("text", ['{"rows": [{}]}', "[1]", "{", '[{"metric": "top1"}]', '"x"'])
def test_other_files_are_refused(own, tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BoardError, match="is no file of score rows"):
        add_results(own, path)


def test_a_file_without_scores_says_so(own, tmp_path):
    (tmp_path / "x.json").write_text('{"rows": []}')
    with pytest.raises(BoardError, match="holds no scores"):
        add_results(own, tmp_path / "x.json")


def test_another_protocol_is_another_row(own, tmp_path):
    run = repeated(tmp_path)
    add_results(own, run)
    placed = add_results(own, run, objectnet(reproduces=None))
    assert (placed.entries, placed.boards) == (1, ("image-classification-on-objectnet",))
    assert add_results(own, run).unchanged == 1


def test_a_folder_that_is_no_run_is_named(own, tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        add_results(own, tmp_path)
    with pytest.raises(BoardError, match="holds no scores"):
        add_results(own, make_run(tmp_path / "empty", [score(math.nan), score(split="val")]))


def objectnet(**more):
    known = {"protocols": {"objectnet": "objectnet-113-top1"}, "reproduces": "2109.01903",
             "backbone": "CLIP ViT-B/16", "whole": ("objectnet",)}  # fmt: skip
    return Placing(**{**known, **more})


def repeated(tmp_path, value=0.5725, spread=0.007):
    one = score(value, split="objectnet", method="wise-ft(ft)", selection="fixed", alpha=0.5,
                n=18_574, spread=spread)  # fmt: skip
    return make_run(tmp_path / f"b16-{value}-{spread}", [one])


def test_a_repeated_number_is_reproduced_and_compared(own, tmp_path):
    done = add_results(own, repeated(tmp_path), objectnet())
    assert (done.entries, done.reproduced) == (1, 1)
    [entry] = results(own).values()
    board = own.boards.by_id(entry.board_id)
    assert board.slug == "image-classification-on-objectnet"
    theirs = own.entries.full(own.results.by_id(entry.results[0].reproduces_id).entry_id)
    assert theirs.results[0].raw == "57.3"
    [(found, verdict)] = own.agreements(theirs)
    assert found.id == entry.id
    assert verdict.verdict == "matches"
    assert verdict.difference == pytest.approx(-0.05)
    assert any(r.row.id == entry.id for r in own.ranking(board, "Top-1 Accuracy"))


def test_a_difference_is_shown(own, tmp_path):
    add_results(own, repeated(tmp_path, 0.53), objectnet())
    [entry] = results(own).values()
    theirs = own.entries.full(own.results.by_id(entry.results[0].reproduces_id).entry_id)
    assert own.agreements(theirs)[0][1].reason == "differs by -4.30 points"


def test_not_whole_or_not_sure_is_not_comparable(own, tmp_path):
    add_results(own, repeated(tmp_path, 0.571), objectnet(whole=()))
    add_results(own, repeated(tmp_path, 0.572, spread=0.02), objectnet())
    theirs = [
        own.entries.full(own.results.by_id(e.results[0].reproduces_id).entry_id)
        for e in (own.entries.full(e.id) for e in own.entries.all() if e.kind == "reproduced")
    ]
    assert {v.reason for _, v in own.agreements(theirs[0])} == {
        "the data set's manifest is unknown, not whole",
        "our standard error is above 0.5 points",
    }


def test_without_a_fitting_number_it_stays_measured_and_says_so(own, tmp_path):
    done = add_results(own, repeated(tmp_path), objectnet(backbone="tiny-clip"))
    assert done.reproduced == 0
    assert "no published numbers of 'Robust fine-tuning" in done.notes[0]
    assert [e.kind for e in results(own).values()] == ["measured"]


def test_an_unknown_protocol_is_named(own, tmp_path):
    placing = objectnet(protocols={"objectnet": "objectnet-300"})
    with pytest.raises(BoardError, match="'objectnet-300' does not take Top-1") as caught:
        add_results(own, repeated(tmp_path), placing)
    assert "objectnet-113-top1" in str(caught.value)
    assert not results(own)
