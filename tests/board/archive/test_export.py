"""CSV, JSON, model-index, notices, toy data."""

from __future__ import annotations

import csv
import json

import yaml

from surefoot.board import Dataset, Entry, Source
from surefoot.board.archive.export import export, flat_rows
from surefoot.board.archive.format import FIELDS, LICENCE, NOTICE, PROVENANCE, TABLES
from surefoot.board.archive.importer import import_file
from surefoot.board.store.entries import make_result

from ..archive_files import row, table, write


def add(store, name="m", raw="72.1", *, toy=False, kind="published", dataset="ObjectNet"):
    task, data = store.tasks.ensure("Image Classification"), store.datasets.ensure(dataset)
    board = store.boards.ensure(task.id, data.id, "test", "p")
    return store.entries.add(
        Entry(board.id, kind, name, Source("paper", citation=name), toy=toy,
              results=(make_result("Top-1 Accuracy", raw),))
    )  # fmt: skip


def tables(folder):
    return json.loads((folder / TABLES).read_text(encoding="utf-8"))


def test_everything_that_is_written(seeded, tmp_path):
    done = export(seeded, tmp_path / "new" / "folder")
    assert [f.name for f in done.files] == [
        "NOTICE.txt",
        TABLES,
        PROVENANCE,
        "results.csv",
        "results.json",
        "model-index.yml",
    ]
    assert done.rows == seeded.entries.count()
    for name in ("results.csv", "results.json"):
        assert (tmp_path / "new" / "folder" / name).stat().st_size > 10_000


def test_rows_have_exactly_the_eight_fields(seeded, tmp_path):
    export(seeded, tmp_path)
    [vision] = [t for t in tables(tmp_path) if t["task"] == "Computer Vision"]
    [task] = [t for t in vision["subtasks"] if t["task"] == "Image Classification"]
    rows = [r for d in task["datasets"] for r in d["sota"]["rows"]]
    assert len(rows) == seeded.entries.count()
    assert all(tuple(r) == FIELDS for r in rows)


def test_tables_of_different_protocols_are_not_put_together(seeded, tmp_path):
    export(seeded, tmp_path)
    [vision] = [t for t in tables(tmp_path) if t["task"] == "Computer Vision"]
    [task] = [t for t in vision["subtasks"] if t["task"] == "Image Classification"]
    names = [d["dataset"] for d in task["datasets"] if d["dataset"].startswith("ObjectNet")]
    assert names == ["ObjectNet", "ObjectNet (partial copy; objectnet-partial-copy)"]


def test_csv_and_json_say_the_same(seeded, tmp_path):
    export(seeded, tmp_path)
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert len(lines) == len(rows) == seeded.results.count()
    for line, one in zip(lines, rows, strict=True):
        assert line["raw"] == one["raw"]
        assert line["row_key"] == one["row_key"]
        assert line["direction"] == "higher"
        assert json.loads(line["source"])["citation"]


def test_cells_that_a_spreadsheet_would_run_are_defused(store, tmp_path):
    add(store, '=HYPERLINK("http://x","y")')
    export(store, tmp_path)
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as text:
        [line] = list(csv.DictReader(text))
    assert line["model"] == ' =HYPERLINK("http://x","y")'
    [one] = json.loads((tmp_path / "results.json").read_text())
    assert one["model"] == '=HYPERLINK("http://x","y")'


def test_toy_data_stay_out_unless_asked_for(store, tmp_path):
    add(store, "real")
    add(store, "toy", toy=True)
    store.datasets.add(Dataset("Made up", toy=True))
    add(store, "on toy data", dataset="Made up")
    assert [r["model"] for r in flat_rows(store)] == ["real"]
    assert [r["model"] for r in flat_rows(store, toy=True)] == ["real", "toy", "on toy data"]
    assert export(store, tmp_path).rows == 1
    assert "Made up" not in (tmp_path / TABLES).read_text()
    assert export(store, tmp_path, toy=True).rows == 3


def test_kinds_can_be_chosen(store, tmp_path):
    add(store, "theirs")
    add(store, "ours", kind="measured")
    assert [r["model"] for r in flat_rows(store, kinds=["measured"])] == ["ours"]
    assert export(store, tmp_path, kinds=["published"]).rows == 1


def test_tombstones_stay_out(store, tmp_path):
    store.entries.delete(add(store).id, why="wrong")
    assert export(store, tmp_path).rows == 0
    assert (tmp_path / "results.csv").read_text() == ""


def test_the_archives_notice_goes_along_with_its_rows_only(store, tmp_path):
    add(store)
    export(store, tmp_path)
    assert json.loads((tmp_path / PROVENANCE).read_text())["notices"] == {}
    import_file(store, write(tmp_path, "evaluation-tables", [table([row()])]))
    export(store, tmp_path)
    side = json.loads((tmp_path / PROVENANCE).read_text(encoding="utf-8"))
    assert side["notices"] == {LICENCE: NOTICE}
    licences = [p["licence"] for same in side["rows"].values() for p in same]
    assert sorted(licences) == ["", LICENCE]


def test_what_came_from_the_archive_can_be_left_out(store, tmp_path):
    add(store, "ours", kind="measured")
    import_file(store, write(tmp_path, "evaluation-tables", [table([row()])]))
    assert LICENCE in (export(store, tmp_path / "all").files[0]).read_text()
    done = export(store, tmp_path / "own", archive=False)
    assert done.rows == 1
    texts = "".join(f.read_text(encoding="utf-8") for f in done.files)
    assert LICENCE not in texts
    assert "paperswithcode" not in texts
    assert "Say what is in an image." not in texts  # the archive's words for its task
    assert "objectnet.dev" not in texts  # and its links
    assert "1 of 1 results are this board's own" in texts


def test_words_of_the_archive_carry_its_notice_without_any_row(store, tmp_path):
    import_file(store, write(tmp_path, "evaluation-tables", [table([row()])]))
    add(store, "ours", kind="measured")
    export(store, tmp_path, kinds=["measured"])
    assert json.loads((tmp_path / PROVENANCE).read_text())["notices"] == {LICENCE: NOTICE}
    assert NOTICE in (tmp_path / "NOTICE.txt").read_text()


def test_model_index_is_what_model_cards_hold(store, tmp_path):
    add(store, "a", "72.1")
    add(store, "b", "about 70")
    add(store, "c", "71.0", kind="measured")
    export(store, tmp_path)
    text = (tmp_path / "model-index.yml").read_text(encoding="utf-8")
    cards = yaml.safe_load(text)["model-index"]
    assert [c["name"] for c in cards] == ["a", "c"]
    [result] = cards[0]["results"]
    assert result["task"] == {"type": "image-classification", "name": "Image Classification"}
    assert result["dataset"] == {"type": "objectnet", "name": "ObjectNet", "split": "test"}
    assert result["metrics"] == [
        {"type": "top_1_accuracy", "name": "Top-1 Accuracy", "value": 72.1, "verified": False}
    ]
    assert cards[1]["results"][0]["metrics"][0]["verified"] is True
