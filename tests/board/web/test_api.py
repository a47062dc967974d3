"""The JSON API says what the store says; errors are problem details."""

from __future__ import annotations

import pytest

from surefoot.board import Store

from ..pages.make import fill_hostile
from .conftest import GOOD


def test_lists_and_things_agree_with_the_store(client, board_file):
    with Store.open(board_file, read_only=True) as store:
        for kind in ("tasks", "boards", "datasets", "methods", "papers"):
            table = getattr(store, kind)
            slugs, offset = [], 0
            while True:
                part = client.get(f"/api/{kind}?limit=7&offset={offset}").json()
                assert part["total"] == table.count()
                if not part["items"]:
                    break
                slugs += [i["slug"] for i in part["items"]]
                offset += 7
            assert sorted(slugs) == sorted(r.slug for r in table.all())
            one = client.get(f"/api/{kind}/{slugs[0]}")
            assert one.status_code == 200


def test_a_board_gives_its_rows_in_order(client, board_file):
    slug = "image-classification-on-objectnet"
    got = client.get(f"/api/boards/{slug}?limit=5").json()
    assert (got["metric"], got["direction"], got["total"]) == ("Top-1 Accuracy", "higher", 29)
    assert [r["rank"] for r in got["rows"]] == [1, 2, 3, 4, 5]
    assert got["rows"][0]["results"][0]["raw"] == "84.1"
    assert got["rows"][0]["source"]["table"] == "Table 8"
    whole = client.get(f"/api/boards/{slug}?limit=100").json()["rows"]
    oracle = [r for r in whole if r["results"][0]["selection"] == "oracle"]
    assert oracle == whole[-len(oracle) :]
    assert {r["rank"] for r in oracle} == {None}
    assert oracle[0]["results"][0]["raw"] == "84.9"
    assert "upper bound" in oracle[0]["unranked"]
    row = client.get(f"/api/rows/{got['rows'][3]['id']}").json()
    assert row == got["rows"][3]
    lines = client.get(f"/api/rows/{row['id']}/history").json()
    assert [x["action"] for x in lines] == ["create"]
    some = client.get(f"/api/boards/{slug}?q=basic-l wise&kind=published").json()
    assert [r["model"] for r in some["rows"]] == ["WiSE-FT", "WiSE-FT"]
    assert client.get(f"/api/boards/{slug}?metric=Nope").status_code == 404


def test_a_paper_gives_its_results(client):
    rows = client.get("/api/papers/robust-fine-tuning-of-zero-shot-models/results").json()
    assert any(r["results"][0]["raw"] == "72.1" and r["board"].endswith("objectnet") for r in rows)


def test_search(client):
    hits = client.get("/api/search?q=robust fine").json()
    assert "robust-fine-tuning-of-zero-shot-models" in {h["slug"] for h in hits}
    for q in ("", '"', "a OR (b", "*", "\u0000", "NEAR/", "-", "col:x"):
        assert client.get("/api/search", params={"q": q}).status_code == 200
        assert client.get("/search", params={"q": q}).status_code == 200


def test_a_submission_goes_in_and_is_found_again(client):
    made = client.post("/api/submissions", json=GOOD)
    assert made.status_code == 201
    number = made.json()["id"]
    assert client.get(f"/api/submissions/{number}").json() == made.json()
    row = client.get(f"/api/rows/{made.json()['row']}").json()
    assert (row["kind"], row["rank"], row["model"]) == ("submitted", None, "Mine")
    again = client.post("/api/submissions", json=GOOD)
    assert again.status_code == 409
    assert again.json()["detail"].endswith(f"number {number} (queued)")


PROBLEMS = [
    ("GET", "/api/tasks/none", 404, "there is no task 'none'"),
    ("GET", "/api/rows/99999", 404, "there is no entry number"),
    ("GET", "/api/rows/99999999999999999999", 422, "too large"),
    ("GET", "/api/rows/x", 422, "row: Input should be a valid integer"),
    ("GET", "/api/tasks?limit=0", 422, "limit: Input should be greater than or equal to 1"),
    ("GET", "/api/search", 422, "q: Field required"),
    ("DELETE", "/api/tasks", 405, "Method Not Allowed"),
    ("GET", "/api/none", 404, ""),
    ("POST", "/api/submissions", 422, "Field required"),
]


@pytest.mark.parametrize(("method", "path", "status", "detail"), PROBLEMS)
def test_errors_are_problem_details(client, method, path, status, detail):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert detail in body["detail"]


def test_every_problem_of_a_submission_is_named(client):
    answer = client.post("/api/submissions", json={**GOOD, "value": "x", "dataset": "ObjektNet"})
    assert answer.status_code == 422
    assert answer.json()["problems"].keys() == {"value"}
    answer = client.post("/api/submissions", json={**GOOD, "dataset": "ObjektNet"})
    assert "near it are ObjectNet" in answer.json()["problems"]["dataset"]
    for body in (b"{", b"[]", b"null", b'{"n": NaN}', b"\xff", b"[" * 5000):
        answer = client.post("/api/submissions", content=body,
                             headers={"content-type": "application/json"})  # fmt: skip
        assert answer.status_code in (400, 422), body[:20]
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_does_not_say_it_is_json_is_no_submission(client):
    import json

    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = client.post("/api/submissions", content=json.dumps(GOOD),
                             headers={"content-type": kind})  # fmt: skip
        assert answer.status_code == 422, kind


def test_hostile_text_comes_back_as_data(serve, tmp_path):
    path = tmp_path / "hostile.db"
    with Store.open(path, create=True) as store:
        fill_hostile(store)
    client = serve(path=path)
    for kind in ("tasks", "boards", "datasets", "methods", "papers"):
        for one in client.get(f"/api/{kind}").json()["items"]:
            for address in (f"/api/{kind}/{one['slug']}", f"/{kind}/{one['slug']}"):
                answer = client.get(address)
                assert answer.status_code == 200, address
                assert answer.headers["x-content-type-options"] == "nosniff"
                if "/api" not in address:
                    assert "<script>alert" not in answer.text


def test_pages_take_any_question(client):
    board = "/boards/image-classification-on-objectnet"
    for query in ("sort=nonsense", "sort=value&down=1&page=99", "method=x", "method=" + "9" * 17,
                  "kind='; DROP TABLE entry; --", "extra=%00", "metric=none", "q=%F0%9F%98%80",
                  "code=1&q=wise", "q=" + "%22" * 50):  # fmt: skip
        assert client.get(f"{board}?{query}").status_code == 200, query
    for query in ("page=0", "page=x", "q=" + "a" * 301):
        assert client.get(f"{board}?{query}").status_code == 422
    for path in ("/rows/0", "/rows/-1", "/rows/" + "9" * 30, "/compare/1-999", "/papers/%00",
                 "/papers/..%2f..%2fetc%2fpasswd", "/assets/..%2fpages.py", "/papers/%ff",
                 "/boards/" + "x" * 3000):  # fmt: skip
        assert client.get(path).status_code in (404, 422), path
