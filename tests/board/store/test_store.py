"""The store: rows, history, tombstones, read-only, and that nothing can be removed."""

from __future__ import annotations

import sqlite3
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.board import (
    Board,
    BoardError,
    CodeLink,
    Curve,
    CurvePoint,
    Dataset,
    Entry,
    Method,
    NotOnBoard,
    Paper,
    Protocol,
    Result,
    Source,
    Store,
    Task,
)
from surefoot.board.store.entries import make_result
from surefoot.board.store.migrations import _KEPT
from surefoot.board.store.tables import Table


def board(store, *, protocol="p", split="test"):
    task, data = store.tasks.ensure("Image Classification"), store.datasets.ensure("ObjectNet")
    return store.boards.ensure(task.id, data.id, split, protocol)


def add(store, raw="72.1", *, name="WiSE-FT", kind="published", **more):
    where = more.pop("board", None) or board(store)
    results = (make_result("Top-1 Accuracy", raw, headline=True),)
    return store.entries.add(
        Entry(where.id, kind, name, Source("paper", citation=name), results=results, **more)
    )


def test_rows_come_back_as_they_went_in(store):
    paper = Paper("Ünïcode <b>title</b>", authors=("Émile", "李"), extra={"a": [1, None]})
    kept = store.papers.add(paper)
    assert kept.id == 1
    assert kept.slug == "unicode-b-title-b"
    assert store.papers.by_id(1) == kept
    assert store.papers.get(kept.slug) == kept
    assert store.papers.get("ünïcode <B>TITLE</b>") == kept
    data = store.datasets.add(Dataset("X", splits=({"name": "test", "count": 3},), toy=True))
    assert store.datasets.by_id(data.id) == data
    method = store.methods.add(Method("M", reading=True, introduced=2021))
    assert store.methods.get("m") == method


def test_entries_come_back_with_their_results(store):
    source = Source("archive", file="f.gz", sha256="ab", json_path="$[0]", also=("Table 2",))
    entry = Entry(
        board(store).id,
        "published",
        "A",
        source,
        paper_title="T",
        code_links=[{"title": "t", "url": "u"}],
        model_links=None,
        extra_data="yes",
        results=(make_result("Top-1 Accuracy", "72.1 ± 0.3"), make_result("F1", 0.5)),
    )
    kept = store.entries.add(entry)
    again = store.entries.full(kept.id)
    assert again.source == source
    assert again.model_links is None
    assert [r.raw for r in again.results] == ["72.1 ± 0.3", "0.5"]
    assert [r.raw_type for r in again.results] == ["string", "json"]
    assert again.results[0].plus_minus == 0.3
    assert store.boards.by_id(entry.board_id).metrics == ("Top-1 Accuracy", "F1")


def test_names_are_matched_without_case_and_originals_kept(store):
    first = store.tasks.ensure("Image Classification")
    assert store.tasks.ensure("image  CLASSIFICATION").id == first.id
    assert store.tasks.aliases(first.id) == ["image  CLASSIFICATION"]
    assert store.tasks.by_id(first.id).name == "Image Classification"
    assert store.datasets.ensure("STRASSE").id == store.datasets.ensure("Straße").id


def test_parts_of_data_sets_are_told_apart_by_their_parent(store):
    a, b = store.datasets.ensure("A"), store.datasets.ensure("B")
    part = store.datasets.ensure("test", parent_id=a.id)
    other = store.datasets.ensure("test", parent_id=b.id)
    assert part.id != other.id
    assert store.datasets.path(other.id) == ("B", "test")
    assert part.slug != other.slug
    assert store.datasets.of(parent_id=a.id) == [part]


def test_equal_titles_get_different_addresses(store):
    papers = [store.papers.add(Paper("Attention", date=f"20{y}")) for y in (20, 21, 22)]
    assert len({p.slug for p in papers}) == 3
    assert store.papers.match(title="attention") is None  # which of the three?


def test_papers_are_matched_by_arxiv_number_in_any_form(store):
    paper = store.papers.add(Paper("T", arxiv_id="2109.01903v3"))
    assert paper == store.papers.by_id(paper.id) or paper.arxiv_id
    for form in ("2109.01903", "2109.01903v1", "https://arxiv.org/abs/2109.01903v2",
                 "http://arxiv.org/pdf/2109.01903v1.pdf", "arXiv:2109.01903"):  # fmt: skip
        assert store.papers.match(arxiv=form).id == paper.id
    assert store.papers.match(arxiv="2109.01904") is None


def test_every_change_is_in_the_history(store):
    paper = store.papers.add(Paper("T"), why="first")
    assert store.papers.update(paper.id, venue="CVPR 2022", why="published")
    assert not store.papers.update(paper.id, venue="CVPR 2022")
    assert store.papers.delete(paper.id, why="double")
    assert store.papers.restore(paper.id, why="no, it is not")
    lines = store.papers.history(paper.id)
    assert [(r.action, r.who, r.note) for r in lines] == [
        ("create", "ada", "first"),
        ("update", "ada", "published"),
        ("delete", "ada", "double"),
        ("restore", "ada", "no, it is not"),
    ]
    assert (lines[1].old, lines[1].new) == ({"venue": ""}, {"venue": "CVPR 2022"})
    assert lines[2].at.endswith("Z")


def test_a_tombstone_hides_and_keeps(store):
    entry = add(store)
    paper = store.papers.add(Paper("Findable"))
    store.entries.delete(entry.id, why="wrong row")
    store.papers.delete(paper.id, why="wrong")
    assert store.ranking(board(store)) == []
    assert store.papers.all() == []
    assert store.papers.all(deleted=True)[0].deleted
    assert store.search("findable") == []
    assert store.papers.get("findable").title == "Findable"
    assert store.entries.full(entry.id).results[0].raw == "72.1"
    assert store.entries.has(entry.row_key)


@pytest.mark.parametrize("table", _KEPT)
def test_nothing_can_be_deleted(own, table):
    own.tasks.add_alias(1, "another spelling")
    own.metrics.declare("Params", "lower")
    own.submissions.send({"a": 1}, "ada")
    number = own.imports.begin("f", "ab", "methods", "").id
    own.imports.quarantine(number, "$[0]", "spam", {})
    assert own.db.count(f"SELECT count(*) FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match="the board keeps everything"):
        own.db.connection.execute(f"DELETE FROM {table}")


def test_all_tables_are_kept(store):
    rows = store.db.all("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {r["name"] for r in rows if "_fts" not in r["name"] and "sqlite_" not in r["name"]}
    assert names == set(_KEPT)


def test_history_cannot_be_rewritten(store):
    store.papers.add(Paper("T"))
    with pytest.raises(sqlite3.IntegrityError, match="history cannot be rewritten"):
        store.db.connection.execute("UPDATE revision SET who = 'nobody'")


def test_a_transaction_is_all_or_nothing(store):
    def half():
        with store.transaction():
            store.papers.add(Paper("A"))
            with store.transaction():
                store.papers.add(Paper("B"))
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError):
        half()
    assert store.papers.count() == 0
    assert store.history() == [r for r in store.history() if r.action == "migrate"]
    store.papers.add(Paper("C"))
    assert store.papers.count() == 1


def test_the_same_row_twice_is_refused(store):
    add(store, row_key="k")
    with pytest.raises(BoardError, match="is there already"):
        add(store, row_key="k")


def test_unknown_names_teach(seeded):
    with pytest.raises(NotOnBoard) as caught:
        seeded.papers.get("robust-fine-tunning")
    assert "there is no paper 'robust-fine-tunning'" in str(caught.value)
    assert "robust-fine-tuning-of-zero-shot-models" in str(caught.value)
    with pytest.raises(NotOnBoard):
        seeded.papers.by_id(10**30)
    with pytest.raises(NotOnBoard):
        seeded.tasks.get("\ud800'; DROP TABLE task; --")
    with pytest.raises(BoardError, match="has no column"):
        seeded.papers.find(**{"title; DROP TABLE paper": 1})


def test_read_only_refuses_every_change(seeded):
    with pytest.raises(BoardError, match="for reading only"):
        seeded.papers.add(Paper("T"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        seeded.db.connection.execute("UPDATE paper SET title = ''")


def test_a_board_at_rest_is_one_file(tmp_path):
    with Store.open(tmp_path / "b.db", create=True) as store:
        store.papers.add(Paper("T"))
    assert [p.name for p in tmp_path.iterdir()] == ["b.db"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BoardError, match=r"there is no board at .*none\.db") as caught:
        Store.open(tmp_path / "none.db")
    assert "surefoot board init" in str(caught.value)


def test_two_stores_see_each_others_changes(tmp_path):
    path = tmp_path / "b.db"
    with Store.open(path, create=True) as one, Store.open(path) as two:
        one.papers.add(Paper("T"))
        assert two.papers.count() == 1
        two.papers.add(Paper("U"))
        assert one.papers.count() == 2


def test_kinds_are_never_merged(store):
    add(store, "72.1", kind="published")
    add(store, "72.0", kind="reproduced", name="ours")
    add(store, "99.9", kind="submitted", name="wild")
    where = board(store)
    assert [r.row.kind for r in store.ranking(where)] == ["published", "reproduced"]
    everything = store.ranking(where, kinds=("published", "submitted"))
    assert [r.row.kind for r in everything] == ["submitted", "published"]


def test_toy_entries_can_be_left_out(store):
    add(store, "72.1")
    add(store, "99", name="toy", toy=True)
    assert len(store.ranking(board(store))) == 2
    assert len(store.ranking(board(store), toy=False)) == 1


def test_the_task_tree_has_no_circles(store):
    a, b, c = (store.tasks.ensure(n) for n in "abc")
    assert store.tasks.link(a.id, b.id)
    assert store.tasks.link(b.id, c.id)
    assert not store.tasks.link(c.id, a.id)
    assert not store.tasks.link(a.id, a.id)
    assert store.tasks.roots() == [a]
    assert store.tasks.children(a.id) == [b]
    assert store.tasks.parents(c.id) == [b]


@given(st.lists(st.tuples(st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)),
                          st.integers(0, 3), st.booleans()), max_size=12))  # fmt: skip
def test_related_papers_equal_a_slow_count(papers):
    with Store.open(":memory:", create=True) as store:
        tasks = [store.tasks.ensure(f"T{i}").id for i in range(5)]
        methods = [store.methods.ensure(f"M{i}").id for i in range(5)]
        kept = {}
        for i, (own, used, day, gone) in enumerate(papers):
            paper = store.papers.add(Paper(f"Paper {i}", date=f"2020-01-0{day + 1}"))
            store.papers.tag(paper.id, tasks=[tasks[t] for t in own],
                             methods=[methods[m] for m in used])  # fmt: skip
            if gone:
                store.papers.delete(paper.id, why="a test")
            kept[paper.id] = (own, used, paper.date, gone)
        for i, (own, used, _, _) in kept.items():
            near = [(j, len(used & m), len(own & t), date) for j, (t, m, date, gone) in kept.items()
                    if j != i and not gone and (used & m or own & t)]  # fmt: skip
            near.sort(key=lambda n: n[0])
            near.sort(key=lambda n: n[3], reverse=True)
            near.sort(key=lambda n: -3 * n[1] - n[2])
            found = [(p.id, m, t) for p, m, t in store.papers.related(i, limit=3)]
            assert found == [n[:3] for n in near[:3]]


@pytest.mark.parametrize("common", [1, 10_000])
def test_papers_of_a_common_and_of_a_rare_tag_come_newest_first(store, monkeypatch, common):
    monkeypatch.setattr("surefoot.board.store.papers._COMMON", common)
    task, method = store.tasks.ensure("T").id, store.methods.ensure("M").id
    for i in range(9):
        paper = store.papers.add(Paper(f"Paper {i}", date=f"2020-01-0{i % 4 + 1}"))
        if i % 3:
            store.papers.tag(paper.id, tasks=[task], methods=[method])
    store.papers.delete(paper.id, why="a test")
    want = ["Paper 7", "Paper 2", "Paper 1", "Paper 5", "Paper 4"]
    assert [p.title for p in store.papers.of_task(task)] == want
    assert [p.title for p in store.papers.of_method(method, limit=2, offset=1)] == want[1:3]


def test_related_papers_share_methods_before_tasks(store):
    papers = [store.papers.add(Paper(t)) for t in ("me", "method", "task", "none")]
    task, method = store.tasks.ensure("T"), store.methods.ensure("M")
    store.papers.tag(papers[0].id, tasks=[task.id], methods=[method.id])
    store.papers.tag(papers[1].id, methods=[method.id])
    store.papers.tag(papers[2].id, tasks=[task.id])
    found = store.papers.related(papers[0].id)
    assert [(p.title, m, t) for p, m, t in found] == [("method", 1, 0), ("task", 0, 1)]


def test_agreements_find_their_reproduction(store):
    store.protocols.declare(Protocol("p", "P"))
    theirs = add(store, "72.1")
    assert store.agreements(theirs) == []
    mine = make_result("Top-1 Accuracy", "72.14", stderr=0.2, manifest="whole",
                       reproduces_id=theirs.results[0].id)  # fmt: skip
    store.entries.add(Entry(theirs.board_id, "reproduced", "ours", Source("run"), results=(mine,)))
    [(entry, verdict)] = store.agreements(theirs)
    assert entry.model_name == "ours"
    assert verdict.verdict == "matches"


def test_curves_come_back(store):
    point = CurvePoint(0.5, "ImageNet", "Top-1 Accuracy", "81.7", 81.7, n=50_000)
    method = store.methods.ensure("WiSE-FT")
    kept = store.curves.add(
        Curve("k", "t", "published", (point,), Source("paper"), method_id=method.id)
    )
    assert store.curves.of(method_id=method.id) == [kept]
    assert store.curves.has("k")


def test_protocols_that_nobody_described_are_names(store):
    assert store.protocols.describe("p-9").name == "p-9"
    assert "not known" in store.protocols.describe("unspecified").description
    store.protocols.declare(Protocol("p-9", "P", "first"))
    store.protocols.declare(Protocol("p-9", "P", "second"))
    assert store.protocols.describe("p-9").description == "second"


def test_each_walks_all_in_blocks(store):
    with store.transaction():
        for i in range(2100):
            store.tasks.add(store.tasks.row(f"t{i}"))
    assert sum(1 for _ in store.tasks.each()) == 2100
    assert [t.name for t in store.tasks.all(limit=2, offset=5)] == ["t5", "t6"]


def test_addresses_of_boards_are_as_short_as_they_can_be(store):
    task, data = store.tasks.ensure("Image Classification"), store.datasets.ensure("ObjectNet")
    made = [
        store.boards.ensure(task.id, data.id, split, protocol).slug
        for split, protocol in (
            ("unspecified", "unspecified"),
            ("test", "p-1"),
            ("test", "p-2"),
            ("test", "P 2"),
            ("part", "p-1"),
        )
    ]
    base = "image-classification-on-objectnet"
    assert made == [base, f"{base}-test", f"{base}-test-p-2", f"{base}-test-p-2-2", f"{base}-part"]


def test_every_column_is_described_once_by_the_dataclass_of_its_row(store):
    tables = [t for t in vars(store).values() if isinstance(t, Table)]
    assert len(tables) == 12
    for table in tables:
        described = {f.name for f in fields(table.row)}
        assert described - {"results"} == store.db.columns(table.name), table.name


def test_values_come_back_as_they_went_in(store):
    task = store.tasks.add(Task("T", categories=("a", "b"), source_link={"url": "x"}))
    data = store.datasets.add(Dataset("D", splits=({"name": "test"},), toy=True))
    board = store.boards.add(Board(task.id, data.id, notable=True, dataset_links=({"a": [1]},)))
    source = Source("paper", table="1", also=("Table 2", "Table 3"))
    result = Result("m", "1", headline=True, value=1.0)
    entry = Entry(board.id, "published", "M", source, results=(result,), code_links=None, toy=True)
    entry = store.entries.add(entry)
    points = (CurvePoint(0.0, "D", "m", "0", 0.0), CurvePoint(1.0, "D", "m", "1", 1.0, n=3))
    curve = store.curves.add(Curve("k", "C", "measured", points, source))
    link = store.code.add(CodeLink("https://x", official=None, extra={"k": None}))
    for table, row in ((store.tasks, task), (store.datasets, data), (store.curves, curve),
                       (store.code, link)):  # fmt: skip
        assert table.by_id(row.id) == row
    assert store.entries.full(entry.id) == entry
    assert store.boards.by_id(board.id).dataset_links == board.dataset_links
