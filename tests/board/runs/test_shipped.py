"""A new board is full: the seed, and every result that the project committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surefoot.board import BoardError, Store
from surefoot.board.runs.add import score_files, start
from surefoot.board.runs.files import read_rows

from .test_add import FULL, make_run

RESULTS = Path(__file__).parents[3] / "results"


def readable(folder):
    found = {}
    for file in sorted(folder.iterdir()):
        try:
            if file.suffix in (".json", ".jsonl") and read_rows(file):
                found[file.name] = file.read_bytes()
        except BoardError:
            continue
    return found


def test_the_package_carries_the_committed_results():
    """The wheel has no ``results/``: copy what differs to src/surefoot/board/seed/results."""
    if not RESULTS.is_dir():
        pytest.skip("no checkout: the project's results/ is not here")
    carried = {f.name: f.read_bytes() for f in score_files()}
    assert carried
    assert carried == readable(RESULTS)


def test_a_new_board_is_full_and_stays_so(tmp_path):
    with Store.open(tmp_path / "b.db", create=True) as store:
        done = start(store)
        assert set(done.results) == {f.name for f in score_files()}
        assert all(done.results.values())
        assert done.left_out == {}
        kinds = {e.kind for e in store.entries.all()}
        assert kinds == {"published", "measured"}
        data = store.datasets.get("pictograms")
        boards = {b.split: b for b in store.boards.of(dataset_id=data.id)}
        ranked = store.ranking(boards["sketch"])
        assert ranked[0].rank == 1
        assert {r.row.backbone for r in ranked} & {"tiny-clip", "tiny-dino"}
        assert all(r.row.low is not None and r.row.high is not None for r in ranked)
        before = store.totals()
        again = start(store)
        assert again.seed == {}
        assert not any(again.results.values())
        assert store.totals() == before


def test_further_folders(store, tmp_path):
    make_run(tmp_path / "runs" / "mine", FULL)
    (tmp_path / "runs" / "other.json").write_text(json.dumps({"seconds": 3}))
    done = start(store, [tmp_path / "runs"])
    assert done.results["mine"] == 6
    assert "other.json is no file of score rows" in done.left_out["other.json"]
