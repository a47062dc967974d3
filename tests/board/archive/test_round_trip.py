"""import -> export -> import loses nothing: every row, every field, every place."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.board import Store
from surefoot.board.archive.export import export
from surefoot.board.archive.format import FIELDS, PROVENANCE, TABLES
from surefoot.board.archive.importer import import_file
from surefoot.board.seed import fill
from surefoot.board.store.text import canonical, fold

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = TEXT.filter(lambda t: t.strip() and fold(t))
SHARED = st.one_of(st.sampled_from(["Image Classification", "IMAGE classification", "QA"]), NAME)
LINK = st.fixed_dictionaries({"title": TEXT, "url": TEXT})
LINKS = st.one_of(st.none(), st.lists(LINK, max_size=2))
VALUE = st.one_of(
    st.sampled_from(["72.1", "0.8428 ± 0.0014", "74.67%", "1,234", "<0.5", "-"]),
    TEXT,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
ROW = st.fixed_dictionaries(
    {"model_name": NAME},
    optional={
        "paper_title": st.one_of(st.none(), TEXT),
        "paper_url": st.one_of(st.none(), TEXT, st.just("https://arxiv.org/abs/2109.01903")),
        "paper_date": st.one_of(st.none(), TEXT),
        "code_links": LINKS,
        "model_links": LINKS,
        "metrics": st.one_of(st.none(), st.dictionaries(TEXT, VALUE, max_size=3)),
        "uses_additional_data": st.one_of(st.none(), st.booleans()),
    },
)
SOTA = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"metrics": st.lists(TEXT, max_size=2), "rows": st.lists(ROW, max_size=3)}
    ),
)


def datasets(depth: int) -> st.SearchStrategy:
    below = st.lists(datasets(depth - 1), max_size=2) if depth else st.just([])
    return st.builds(
        lambda key, name, sota, parts, about: {
            key: name, "sota": sota, "subdatasets": parts, "description": about},
        st.sampled_from(["dataset", "subdataset"]), SHARED, SOTA, below, TEXT,
    )  # fmt: skip


def tasks(depth: int) -> st.SearchStrategy:
    below = st.lists(tasks(depth - 1), max_size=2) if depth else st.just([])
    return st.fixed_dictionaries(
        {"task": SHARED, "datasets": st.lists(datasets(1), max_size=2), "subtasks": below,
         "description": TEXT, "categories": st.lists(TEXT, max_size=2)}
    )  # fmt: skip


def whole(row):
    """A row with all eight fields, as an export has it."""
    return {**{f: row.get(f) for f in FIELDS}, "metrics": row.get("metrics") or {}}


def rows_of(tree):
    """(task, data set ..., row) of every row, names folded; a repeated row counts once."""
    found = Counter()

    def walk_dataset(task, above, node):
        path = (*above, fold(node.get("dataset") or node["subdataset"]))
        for row in (node.get("sota") or {}).get("rows", []):
            found[task, path, canonical(whole(row))] = 1
        for part in node.get("subdatasets") or []:
            walk_dataset(task, path, part)

    def walk_task(node):
        for dataset in node.get("datasets") or []:
            walk_dataset(fold(node["task"]), (), dataset)
        for sub in node.get("subtasks") or []:
            walk_task(sub)

    for node in tree:
        walk_task(node)
    return found


def taken(tree, folder):
    """A board with the file imported, and what it exports."""
    folder.mkdir()
    path = folder / TABLES
    path.write_text(json.dumps(tree), encoding="utf-8")
    return imported(path, folder / "out")


def imported(path, out):
    with Store.open(":memory:", create=True) as store:
        report = import_file(store, path)
        assert report.problem == ""
        assert report.record.quarantined == 0, store.imports.quarantined()
        export(store, out, toy=True)
    return json.loads((out / TABLES).read_text(encoding="utf-8"))


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(tree=st.lists(tasks(1), min_size=1, max_size=3))
def test_nothing_is_lost(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("trip") / "first"
    once = taken(tree, folder)
    assert rows_of(once) == rows_of(tree)
    for node in walk_rows(once):
        assert list(node) == list(FIELDS)  # exactly the eight, in their order
    twice = imported(folder / "out" / TABLES, folder / "again")
    assert twice == once
    first = json.loads((folder / "out" / PROVENANCE).read_text())
    second = json.loads((folder / "again" / PROVENANCE).read_text())
    assert sorted(map(canonical, second["boards"])) == sorted(map(canonical, first["boards"]))
    assert strip(second["rows"]) == strip(first["rows"])


def walk_rows(tree):
    for task in tree:
        stack = list(task["datasets"])
        while stack:
            node = stack.pop()
            yield from (node.get("sota") or {}).get("rows", [])
            stack += node["subdatasets"]
        yield from walk_rows(task["subtasks"])


def strip(rows):
    """Provenance without the import's number, which is not part of it."""
    return {k: [{**p, "created": ""} for p in v] for k, v in rows.items()}


def test_without_the_sidecar_the_rows_are_still_all_there(tmp_path):
    tree = [{"task": "T", "datasets": [{"dataset": "D", "sota": {"metrics": ["m"], "rows": [
        {"model_name": "a", "metrics": {"m": "1"}}]}}]}]  # fmt: skip
    once = taken(tree, tmp_path / "a")
    (tmp_path / "a" / "out" / PROVENANCE).unlink()
    assert imported(tmp_path / "a" / "out" / TABLES, tmp_path / "b") == once


def test_a_seeded_board_goes_through_with_its_provenance(seeded, tmp_path):
    export(seeded, tmp_path / "one")
    with Store.open(":memory:", create=True) as other:
        report = import_file(other, tmp_path / "one" / TABLES)
        assert report.record.quarantined == 0
        assert other.entries.count() == seeded.entries.count()
        assert {b.slug for b in other.boards.all()} >= {"image-classification-on-objectnet"}
        # Two rows that differ only in how alpha was chosen are still two.
        sketch = [
            r
            for e in other.entries.all()
            for r in other.entries.full(e.id).results
            if r.raw == "63.0" and e.backbone == "CLIP ViT-L/14@336" and e.board_id
        ]
        assert {r.selection for r in sketch} >= {"fixed", "oracle"}
        export(other, tmp_path / "two")
    assert (tmp_path / "two" / TABLES).read_text() == (tmp_path / "one" / TABLES).read_text()
    assert (tmp_path / "two" / PROVENANCE).read_text() == (
        tmp_path / "one" / PROVENANCE
    ).read_text()


def test_an_export_into_its_own_board_adds_nothing(own, tmp_path):
    before = own.totals()
    export(own, tmp_path)
    report = import_file(own, tmp_path / TABLES)
    assert report.record.added == 0
    assert own.totals() == before
    assert fill(own) == {}
