"""Whether the hub answers is known within the limit, however the network fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from surefoot import hub

SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No switch set, a short limit, nothing remembered."""
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    remembered = hub._reachable
    remembered.cache_clear()
    yield
    remembered.cache_clear()


def at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(hub, "endpoint", lambda: f"http://127.0.0.1:{port}")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_host_that_accepts_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket
) -> None:
    at(monkeypatch, server.getsockname()[1])
    began = time.perf_counter()
    assert hub.silence() == "the hub does not answer"
    assert time.perf_counter() - began < 3
    asked = time.perf_counter()
    assert hub.silence() == "the hub does not answer"
    assert time.perf_counter() - asked < 0.1  # it was asked once


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(hub, "_answers", lambda address: done.wait(20))
    at(monkeypatch, 1)
    began = time.perf_counter()
    assert hub.silence() == "the hub does not answer"
    assert time.perf_counter() - began < 3
    done.set()


def test_no_host(monkeypatch: pytest.MonkeyPatch, server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    at(monkeypatch, port)
    assert hub.silence() == "the hub does not answer"


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "503 Service Unavailable"])
def test_any_answer_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket, status: str
) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 20.0)

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    thread = threading.Thread(target=answer)
    thread.start()
    at(monkeypatch, server.getsockname()[1])
    assert hub.silence() == ""
    thread.join()


def test_a_switch_is_named_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub, "_reachable", lambda address: asked.append(address) is None)
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    assert hub.silence("HF_DATASETS_OFFLINE") == "HF_DATASETS_OFFLINE is set"
    assert not asked
    assert hub.silence() == ""  # models do not care
    monkeypatch.setenv("HF_HUB_OFFLINE", "on")
    assert hub.silence() == "HF_HUB_OFFLINE is set"
    assert len(asked) == 1
