"""The form: tokens, messages, what comes back, what is kept."""

from __future__ import annotations

import re

import pytest

from surefoot.board import Store
from surefoot.board.store.submit import SubmissionForm

from ..pages.make import HOSTILE
from ..pages.read import Page
from .conftest import GOOD


def token_of(client):
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/submit").text)[1]


def post(client, data, **headers):
    return client.post("/submit", data=data, headers=headers, follow_redirects=False)


def test_a_good_form_is_queued_once(client, board_file):
    data = {**GOOD, "csrf": token_of(client), "n": "", "low": "", "note": "two\r\nlines"}
    answer = post(client, data)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/submit?sent=1"
    page = client.get("/submit?sent=1")
    assert "Submission 1 is queued" in page.text
    assert "Mine" in page.text
    with Store.open(board_file, read_only=True) as store:
        kept = store.submissions.by_id(1)
        assert (kept.who, kept.payload["value"], kept.payload["n"]) == ("web", "72.3", None)
        assert kept.payload["note"] == "two\nlines"
        assert store.entries.by_id(kept.entry_id).kind == "submitted"
    again = post(client, data)
    assert again.status_code == 409
    assert "there already, number 1" in again.text
    assert 'value="Mine"' in again.text


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é", "x" * 10_000])
def test_without_its_token_nothing_is_taken(client, board_file, token):
    token_of(client)
    answer = post(client, {**GOOD, **({} if token is None else {"csrf": token})})
    assert answer.status_code == 403
    assert "open the form again" in answer.text
    with Store.open(board_file, read_only=True) as store:
        assert store.submissions.queue(None) == []


def test_a_token_belongs_to_its_visitor_and_its_server(serve):
    one, two = serve(), serve()
    token = token_of(one)
    assert post(two, {**GOOD, "csrf": token}).status_code == 403
    one.cookies.clear()
    assert post(one, {**GOOD, "csrf": token}).status_code == 403
    token_of(one)
    assert post(one, {**GOOD, "csrf": token}).status_code == 403


@pytest.mark.parametrize("headers", [{"origin": "http://evil.org"}, {"origin": "null"},
                                     {"sec-fetch-site": "cross-site"}])  # fmt: skip
def test_other_sites_are_refused_even_with_a_token(client, headers):
    answer = post(client, {**GOOD, "csrf": token_of(client)}, **headers)
    assert answer.status_code == 403
    assert "another site" in answer.text
    answer = client.post("/api/submissions", json=GOOD, headers=headers)
    assert answer.status_code == 403


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(serve):
    told = serve().get("/submit").headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert "secure" not in told
    assert "secure" in serve(secure=True).get("/submit").headers["set-cookie"].lower()
    assert serve().get("/submit").headers["cache-control"] == "no-store"


def test_every_problem_stands_at_its_field_and_nothing_typed_is_lost(client):
    data = {**GOOD, "csrf": token_of(client), "value": "good", "paper_date": "May",
            "paper_url": "javascript:alert(1)", "note": "keep me"}  # fmt: skip
    answer = post(client, data)
    assert answer.status_code == 422
    page = Page.of(answer.text)
    assert page.wrong == []
    wrong = [a["name"] for t, a in page.elements if a.get("aria-invalid") == "true"]
    assert wrong == ["value", "paper_url", "paper_date"]
    assert "write YYYY-MM-DD" in page.text
    assert "3 problems" in page.text
    assert "keep me" in page.text
    for a in page.all("input"):
        if a.get("aria-describedby"):
            assert a["aria-describedby"] in page.ids()


@pytest.mark.parametrize("field", sorted(SubmissionForm.model_fields))
def test_hostile_text_in_every_field_of_the_form(client, field, board_file):
    data = {
        **GOOD,
        "csrf": token_of(client),
        field: HOSTILE.replace("\x00", "").replace("\x1b", ""),
    }
    answer = post(client, data)
    assert answer.status_code in (303, 422)
    page = Page.of(client.get("/submit").text if answer.status_code == 303 else answer.text)
    assert page.wrong == []
    assert [a["src"] for a in page.all("script")] == ["/assets/board.js"]
    assert page.all("img") == []
    with Store.open(board_file, read_only=True) as store:
        assert store.entries.count() > 300


def test_a_board_fills_in_what_is_scored(client):
    page = client.get("/boards/image-classification-on-objectnet").text
    link = re.search(r'href="(/submit\?[^"]+)"', page)[1].replace("&amp;", "&")
    form = Page.of(client.get(link).text)
    said = {a["name"]: a.get("value") for a in form.all("input") if "name" in a}
    assert said["task"] == "Image Classification"
    assert said["dataset"] == "ObjectNet"
    assert said["protocol"] == "objectnet-113-top1"
    assert said["metric"] == "Top-1 Accuracy"
    odd = client.get("/submit", params={"task": HOSTILE[:200], "csrf": "mine", "recipe": "x"})
    assert odd.status_code == 200
    page = Page.of(odd.text)
    assert page.wrong == []
    assert [a["src"] for a in page.all("script")] == ["/assets/board.js"]
    assert 'value="mine"' not in odd.text


@pytest.mark.parametrize(
    "changes", [{"n": "9" * 40}, {"n": "-1"}, {"n": "x"}, {"low": "inf"}, {"high": "nan"},
                {"value": "1e999"}, {"model_name": "a\x07"}]
)  # fmt: skip
def test_numbers_out_of_bounds_are_problems(client, changes):
    answer = post(client, {**GOOD, "csrf": token_of(client), **changes})
    assert answer.status_code == 422
    assert next(iter(changes)) in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", ""), (b"\xff\xfe", "application/x-www-form-urlencoded"), (b"x", "text/plain"),
     (b"--x\r\n\r\nbroken", "multipart/form-data; boundary=x"), (b"", "multipart/form-data"),
     (b"&".join(b"a=1" for _ in range(500)), "application/x-www-form-urlencoded"),
     (b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nz\r\n--x--\r\n',
      "multipart/form-data; boundary=x")],
)  # fmt: skip
def test_bodies_that_are_no_form(client, body, kind):
    answer = client.post("/submit", content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code in (400, 403)


def test_a_recipe_is_read_where_somebody_can(serve):
    from surefoot.errors import SurefootError

    def check(text):
        raise SurefootError("no recipe at all")

    client = serve(check_recipe=check)
    answer = client.post("/api/submissions", json={**GOOD, "recipe": "x: ["})
    assert answer.status_code == 422
    assert "no recipe at all" in answer.json()["problems"]["recipe"]
