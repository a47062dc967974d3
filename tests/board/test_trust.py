"""The board says of a number what it is, and never more."""

from __future__ import annotations

import json

import pytest

from surefoot.board import SubmissionError, import_file
from surefoot.board.archive import importer
from surefoot.board.archive.export import export
from surefoot.board.pages.links import Links, prose
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.views import board_html, entity_html, row_html
from surefoot.board.runs.add import add_results
from surefoot.board.runs.verify import verify
from surefoot.board.seed import fill
from surefoot.board.store.submit import submit
from surefoot.board.store.values import parse_value

from .archive_files import paper, row, table, write
from .pages.make import add
from .runs.test_add import make_run, path_scores, results, score
from .store.test_submit import form

# the baseline of a run


def test_a_run_writes_its_baseline(own, tmp_path):
    add_results(own, make_run(tmp_path / "mine", [score(), *path_scores("test")]))
    start = results(own)["Before fine-tuning", "test", "fixed"]
    assert (start.kind, start.backbone, start.setting) == ("measured", "tiny-clip", "")
    [result] = start.results
    assert (result.raw, result.alpha, result.seeds) == ("60.00", 0.0, 1)


def test_runs_that_start_from_one_model_have_one_baseline(own, tmp_path):
    for seed, label in enumerate(("FT", "LP-FT")):
        scores = [score(seed=seed, recipe=label), *path_scores("test")]
        make_run(tmp_path / "study" / label, scores, seed=seed, label=label)
    facts = {"members": ["FT", "LP-FT"], "title": "two"}
    (tmp_path / "study" / "study.json").write_text(json.dumps(facts))
    assert add_results(own, tmp_path / "study").entries == 3
    more = add_results(own, make_run(tmp_path / "later", path_scores("test"), label="other"))
    assert (more.entries, more.unchanged) == (0, 1)


def test_the_zero_shot_model_is_not_its_own_baseline_too(own, tmp_path):
    zero = score(0.6, method="zero-shot", alpha=None)
    add_results(own, make_run(tmp_path / "mine", [zero, score(), *path_scores("test")]))
    assert "Before fine-tuning" not in {name for name, _, _ in results(own)}


# trials


def test_a_trial_is_named_as_one_wherever_it_shows(own, tmp_path):
    run = make_run(tmp_path / "quick", [score(n=60)], status="trial")
    facts = json.loads((run / "run.json").read_text())
    facts["task"]["splits"]["test"]["n"] = 60
    (run / "run.json").write_text(json.dumps(facts))
    done = add_results(own, run)
    [entry] = results(own).values()
    context = PageContext(own, Links(True))
    assert entry.setting == "trial"
    assert context.heading(own.boards.get(done.boards[0]))["variant"] == "trial on 60 images"
    for html in (row_html(context, entry.id), board_html(context, done.boards[0])[0],
                 entity_html(context, "tasks", "image-classification")):  # fmt: skip
        assert "trial on 60 images" in html


# whose number


def test_a_number_that_another_paper_prints_says_so(seeded):
    entries = [seeded.entries.full(e.id) for e in seeded.entries.all()]
    quoted = [e for e in entries if e.source.printed_by]
    assert len(quoted) == 67
    clip = next(e for e in quoted if e.model_name == "CLIP")
    assert clip.printed_by == "WiSE-FT 2109.01903"
    context = PageContext(seeded, Links(True))
    slug = seeded.boards.by_id(clip.board_id).slug
    paper = seeded.papers.by_id(clip.paper_id).slug
    for html in (row_html(context, clip.id), board_html(context, slug)[0],
                 entity_html(context, "papers", paper)):  # fmt: skip
        assert "printed by" in html.lower()
        assert "WiSE-FT 2109.01903" in html


def test_an_older_board_learns_where_its_numbers_are_printed(own):
    entry = next(e for e in own.entries.all() if e.printed_by)
    own.entries.update(entry.id, source={"kind": "paper", "quality": "primary"})
    fill(own)
    assert own.entries.by_id(entry.id).source == entry.source


# keys


@pytest.mark.parametrize("name", ["Banana", "Top-2 accuracy", "accuracy of top 1"])
def test_a_submission_cannot_invent_a_metric(own, name):
    with pytest.raises(SubmissionError) as caught:
        submit(own, form(metric=name, dataset="ObjectNet", protocol="objectnet-113-top1"), who="e")
    assert list(caught.value.problems) == ["metric"]
    board = own.boards.get("image-classification-on-objectnet")
    assert name not in board.metrics


def test_a_fraction_among_points_is_flagged_without_a_known_unit(own):
    board = own.boards.get("image-classification-on-objectnet")
    own.metrics.declare("Top-1 Accuracy", "higher")
    assert own.metrics.get("Top-1 Accuracy").unit == ""
    sent = form(dataset="ObjectNet", protocol=board.protocol, value="0.6833")
    with pytest.raises(SubmissionError) as caught:
        submit(own, sent, who="eve")
    assert "looks like a fraction" in caught.value.problems["value"]


# run again


def test_a_rerun_that_differs_does_not_look_as_if_it_agreed(own):
    board = own.boards.get("image-classification-on-objectnet")
    theirs = next(
        own.entries.full(s.row.id) for s in own.ranking(board) if s.row.selection == "fixed"
    )
    [number] = theirs.results
    known = {"stderr": 0.2, "manifest": "whole", "reproduces_id": number.id,
             "selection": number.selection, "backbone": theirs.backbone}  # fmt: skip
    far = add(own, board, "reproduced", "Far", f"{number.value - 2.8:.1f}", **known)
    near = add(own, board, "reproduced", "Near", f"{number.value + 0.1:.1f}", **known)
    context = PageContext(own, Links(True))
    assert "run again: differs by −2.8<" in row_html(context, far.id)
    assert 'kind reproduced differs"' in row_html(context, far.id)
    assert "run again: matches<" in row_html(context, near.id)
    whole = board_html(context, board.slug)[0]
    assert "run again: differs by −2.8<" in whole
    assert "run again: matches<" in whole


def test_a_submitted_number_is_not_called_published(own):
    sent = submit(own, form(dataset="ObjectNet", protocol="objectnet-113-top1"), who="eve")
    theirs = own.entries.full(sent.entry_id)
    again = add(own, own.boards.by_id(theirs.board_id), "reproduced", "Mine", "72.1", stderr=0.2,
                manifest="whole", selection="end", reproduces_id=theirs.results[0].id)  # fmt: skip
    [(_, verdict)] = own.agreements(again)
    assert verdict.reason == "within 0.40 points of the submitted one"
    assert "The submitted number" in row_html(PageContext(own, Links(True)), again.id)


# the archive's own order


def ordered(store, tmp_path, values, metric="Oddness"):
    rows = [row(model_name=f"M{i}", metrics={metric: v}) for i, v in enumerate(values)]
    import_file(store, write(tmp_path, "evaluation-tables", [table(rows, metrics=[metric])]))
    return store.boards.get("image-classification-on-objectnet")


@pytest.mark.parametrize(
    ("values", "way"),
    [(["9", "7", "7", "1"], "higher"), (["1", "2", "3"], "lower"), (["1", "3", "2"], "unknown"),
     (["3", "1"], "unknown"), (["5", "5", "5"], "unknown")],
)  # fmt: skip
def test_the_archive_says_by_its_order_which_way_is_better(store, tmp_path, values, way):
    board = ordered(store, tmp_path, values)
    metric = store.metric(board, "Oddness")
    assert metric.direction == way
    assert metric.known_from == ("unknown" if way == "unknown" else "archive order")
    ranks = [s.rank for s in store.ranking(board)]
    assert (ranks[0] == 1) == (way != "unknown")
    html = board_html(PageContext(store, Links(True)), board.slug)[0]
    assert ("order of the archive" in html) == (way != "unknown")


def test_what_somebody_declared_wins_over_the_order(store, tmp_path):
    board = ordered(store, tmp_path, ["9", "7", "1"])
    store.metrics.declare("Oddness", "unknown", why="it depends")
    assert not store.metric(board, "Oddness").ranked


# texts and values


def test_descriptions_show_links_and_emphasis_and_nothing_else():
    text = (
        "**Bold** and *soft*, <b>tag</b> [home](https://x.org/a_b_c) [no](javascript:alert(1)) "
        "2 < 3 &lt;script&gt; snake_case_name <img src=x onerror=alert(1)>"
    )
    assert str(prose(text)) == (
        "<strong>Bold</strong> and <em>soft</em>, tag "
        '<a href="https://x.org/a_b_c" rel="noopener noreferrer nofollow">home</a> '
        "[no](javascript:alert(1)) 2 &lt; 3 &lt;script&gt; snake_case_name"
    )


@pytest.mark.parametrize(
    ("raw", "value"),
    [("24M", 24e6), ("1.5B", 1.5e9), ("4.1G", 4.1e9), ("86k", 86e3), ("5 M", None), ("24m", None)],
)
def test_counts_with_a_letter_are_read(raw, value):
    assert parse_value(raw).value == (pytest.approx(value) if value else None)
    assert parse_value(raw).decimals is None


# what the archive says


def test_a_seeded_paper_takes_the_abstract_of_the_archive_and_keeps_our_summary(own, tmp_path):
    ours = own.papers.match(arxiv="2109.01903")
    theirs = paper(1, arxiv_id="2109.01903", title=ours.title, abstract="As its authors say.")
    file = write(tmp_path, "papers-with-abstracts", [theirs])
    assert import_file(own, file).record.updated == 1
    now = own.papers.by_id(ours.id)
    assert (now.abstract, now.extra["summary"]) == ("As its authors say.", ours.abstract)
    assert now.licence == "Apache-2.0 AND CC-BY-SA-4.0"
    html = entity_html(PageContext(own, Links(True)), "papers", now.slug)
    assert 'id="abstract">Abstract<' in html
    assert "In our own words: " in html
    fill(own)
    assert own.papers.by_id(ours.id) == now


@pytest.mark.parametrize("name", ["", " ", None])
def test_a_row_without_a_model_name_is_kept(store, tmp_path, name):
    rows = [row(model_name=name), row(model_name="Named", metrics={"Top-1 Accuracy": "70"})]
    report = import_file(store, write(tmp_path, "evaluation-tables", [table(rows)]))
    assert (report.record.added, report.record.quarantined) == (2, 0)
    board = store.boards.get("image-classification-on-objectnet")
    assert [s.row.shown for s in store.ranking(board)] == ["unnamed model", "Named"]
    context = PageContext(store, Links(True))
    for html in (board_html(context, board.slug)[0], row_html(context, 1)):
        assert "unnamed model" in html
    export(store, tmp_path / "out")
    again = import_file(store, tmp_path / "out" / "evaluation-tables.json")
    assert (again.record.added, again.record.unchanged) == (0, 2)


def test_a_file_is_read_again_after_an_upgrade(store, tmp_path, monkeypatch):
    file = write(tmp_path, "evaluation-tables", [table([row()])])
    monkeypatch.setattr(importer, "READER", 1)
    first = import_file(store, file)
    assert import_file(store, file).skipped
    monkeypatch.undo()
    again = import_file(store, file)
    assert not again.skipped
    assert (again.record.id, again.record.complete) == (first.record.id, True)
    assert again.record.unchanged == 1
    assert import_file(store, file).skipped


# where a measured number was made


def test_a_measured_number_leads_to_what_made_it(own, tmp_path):
    run = make_run(tmp_path / "mine", [score()])
    (run / "report.html").write_text("<!doctype html>")
    env = {"platform": "Linux", "machine": "x86_64", "gpu": None, "versions": {"surefoot": "9.9"}}
    (run / "env.json").write_text(json.dumps(env))
    add_results(own, run)
    [entry] = results(own).values()
    html = row_html(PageContext(own, Links(True)), entry.id)
    for words in ("mine/report.html", "9.9", "Linux, x86_64", "abc"):
        assert f"<dd>{words}</dd>" in html


# verification


@pytest.mark.parametrize(
    ("changes", "recipe", "why"),
    [({"protocol": "unspecified"}, "model: tiny-clip", "names no protocol"),
     ({}, "data: {limit_eval: 60}", "the recipe is a trial (limit_eval)")],
)  # fmt: skip
def test_what_no_run_could_settle_is_said_before_one(own, changes, recipe, why):
    def never(_):
        raise AssertionError("it ran")

    sent = submit(own, form(recipe=recipe, **changes), who="eve")
    verdict = verify(own, sent.id, never)
    assert verdict.verdict == "not comparable"
    assert why in verdict.reason
    assert own.submissions.by_id(sent.id).note == verdict.reason
