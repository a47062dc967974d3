"""Clients of a served board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from surefoot.board.web.app import create_app
from surefoot.board.web.limits import Limits

HOME = "http://127.0.0.1"
MANY = Limits(reads=1e6, read_burst=10**6, writes=1e6, write_burst=10**6)


@pytest.fixture
def board_file(seeded_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "served.db"
    path.write_bytes(seeded_file.read_bytes())
    return path


@pytest.fixture
def serve(board_file: Path) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of a board of one's own."""
    opened: list[TestClient] = []

    def made(**more: Any) -> TestClient:
        app = create_app(more.pop("path", board_file), **{"limits": MANY, **more})
        client = TestClient(app, base_url=HOME, raise_server_exceptions=False)
        opened.append(client)
        return client

    yield made
    for client in opened:
        client.close()


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    return serve()


GOOD = {
    "task": "Image Classification",
    "dataset": "ObjectNet",
    "split": "test",
    "metric": "Top-1 Accuracy",
    "value": "72.3",
    "model_name": "Mine",
}
