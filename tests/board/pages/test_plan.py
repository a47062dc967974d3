"""How large a site will be is said before, and how far it is on the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import surefoot
from surefoot.board import BoardError
from surefoot.board.pages.plan import Plan
from surefoot.board.pages.site import export_site

from .make import add


def test_the_plan_is_what_is_written(own, tmp_path):
    target = own.boards.get("image-classification-on-objectnet")
    with own.transaction():
        for i in range(250):
            add(own, target, "published", f"Row {i}", f"{i / 10:.1f}", paper_date="2020-01-01")
    plans, steps = [], []
    site = export_site(own, tmp_path / "out", planned=plans.append,
                       progress=lambda done, of: steps.append((done, of)))  # fmt: skip
    [plan] = plans
    folders = Counter(p.parent.name for p in (tmp_path / "out").rglob("*.html"))
    for kind, pages in plan.pages.items():
        if kind != "further pages of large boards":
            name = {"data sets": "datasets"}.get(kind, kind)
            more = plan.pages["further pages of large boards"] if kind == "boards" else 0
            assert pages + more == folders[name], kind
    assert plan.pages["further pages of large boards"] == 5
    size = sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) / 1e6
    assert 0.5 * size < plan.megabytes < 2 * size
    assert len(steps) == site.files
    assert [s for s in steps if s[0] == s[1]] == [(site.pages, site.pages)] == steps[-1:]
    assert [s[0] for s in steps] == sorted(s[0] for s in steps)
    files = json.loads((tmp_path / "out/surefoot-board.json").read_text())["files"]
    assert len(files) == len(set(files)) == site.files - 1


def test_the_plan_is_said_in_words():
    plan = Plan({"rows": 150_000, "papers": 62_000, "tasks": 0}, 1870.0)
    assert plan.text() == "about 212,000 pages, 1.9 GB: 150,000 rows, 62,000 papers"
    assert Plan({"rows": 1}, 0.1).text() == "about 1 page, 1 MB: 1 rows"


def test_a_full_disk_is_said_before_anything_is_written(rich, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BoardError, match="has 0 MB left, and the site takes about"):
        export_site(rich, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


_EXPORT = """
import sys
from surefoot.board import Store
from surefoot.board.pages.site import export_site
from tests.board.archive.large import peak
with Store.open(sys.argv[1], read_only=True) as store:
    before = peak()
    export_site(store, sys.argv[2])
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_papers(tmp_path):
    def grown(count: int) -> float:
        folder = tmp_path / str(count)
        folder.mkdir()
        root = Path(surefoot.__file__).parents[2]
        env = {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}
        commands = (
            [str(root / "tests/board/archive/large.py"), str(folder), str(count)],
            ["-c", _EXPORT, str(folder / "board.db"), str(folder / "site")],
        )
        for command in commands:
            done = subprocess.run([sys.executable, *command], capture_output=True, text=True,
                                  env=env, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
        return float(done.stdout)

    few, many = grown(500), grown(8000)
    assert many < few + 12
