"""Before every request: host, rate, size; on every answer: headers."""

from __future__ import annotations

import os
import re
import socket
import stat

import pytest

from surefoot.board import BoardError, Store
from surefoot.board.web.app import create_app
from surefoot.board.web.limits import Limits, RateLimiter
from surefoot.board.web.serve import _open
from surefoot.board.web.serve import serve as serve_forever
from surefoot.board.web.state import foreign

from .conftest import GOOD, MANY

PAGES = ["/", "/tasks", "/tasks/image-classification", "/sota", "/datasets", "/datasets/objectnet",
         "/methods", "/methods/wise-ft", "/papers",
         "/papers/robust-fine-tuning-of-zero-shot-models",
         "/boards/image-classification-on-objectnet", "/rows/1", "/compare/1-5", "/search?q=wise",
         "/submit", "/about", "/assets/board.css", "/assets/board.js"]  # fmt: skip


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/api/tasks", "/api/nothing"])
def test_every_answer_has_the_security_headers(client, path):
    answer = client.get(path)
    assert answer.status_code == (404 if "nothing" in path else 200)
    told = answer.headers
    policy = told["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "file:" not in policy
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in told
    assert "server" not in told
    head = client.head(path)
    if not path.startswith("/api"):
        assert (head.status_code, head.content) == (answer.status_code, b"")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.org", ""])
def test_a_name_that_is_not_ours_is_refused(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["status"] == 421
    assert "x-frame-options" in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080"])
def test_names_of_this_machine_are_taken(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_too_many_requests_wait(serve):
    client = serve(limits=Limits(reads=0.01, read_burst=3, writes=6, write_burst=1))
    assert [client.get("/tasks").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = client.get("/api/tasks")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 90 < int(answer.headers["retry-after"]) <= 100
    assert client.post("/api/submissions", json=GOOD).status_code == 201
    assert client.post("/api/submissions", json=GOOD).status_code == 429


def test_a_bucket_fills_again_and_clients_are_apart():
    now = [0.0]
    limiter = RateLimiter(2.0, 2, lambda: now[0])
    assert [limiter.wait("a") for _ in range(3)] == [0, 0, 0.5]
    assert limiter.wait("b") == 0
    now[0] = 0.5
    assert limiter.wait("a") == 0
    assert limiter.wait("a") == 0.5
    for i in range(20_000):
        limiter.wait(f"client {i}")
    assert len(limiter._buckets) <= 10_000


def test_large_bodies_are_refused_with_and_without_a_length(serve):
    client = serve(limits=Limits(body=1000, reads=1e6, writes=1e6, write_burst=100))
    assert client.post("/api/submissions", content=b"x" * 1001).status_code == 413

    def parts():
        yield from (b"x" * 100 for _ in range(50))

    for path in ("/api/submissions", "/submit"):
        answer = client.post(path, content=parts(), headers={"content-type": "application/json"})
        assert answer.status_code in (403, 413), path
    answer = client.post("/api/submissions", content=parts(),
                         headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code == 413
    assert client.post("/api/submissions", headers={"content-length": "-5"}).status_code == 413


def test_long_addresses_are_refused(client):
    assert client.get("/search?q=" + "a" * 5000).status_code == 414
    assert client.get("/papers/" + "a" * 5000).status_code == 414


def test_read_only_takes_nothing_and_never_opens_for_writing(serve, board_file):
    board_file.chmod(stat.S_IRUSR)
    before = board_file.read_bytes()
    client = serve(read_only=True)
    for answer in (client.post("/api/submissions", json=GOOD), client.post("/submit", data=GOOD)):
        assert answer.status_code == 403
        assert "read-only" in answer.text
    page = client.get("/submit")
    assert '<form class="submit"' not in page.text
    assert "surefoot board submit result.json" in page.text
    assert "set-cookie" not in page.headers
    assert board_file.read_bytes() == before
    assert os.listdir(board_file.parent) == [board_file.name]


def test_no_board_is_said_before_anything_is_served(tmp_path):
    with pytest.raises(BoardError, match="there is no board"):
        create_app(tmp_path / "none.db")
    with pytest.raises(BoardError, match="there is no board"):
        serve_forever(tmp_path / "none.db")


def test_a_board_that_is_gone_is_no_mistake_of_ours(serve, board_file):
    client = serve()
    board_file.unlink()
    assert client.get("/api/tasks").status_code == 503
    assert client.get("/tasks").status_code == 503


def test_a_mistake_of_ours_says_nothing_of_itself(serve, monkeypatch, caplog):
    def broken(*args, **more):
        raise RuntimeError("secret /path")

    monkeypatch.setattr("surefoot.board.web.shapes.TaskOut.of", broken)
    answer = serve().get("/api/tasks")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "secret /path" in caplog.text


def test_what_changes_is_seen_at_once(client, board_file):
    first = client.get("/boards/image-classification-on-objectnet").text
    with Store.open(board_file, who="ada") as store:
        board = store.boards.get("image-classification-on-objectnet")
        entry = store.entries.of(board_id=board.id)[0]
        store.entries.update(entry.id, model_name="Renamed just now")
    assert "Renamed just now" not in first
    assert "Renamed just now" in client.get("/boards/image-classification-on-objectnet").text


def test_other_sites_are_known_by_their_headers():
    assert not foreign(None, None, "127.0.0.1:8080")
    assert not foreign("http://127.0.0.1:8080", "same-origin", "127.0.0.1:8080")
    assert foreign("http://evil.org", None, "127.0.0.1:8080")
    assert foreign("null", None, "127.0.0.1:8080")
    assert foreign(None, "cross-site", "127.0.0.1:8080")
    assert foreign(None, "same-site", "127.0.0.1:8080")
    assert foreign("http://[", None, "x")


def test_what_listens_on_more_than_this_machine():
    assert not _open("127.0.0.1")
    assert not _open("::1")
    assert not _open("localhost")
    assert _open("0.0.0.0")
    assert _open("board.example.org")
    assert MANY.body == Limits().body


def test_who_asks_before_it_runs_waits_and_is_not_refused(board_file):
    def asked_at_once(address):
        host, port = re.fullmatch(r"http://(.+):(\d+)/", address).groups()
        socket.create_connection((host, int(port)), timeout=5).close()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve_forever(board_file, port=0, ready=asked_at_once)


def test_it_listens_says_where_and_says_when_it_cannot(board_file):
    said = []

    def stop(address):
        said.append(address)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve_forever(board_file, port=0, ready=stop)
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+/", said[0])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BoardError, match="cannot be listened on"):
            serve_forever(board_file, port=taken.getsockname()[1])
