"""Submissions: validation with messages that help, the queue, verification, hostile text."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.board import BoardError, SubmissionError
from surefoot.board.runs.verify import Checked, judge, verify
from surefoot.board.store.submit import SubmissionForm, submit, template, validate
from surefoot.errors import RecipeError, SurefootError

from ..runs.test_add import make_run, score

GOOD = {
    "task": "Image Classification",
    "dataset": "Pictograms",
    "split": "test",
    "protocol": "pictograms-1-0-test-top1-head",
    "metric": "Top-1 Accuracy",
    "value": "72.1",
    "model_name": "Mine",
}


def form(**changes):
    return {**GOOD, **changes}


def test_a_submission_is_queued_and_shown_as_submitted(own):
    sent = submit(own, form(paper_url="https://arxiv.org/abs/2109.01903", code_url="http://x.org"),
                  who="eve")  # fmt: skip
    assert own.submissions.queue() == [own.submissions.by_id(sent.id)]
    entry = own.entries.full(sent.entry_id)
    assert (entry.kind, entry.model_name) == ("submitted", "Mine")
    assert entry.source.kind == "submission"
    assert "by eve" in entry.source.note
    assert entry.paper_id == own.papers.match(arxiv="2109.01903").id
    assert entry.code_links == ({"title": "code", "url": "http://x.org"},)
    assert entry.results[0].value == 72.1
    board = own.boards.by_id(entry.board_id)
    assert own.ranking(board) == []  # not ranked before it is verified
    assert len(own.ranking(board, kinds=["submitted"])) == 1


def test_the_same_twice_is_refused(own):
    submit(own, GOOD, who="eve")
    with pytest.raises(BoardError, match="there already, number 1"):
        submit(own, GOOD, who="mallory")
    assert len(own.submissions.queue()) == 1


BAD = [
    ({"task": "Image Clasification"}, "task", "the board has no 'Image Clasification'; near it"),
    ({"dataset": "ObjektNet"}, "dataset", "ObjectNet"),
    ({"method": "WISEFT"}, "method", "WiSE-FT"),
    ({"value": "very good"}, "value", "cannot be read as one number: no number"),
    ({"value": "72,1"}, "value", "a comma that may be a decimal point"),
    ({"value": 72.1}, "value", "string"),
    ({"model_name": "   "}, "model_name", "at least 1 character"),
    ({"model_name": "x" * 301}, "model_name", "at most 300 characters"),
    ({"paper_url": "javascript:alert(1)"}, "paper_url", "must begin with http:// or https://"),
    ({"code_url": "ftp://x"}, "code_url", "is no web address"),
    ({"paper_date": "last May"}, "paper_date", "write YYYY-MM-DD"),
    ({"extra_data": "maybe"}, "extra_data", "'yes', 'no' or 'unknown'"),
    ({"n": 0}, "n", "greater than or equal to 1"),
    ({"low": 80.0}, "low", "80.0 is above the value 72.1"),
    ({"high": 70.0}, "high", "70.0 is below the value 72.1"),
    ({"low": 70.0}, "high", "is missing: an interval has two ends"),
    ({"high": 80.0}, "low", "is missing: an interval has two ends"),
    ({"note": "bell \x07"}, "note", "holds control characters"),
    ({"model_name": "\ud800"}, "model_name", "character"),
    ({"recipe": "x" * 20_001}, "recipe", "at most 20000 characters"),
    ({"kind": "published"}, "kind", "Extra inputs are not permitted"),
    ({"protocol": "objectnet-113"}, "protocol", "near it are objectnet-113-top1"),
    ({"metric": "top 1 accuracy"}, "metric", "the board spells it 'Top-1 Accuracy'"),
    ({"value": "0.721"}, "value", "write 72.1, or 0.721% if that is what you mean"),
    ({"value": "172.1"}, "value", "is no share of a hundred"),
    ({"value": "-3"}, "value", "is no share of a hundred"),
    ({"low": float("nan")}, "low", "finite"),
    ({"high": float("inf")}, "high", "finite"),
    ({"n": 2**70}, "n", "less than"),
]


@pytest.mark.parametrize(("changes", "field", "message"), BAD)
def test_every_problem_names_its_field(own, changes, field, message):
    with pytest.raises(SubmissionError) as caught:
        submit(own, form(**changes), who="eve")
    assert list(caught.value.problems) == [field]
    assert message in caught.value.problems[field]
    assert field in str(caught.value)
    assert own.submissions.queue() == []


def test_all_problems_at_once(own):
    with pytest.raises(SubmissionError) as caught:
        validate(own, {"value": "x", "paper_date": "x"})
    assert set(caught.value.problems) == {"task", "dataset", "metric", "model_name", "value",
                                          "paper_date"}  # fmt: skip
    assert "has 6 problems" in str(caught.value)
    with pytest.raises(SubmissionError) as caught:  # what the board knows is said along with it
        validate(own, form(value="x", task="Image Clasification", method=7))
    assert set(caught.value.problems) == {"value", "task", "method"}


def test_the_template_has_every_field_and_is_not_a_submission(own):
    blank = json.loads(template())
    assert set(blank) == set(SubmissionForm.model_fields)
    with pytest.raises(SubmissionError) as caught:
        submit(own, blank, who="eve")
    assert {"task", "dataset", "value"} <= set(caught.value.problems)


HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE entry; --",
    '"><img src=x onerror=alert(1)>',
    "../../etc/passwd",
    "{{ 7*7 }}",
    "\u202eright to left",
    "😀" * 100,
    "%s%n",
]
TEXTS = ("model_name", "backbone", "setting", "paper_title", "note", "split", "recipe",
         "run_method")  # fmt: skip


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(own, field, text):
    before = own.entries.count()
    sent = submit(own, form(**{field: text}), who=text)
    assert own.submissions.by_id(sent.id).payload[field] == text
    assert own.submissions.by_id(sent.id).who == text
    assert own.entries.count() == before + 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_no_metric(own, text):
    with pytest.raises(SubmissionError, match="metric: the board has no"):
        submit(own, form(metric=text), who="eve")


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    payload=st.dictionaries(
        st.sampled_from(sorted(SubmissionForm.model_fields)),
        st.one_of(st.text(st.characters(), max_size=30), st.integers(), st.none(), st.floats(),
                  st.lists(st.text(), max_size=2)),
    )
)  # fmt: skip
def test_any_payload_is_refused_or_validates(seeded, payload):
    try:
        problems = {} if validate(seeded, form(**payload)) else None
    except SubmissionError as error:
        problems = error.problems
    assert problems is not None
    assert set(problems) <= set(SubmissionForm.model_fields)


# verification


def run_of(tmp_path, value=0.7215, *, n=100_000, spread=0.003):
    return make_run(tmp_path / f"run-{value}-{spread}", [score(value, n=n, spread=spread)])


def test_a_run_that_agrees_verifies(own, tmp_path):
    sent = submit(own, form(recipe="model: tiny-clip"), who="eve")
    verdict = judge(own, sent.id, run_of(tmp_path), Checked(whole=True))
    assert verdict.verdict == "matches"
    assert own.submissions.by_id(sent.id).status == "verified"
    theirs = own.entries.full(sent.entry_id)
    [(mine, again)] = own.agreements(theirs)
    assert again == verdict
    assert (mine.kind, mine.board_id, mine.model_name) == ("reproduced", theirs.board_id, "Mine")
    assert own.submissions.history(sent.id)[-1].old == {"note": "", "status": "queued"}
    assert judge(own, sent.id, run_of(tmp_path, 0.7216), Checked(whole=True)).verdict == "matches"


def test_a_run_that_differs_shows_the_difference(own, tmp_path):
    sent = submit(own, form(recipe="model: tiny-clip"), who="eve")
    verdict = judge(own, sent.id, run_of(tmp_path, 0.65), Checked(whole=True))
    assert (verdict.verdict, verdict.reason) == ("differs", "differs by -7.10 points")
    assert own.submissions.by_id(sent.id).status == "differs"


@pytest.mark.parametrize(
    ("changes", "run", "whole", "reason"),
    [
        ({}, {"spread": 0.05}, True, "our standard error is above 0.5 points"),
        ({}, {}, False, "manifest is unknown, not whole"),
        ({"protocol": "unspecified"}, {}, True, "the run's own is pictograms-1-0-test-top1-head"),
        ({"protocol": "objectnet-113-top1"}, {}, True, "protocols differ: objectnet-113-top1 and"),
        ({"dataset": "ObjectNet"}, {}, True, "the run is on 'pictograms', the submission on"),
    ],
)
def test_what_cannot_be_compared_stays_queued_with_the_reason(
    own, tmp_path, changes, run, whole, reason
):
    sent = submit(own, form(recipe="model: tiny-clip", **changes), who="eve")
    verdict = judge(own, sent.id, run_of(tmp_path, **run), Checked(whole=whole))
    assert verdict.verdict == "not comparable"
    assert reason in verdict.reason
    kept = own.submissions.by_id(sent.id)
    assert (kept.status, kept.note) == ("queued", verdict.reason)
    assert [e for e in own.entries.all() if e.kind == "reproduced"] == []


def test_the_score_that_is_meant_must_be_one(own, tmp_path):
    sent = submit(own, form(recipe="x", run_split="sketch"), who="eve")
    with pytest.raises(BoardError, match=r"0 scores of .* are Top-1 Accuracy of 'sketch'"):
        judge(own, sent.id, run_of(tmp_path))


def test_a_percent_sign_says_what_is_meant(own):
    assert submit(own, form(value="0.5%"), who="eve").entry_id


def test_a_recipe_is_read_before_it_is_queued(own):
    def refuse(text):
        raise SurefootError("no such model 'tiny-clap'", fix="write tiny-clip")

    with pytest.raises(SubmissionError) as caught:
        submit(own, form(recipe="model: tiny-clap"), who="eve", check_recipe=refuse)
    assert "no such model 'tiny-clap'" in caught.value.problems["recipe"]
    assert "write tiny-clip" in caught.value.problems["recipe"]
    assert "\n" not in caught.value.problems["recipe"]

    def several(text):
        raise RecipeError(["model: missing", "data: missing"], where="the recipe")

    with pytest.raises(SubmissionError) as caught:
        submit(own, form(recipe="x: 1"), who="eve", check_recipe=several)
    assert caught.value.problems["recipe"] == "model: missing; data: missing"
    sent = submit(own, form(recipe="x"), who="eve", check_recipe=lambda text: f"hash of {text}")
    assert own.entries.by_id(sent.entry_id).source.recipe == "hash of x"


RECIPE = {"recipe": "model: tiny-clip"}


def test_a_repeat_is_held_to_half_a_point_however_few_the_images(own, tmp_path):
    """The same recipe on the same images: a wide interval is no hindrance and no excuse."""
    sent = submit(own, form(**RECIPE), who="eve")
    near = verify(own, sent.id, lambda s: run_of(tmp_path, 0.7255, spread=0.03),
                  Checked(whole=True))  # fmt: skip
    assert (near.verdict, near.tolerance) == ("matches", 0.5)
    theirs = own.entries.full(sent.entry_id)
    assert theirs.source.recipe == "abc"  # that of the run, noted when it was made
    assert [v for _, v in own.agreements(theirs)] == [near]
    assert own.history("entry", theirs.id)[-1].note == "its recipe was run"

    other = submit(own, form(**RECIPE, model_name="Other"), who="eve")
    far = verify(own, other.id, lambda s: run_of(tmp_path, 0.73, spread=0.03), Checked(whole=True))
    assert (far.verdict, far.reason) == ("differs", "differs by +0.90 points")
    assert own.submissions.by_id(other.id).status == "differs"


def test_a_run_of_something_else_is_not_a_repeat(own, tmp_path):
    sent = submit(own, form(**RECIPE), who="eve", check_recipe=lambda text: "another hash")
    verdict = judge(own, sent.id, run_of(tmp_path, 0.7255, spread=0.03), Checked(whole=True))
    assert verdict.reason == "our standard error is above 0.5 points"


def test_a_person_can_answer_for_the_protocol(own, tmp_path):
    sent = submit(own, form(protocol="objectnet-113-top1"), who="eve")
    checked = Checked(whole=True, protocol=True)
    assert judge(own, sent.id, run_of(tmp_path), checked).verdict == "matches"


def test_without_a_recipe_nothing_can_be_run(own):
    sent = submit(own, GOOD, who="eve")
    with pytest.raises(BoardError, match="came without a recipe") as caught:
        verify(own, sent.id, lambda s: pytest.fail("nothing to run"))
    assert "--run" in caught.value.fix


def test_what_keeps_a_recipe_from_running_leaves_the_queue_as_it_was(own):
    def rerun(sent):
        raise SurefootError("there is no folder photos")

    sent = submit(own, form(**RECIPE), who="eve")
    with pytest.raises(SurefootError, match="no folder photos"):
        verify(own, sent.id, rerun)
    assert own.submissions.by_id(sent.id).status == "queued"
