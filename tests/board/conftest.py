"""Boards for the tests: an empty one, and one with the seed (read it, do not write to it)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.board import Protocol, Store
from surefoot.board.seed import fill

PROTOCOL = Protocol(
    "pictograms-1-0-test-top1-head", "The protocol of the tests' runs", "Top-1 of version 1.0."
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(":memory:", who="ada", create=True) as one:
        yield one


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "board.db"
    with Store.open(path, who="ada", create=True) as one:
        fill(one)
        one.protocols.declare(PROTOCOL)
    return path


@pytest.fixture
def seeded(seeded_file: Path) -> Iterator[Store]:
    with Store.open(seeded_file, read_only=True) as one:
        yield one


@pytest.fixture
def own(seeded_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A seeded board that may be written to."""
    path = tmp_path / "own.db"
    path.write_bytes(seeded_file.read_bytes())
    with Store.open(path, who="ada") as one:
        yield one
