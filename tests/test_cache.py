"""The cache stays within its size, the least recently used first; foreign files stay."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from surefoot.cache import bound, entries, limit, parse_size, prune
from surefoot.cli.main import cli
from surefoot.errors import DataError
from surefoot.features import extract

from .conftest import drawn_split, toy_model


def fill(folder, sizes, start=1_000_000):
    paths = []
    for i, size in enumerate(sizes):
        path = folder / f"{i:064x}.npy"
        path.write_bytes(bytes(size))
        os.utime(path, (start + i, start + i))
        paths.append(path)
    return paths


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 250))
def test_bound_keeps_the_most_recent_that_fit(tmp_path_factory, sizes, size):
    folder = tmp_path_factory.mktemp("cache")
    fill(folder, sizes)
    bound(folder, size)
    left = [e.bytes for e in entries(folder)]
    assert sum(left) <= size
    assert left == sizes[len(sizes) - len(left) :]  # a suffix: the oldest went first
    dropped = sizes[: len(sizes) - len(left)]
    assert not dropped or sum(left) + dropped[-1] > size  # and no more than needed


def test_other_files_locked_ones_and_the_new_one_stay(tmp_path):
    paths = fill(tmp_path, [10, 10, 10])
    (tmp_path / "mine.npy").write_bytes(bytes(99))
    with FileLock(tmp_path / f".{paths[0].name}.lock"):
        gone = bound(tmp_path, 0, keep=paths[2])
    assert [e.path for e in gone] == [paths[1]]
    assert (tmp_path / "mine.npy").exists()
    assert paths[0].exists()
    assert paths[2].exists()


def test_extraction_uses_the_folder_of_the_environment_and_keeps_it_small(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    monkeypatch.setenv("SUREFOOT_CACHE_LIMIT", "4000")
    model = toy_model()
    splits = [drawn_split(f"s{i}", 30, i, version=str(i)) for i in range(3)]
    first = extract(model, splits[0])  # 30 * 12 * 4 bytes and a header: 1568
    extract(model, splits[1])
    decoded = splits[0].images.decoded
    for entry in entries(tmp_path):
        os.utime(entry.path, (1, 1))
    assert np.array_equal(extract(model, splits[0]), first)  # reading makes it recent
    assert splits[0].images.decoded == decoded
    extract(model, splits[2])
    assert {e.about["split"] for e in entries(tmp_path)} == {"s0", "s2"}
    assert {tuple(e.about["shape"]) for e in entries(tmp_path)} == {(30, 12)}
    assert len([p for p in tmp_path.iterdir() if p.suffix == ".json"]) == 2


def test_prune_by_age_size_and_unfinished(tmp_path):
    paths = fill(tmp_path, [10, 20, 30], start=4_000_000_000)
    part = tmp_path / f".{9:064x}.npy.part"
    part.write_bytes(bytes(5))
    os.utime(paths[0], (1, 1))
    assert [e.path for e in prune(tmp_path, older_than_days=1, dry_run=True)] == [paths[0]]
    assert paths[0].exists()
    assert [e.path for e in prune(tmp_path, older_than_days=1)] == [paths[0]]
    assert [e.path for e in prune(tmp_path, unfinished=True)] == [part]
    assert [e.path for e in prune(tmp_path, size=30)] == [paths[1]]
    assert [e.path for e in prune(tmp_path, size=0)] == [paths[2]]
    assert entries(tmp_path) == []
    assert entries(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("500MB", 5 * 10**8), ("2 GiB", 2**31), ("1.5k", 1500), ("0", 0)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


def test_a_limit_that_is_no_size(monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE_LIMIT", "much")
    with pytest.raises(DataError, match="'much' is not a size"):
        limit()


def test_the_commands(tmp_path, monkeypatch):
    fill(tmp_path, [10, 20, 30])
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path))
    listed = CliRunner().invoke(cli, ["cache", "ls"])
    assert listed.exit_code == 0
    assert "3 files, 60 B of at most 20.0 GB" in listed.output
    assert '"bytes": 20' in CliRunner().invoke(cli, ["cache", "ls", "--json"]).output
    would = CliRunner().invoke(cli, ["cache", "prune", "--size", "30", "--dry-run"])
    assert "2 files, 30 B would go" in would.output
    done = CliRunner().invoke(cli, ["cache", "prune", "--size", "30"])
    assert "2 files, 30 B removed" in done.output
    assert [e.bytes for e in entries(tmp_path)] == [30]


def test_without_a_folder_it_says_how_to_name_one_and_loads_no_torch():
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "from surefoot.cli.main import main\n"
        "main(['cache', 'ls'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "SUREFOOT_CACHE"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=False, env=environment)  # fmt: skip
    assert done.returncode == 1
    assert "set SUREFOOT_CACHE to a folder" in done.stderr
    assert done.stdout.strip() == "False"
