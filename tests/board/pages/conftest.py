"""Sites that are exported once, and a look at their HTML."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.board import Store
from surefoot.board.pages.site import export_site

from .make import fill_hostile, fill_rich


def copy(source: Path, folder: Path) -> Path:
    path = folder / "board.db"
    path.write_bytes(source.read_bytes())
    return path


@pytest.fixture(scope="session", autouse=True)
def _no_fsync() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # Hundreds of small files: nothing here has to survive a power cut.
        patch.setattr(os, "fsync", lambda fd: None)
        yield


@pytest.fixture(scope="session")
def rich_file(seeded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = copy(seeded_file, tmp_path_factory.mktemp("rich"))
    with Store.open(path, who="ada") as store:
        RICH.update(fill_rich(store))
    return path


RICH: dict[str, int] = {}


@pytest.fixture
def rich(rich_file: Path) -> Iterator[Store]:
    with Store.open(rich_file, read_only=True) as one:
        yield one


@pytest.fixture(scope="session")
def site(rich_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    with Store.open(rich_file, read_only=True) as store:
        export_site(store, folder)
    return folder


@pytest.fixture(scope="session")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "board.db"
    with Store.open(path, who="</td><script>", create=True) as store:
        fill_hostile(store)
    return path
