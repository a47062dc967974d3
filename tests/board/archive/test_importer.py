"""Import of the archive: what is taken, what is set aside, and doing it twice."""

from __future__ import annotations

import gzip
import json
import random
import sys
from decimal import Decimal

import pytest

from surefoot.board import BoardError, Store
from surefoot.board.archive.fields import Rejected, as_storable, looks_like_spam
from surefoot.board.archive.format import FIELDS, LICENCE, joined
from surefoot.board.archive.importer import import_file, kind_of
from surefoot.errors import MissingDependency

from ..archive_files import paper, row, table, write


def reasons(store, report):
    return {q.json_path: q.reason for q in store.imports.quarantined(report.record.id)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("papers-with-abstracts.json.gz", "papers-with-abstracts"),
        ("links-between-papers-and-code.json.gz", "links-between-papers-and-code"),
        ("evaluation-tables.json", "evaluation-tables"),
        ("evaluation-tables-2025-07.json.gz", "evaluation-tables"),
        ("Datasets.json.gz", "datasets"),
        ("methods.json.gz", "methods"),
        ("dump.json.gz", None),
    ],
)
def test_names_tell_the_kind(name, kind):
    assert kind_of(name) == kind


# evaluation tables


def test_a_row_of_the_archive_on_its_board(store, tmp_path):
    report = import_file(store, write(tmp_path, "evaluation-tables", [table([row()])]))
    assert (report.record.added, report.record.quarantined, report.problem) == (1, 0, "")
    board = store.boards.get("image-classification-on-objectnet")
    assert (board.split, board.protocol) == ("unspecified", "unspecified")
    assert board.metrics == ("Top-1 Accuracy",)
    [ranked] = store.ranking(board)
    entry = store.entries.full(ranked.row.id)
    assert (ranked.rank, ranked.row.raw, ranked.row.value) == (1, "72.1", 72.1)
    assert (entry.kind, entry.model_name, entry.extra_data) == ("published", "WiSE-FT", "unknown")
    assert entry.licence == LICENCE == "CC-BY-SA-4.0"
    assert entry.import_id == report.record.id
    assert entry.source.file == "evaluation-tables.json.gz"
    assert entry.source.sha256 == report.record.sha256
    assert entry.source.json_path == "$[0].datasets[0].sota.rows[0]"
    assert store.tasks.get("image-classification").categories == ("Computer Vision",)


@pytest.mark.parametrize(("said", "known"), [(True, "yes"), (False, "no"), (None, "unknown")])
def test_extra_data_null_is_unknown(store, tmp_path, said, known):
    rows = [row(uses_additional_data=said)]
    import_file(store, write(tmp_path, "evaluation-tables", [table(rows)]))
    assert store.entries.all()[0].extra_data == known


def test_parts_of_data_sets_in_both_spellings(store, tmp_path):
    deep = {"subdataset": "rare", "sota": {"metrics": ["A"], "rows": [row(model_name="deep")]}}
    part = {"subdataset": "test", "sota": {"metrics": [], "rows": [row(model_name="part")]},
            "subdatasets": [deep]}  # fmt: skip
    other = {"dataset": "dev", "sota": None}
    one = table([row()])
    one["datasets"][0]["subdatasets"] = [part, other]
    import_file(store, write(tmp_path, "evaluation-tables", [one]))
    paths = {store.datasets.path(d.id) for d in store.datasets.all()}
    assert paths == {
        ("ObjectNet",),
        ("ObjectNet", "test"),
        ("ObjectNet", "test", "rare"),
        ("ObjectNet", "dev"),
    }
    assert store.boards.count() == 4
    assert store.entries.count() == 3


def test_subtasks_hang_under_their_task(store, tmp_path):
    sub = table([row()], task="Fine-Grained", dataset="Birds")
    one = table([], subtasks=[sub])
    import_file(store, write(tmp_path, "evaluation-tables", [one]))
    root = store.tasks.get("image-classification")
    assert [t.name for t in store.tasks.children(root.id)] == ["Fine-Grained"]


def test_names_that_differ_by_case_are_one_and_kept(store, tmp_path):
    tables = [table([row()]), table([row(model_name="B")], task="IMAGE classification",
                                    dataset="OBJECTNET")]  # fmt: skip
    import_file(store, write(tmp_path, "evaluation-tables", tables))
    assert (store.tasks.count(), store.datasets.count(), store.boards.count()) == (1, 1, 1)
    assert store.tasks.aliases(1) == ["IMAGE classification"]
    assert store.datasets.aliases(1) == ["OBJECTNET"]
    assert store.entries.count() == 2


def test_bad_rows_are_set_aside_with_the_reason_and_good_ones_kept(store, tmp_path):
    bad = {
        "no object": "row",
        "name": row(model_name=7),
        "metrics": row(metrics=["72"]),
        "nested": row(metrics={"A": {"x": 1}}),
        "flag": row(uses_additional_data="yes"),
        "title": row(paper_title=7),
        "links": row(code_links="http://x"),
    }
    rows = [*bad.values(), row()]
    report = import_file(store, write(tmp_path, "evaluation-tables", [table(rows)]))
    assert store.entries.count() == 1
    found = reasons(store, report)
    at = "$[0].datasets[0].sota.rows[{}]".format
    assert found[at(0)] == "the row is text, not an object"
    assert found[at(1)] == "model_name is a number, not text"
    assert found[at(2)] == "metrics is a list, not an object"
    assert found[at(3)] == "the value of 'A' is no single value"
    assert found[at(4)] == "uses_additional_data is text, not true, false or null"
    assert found[at(5)] == "paper_title is a number, not text"
    assert found[at(6)] == "code_links is text, not a list"
    assert len(found) == report.record.quarantined == len(bad)
    assert "in quarantine 7" in report.text()
    assert "1 x model_name is a number, not text" in report.text()


def test_what_no_file_could_hold_is_refused():
    with pytest.raises(Rejected, match="half of a surrogate pair"):
        as_storable({"model_name": "\ud800"})
    with pytest.raises(Rejected, match="a number that is too large"):
        as_storable({"metrics": {"a": Decimal("1e999")}})
    assert as_storable({"a": [Decimal("0.1"), {"b": 10**30}]}) == {"a": [0.1, {"b": 10**30}]}


def test_bad_tasks_and_data_sets_do_not_take_the_rest_along(store, tmp_path):
    one = table([row()])
    one["datasets"] += [{"dataset": None, "sota": None}, {"dataset": "D", "sota": []}, 5]
    one["subtasks"] = [{"task": ""}, None]
    records = [one, None, {"task": 3}, table([], task="Other", datasets="none"), table([])]
    report = import_file(store, write(tmp_path, "evaluation-tables", records))
    found = reasons(store, report)
    assert found == {
        "$[0].datasets[1]": "subdataset is missing",
        "$[0].datasets[2]": "sota is a list, not an object",
        "$[0].datasets[3]": "the data set is a number, not an object",
        "$[0].subtasks[0]": "task is missing",
        "$[0].subtasks[1]": "the task is null, not an object",
        "$[1]": "the task is null, not an object",
        "$[2]": "task is a number, not text",
        "$[3]": "datasets is text, not a list",
    }
    assert store.entries.count() == 1


def test_tasks_nested_without_end_are_cut(store, tmp_path):
    one = table([], task="bottom")
    for i in range(60):
        one = table([], task=f"t{i}", subtasks=[one])
    report = import_file(store, write(tmp_path, "evaluation-tables", [one]))
    assert list(report.reasons) == ["tasks are nested deeper than 40"]
    assert store.tasks.count() == 41


def test_values_of_every_kind_are_kept_raw_and_parsed_beside(store, tmp_path):
    metrics = {"a": "0.8428 ± 0.0014", "b": "74.67%", "c": "1,234", "d": "-", "e": 0.5, "f": None,
               "g": 10**30, "h": "<0.5", "i": True}  # fmt: skip
    path = write(tmp_path, "evaluation-tables", [table([row(metrics=metrics)])])
    report = import_file(store, path)
    assert report.record.quarantined == 0
    [entry] = store.entries.of(board_id=1)
    parsed = {r.metric: r.value for r in entry.results}
    assert parsed == {"a": 0.8428, "b": 74.67, "c": 1234.0, "d": None, "e": 0.5, "f": None,
                      "g": 1e30, "h": 0.5, "i": None}  # fmt: skip
    assert entry.results[0].plus_minus == 0.0014
    assert not store.metrics.get("a").ranked


def test_a_second_import_of_the_file_does_nothing(store, tmp_path):
    path = write(tmp_path, "evaluation-tables", [table([row()])])
    first = import_file(store, path)
    before = store.history()
    again = import_file(store, path)
    assert again.skipped
    assert again.record == first.record
    assert "nothing to do" in again.text()
    assert store.history() == before


def test_the_same_rows_in_another_file_add_nothing(store, tmp_path):
    rows = [row(), row(model_name="B")]
    import_file(store, write(tmp_path, "evaluation-tables", [table(rows)]))
    more = [*reversed(rows), row(model_name="C")]
    report = import_file(store, write(tmp_path, "evaluation-tables", [table(more)], packed=False))
    assert not report.skipped
    assert (report.record.added, report.record.unchanged) == (1, 2)
    assert store.entries.count() == 3


def test_a_row_with_a_tombstone_is_not_brought_back(store, tmp_path):
    import_file(store, write(tmp_path, "evaluation-tables", [table([row()])]))
    store.entries.delete(1, why="not by us")
    import_file(store, write(tmp_path, "evaluation-tables", [table([row()])], packed=False))
    assert store.entries.count() == 0


def test_rows_of_the_archive_stay_apart_from_the_seed(own, tmp_path):
    before = own.entries.count()
    import_file(own, write(tmp_path, "evaluation-tables", [table([row()])]))
    theirs = [e for e in own.entries.all() if e.licence == LICENCE]
    assert len(theirs) == own.entries.count() - before == 1
    paper = own.papers.get("robust-fine-tuning-of-zero-shot-models")
    assert theirs[0].paper_id == paper.id
    values = [r.value for r in own.entries.paper_table(paper.id, headline=True)]
    assert values == ["72.1", "72.1"]  # ours, and the archive's: two rows, two sources
    assert len(own.boards.of(dataset_id=own.datasets.get("objectnet").id)) == 3


# papers, links


def test_a_paper_with_its_tags(store, tmp_path):
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper()]))
    [one] = store.papers.all()
    assert (one.title, one.slug, one.arxiv_id) == ("Paper 1", "paper-1", "2001.00001")
    assert one.authors == ("Ada", "Émile")
    assert one.venue == "NeurIPS 2020 12"
    assert one.extra == {"conference_url_abs": "http://papers.nips.cc/1"}
    assert one.licence == LICENCE
    assert [t.name for t in store.tasks.of_paper(one.id)] == ["Image Classification"]
    assert [m.name for m in store.methods.of_paper(one.id)] == ["SGD"]
    assert store.search("abstract")[0].title == "Paper 1"


def test_bad_papers_are_set_aside(store, tmp_path):
    records = [paper(1, title=None), paper(2, authors="Ada"), paper(3, authors=[1]), paper(4),
               paper(5, abstract=["x"]), paper(6, paper_url="javascript:alert(1)"), [],
               paper(7, tasks={})]  # fmt: skip
    report = import_file(store, write(tmp_path, "papers-with-abstracts", records))
    assert [p.title for p in store.papers.all()] == ["Paper 4"]
    assert reasons(store, report) == {
        "$[0]": "title is missing",
        "$[1]": "authors is text, not a list",
        "$[2]": "authors holds something other than names",
        "$[4]": "abstract is a list, not text",
        "$[5]": "paper_url is no web address",
        "$[6]": "the record is a list, not an object",
        "$[7]": "tasks is an object, not a list",
    }


def test_half_characters_in_a_tag_undo_the_paper_only(store, tmp_path):
    records = [paper(1, tasks=["New task", "\ud800"]), paper(2, tasks=["New task"])]
    path = tmp_path / "papers-with-abstracts.json"
    path.write_text(json.dumps(records))
    report = import_file(store, path)
    titles = [p.title for p in store.papers.all()]
    assert "Paper 2" in titles
    assert len(titles) + report.record.quarantined == 2
    tagged = store.papers.get("paper-2")
    assert [t.name for t in store.tasks.of_paper(tagged.id)] == ["New task"]


def test_a_newer_file_updates_with_history(store, tmp_path):
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper(1), paper(2)]))
    newer = [paper(1, proceeding="JMLR"), paper(2), paper(3)]
    report = import_file(store, write(tmp_path, "papers-with-abstracts", newer, packed=False))
    r = report.record
    assert (r.added, r.updated, r.unchanged) == (1, 1, 1)
    one = store.papers.get("paper-1")
    assert one.venue == "JMLR"
    [line] = [x for x in store.papers.history(one.id) if x.action == "update"]
    assert line.old == {"venue": "NeurIPS 2020 12"}
    assert line.note == f"import {r.id}"


def test_the_seed_keeps_what_it_says_and_gets_what_it_lacks(own, tmp_path):
    record = paper(1, arxiv_id="2109.01903", title="ROBUST FINE-TUNING", abstract="theirs",
                   paper_url="https://paperswithcode.com/paper/robust")  # fmt: skip
    import_file(own, write(tmp_path, "papers-with-abstracts", [record]))
    one = own.papers.match(arxiv="2109.01903")
    assert one.title == "Robust fine-tuning of zero-shot models"
    assert one.abstract == "theirs"
    assert one.extra["summary"].startswith("Fine-tuning a zero-shot model")
    assert one.licence == "Apache-2.0 AND CC-BY-SA-4.0"
    assert one.archive_url == "https://paperswithcode.com/paper/robust"


def test_an_arxiv_number_given_twice_stays_with_the_first(store, tmp_path):
    records = [paper(1), paper(2, arxiv_id="2001.00001")]
    report = import_file(store, write(tmp_path, "papers-with-abstracts", records))
    assert report.record.quarantined == 0
    first, second = store.papers.all()
    assert first.arxiv_id == "2001.00001"
    assert second.arxiv_id is None
    assert second.extra["arxiv_id"] == "2001.00001"
    again = import_file(
        store, write(tmp_path, "papers-with-abstracts", [*records, paper(3)], packed=False)
    )
    assert (again.record.added, again.record.unchanged) == (1, 2)


def test_odd_dates_are_kept_beside(store, tmp_path):
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper(1, date="spring 2020")]))
    [one] = store.papers.all()
    assert one.date == ""
    assert one.extra["date"] == "spring 2020"


def test_results_find_a_paper_that_comes_later(store, tmp_path):
    rows = [row(paper_url="https://paperswithcode.com/paper/paper-1", paper_title="Paper 1")]
    import_file(store, write(tmp_path, "evaluation-tables", [table(rows)]))
    assert store.entries.all()[0].paper_id is None
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper()]))
    assert store.entries.all()[0].paper_id == 1


def link(**changes):
    return {
        "paper_url": "https://paperswithcode.com/paper/paper-1",
        "paper_title": "Paper 1",
        "paper_arxiv_id": "2001.00001",
        "paper_url_abs": "https://arxiv.org/abs/2001.00001v1",
        "paper_url_pdf": "https://arxiv.org/pdf/2001.00001v1.pdf",
        "repo_url": "https://github.com/ada/code",
        "is_official": True,
        "mentioned_in_paper": False,
        "mentioned_in_github": True,
        "framework": "pytorch",
        **changes,
    }


@pytest.mark.parametrize("papers_first", [True, False])
def test_links_in_either_order(store, tmp_path, papers_first):
    links = [link(), link(repo_url="https://github.com/b/c", is_official=None), link()]
    files = [
        write(tmp_path, "links-between-papers-and-code", links),
        write(tmp_path, "papers-with-abstracts", [paper()]),
    ]
    for file in reversed(files) if papers_first else files:
        import_file(store, file)
    [one] = store.papers.all()
    assert one.abstract == "An abstract."
    found = store.code.of(paper_id=one.id)
    assert [(c.url, c.official) for c in found] == [
        ("https://github.com/ada/code", True),
        ("https://github.com/b/c", None),
    ]
    assert found[0].extra == {"mentioned_in_github": True, "mentioned_in_paper": False}


def test_links_that_lead_nowhere_are_set_aside(store, tmp_path):
    records = [link(repo_url=None), link(repo_url="javascript:alert(1)"), link(is_official="y"),
               link(paper_url=None, paper_arxiv_id=None, paper_title=None)]  # fmt: skip
    report = import_file(store, write(tmp_path, "links-between-papers-and-code", records))
    assert list(reasons(store, report).values()) == [
        "repo_url is missing",
        "repo_url is no web address",
        "is_official is text, not true, false or null",
        "paper_title is missing",
    ]


# data sets, methods


def dataset(**changes):
    return {
        "url": "https://paperswithcode.com/dataset/birds",
        "name": "Birds",
        "full_name": "Many Birds",
        "homepage": "https://birds.example",
        "description": "Pictures of birds.",
        "short_description": "Birds.",
        "parent_dataset": None,
        "paper": {"title": "Paper 1", "url": "https://paperswithcode.com/paper/paper-1"},
        "introduced_date": "2011-01-01",
        "license_name": "Custom",
        "license_url": None,
        "modalities": ["Images"],
        "tasks": [{"task": "Image Classification", "url": "https://x"}],
        "languages": [],
        "variants": ["Birds-200"],
        "num_papers": 1000,
        **changes,
    }


def test_data_sets(store, tmp_path):
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper()]))
    twin = dataset(url="https://paperswithcode.com/dataset/birds-1", description="Others.")
    records = [dataset(), twin, dataset(name=None), dataset(url="x", name="y")]
    report = import_file(store, write(tmp_path, "datasets", records))
    first, second = store.datasets.all()
    assert (first.name, first.slug, first.licence_name) == ("Birds", "birds", "Custom")
    assert first.paper_id == 1
    assert first.extra["variants"] == ["Birds-200"]
    assert (second.name, second.slug) == ("Birds", "birds-1")
    assert [t.name for t in store.tasks.of_dataset(first.id)] == ["Image Classification"]
    assert report.record.quarantined == 2


def method(**changes):
    return {
        "url": "https://paperswithcode.com/method/sgd",
        "name": "SGD",
        "full_name": "Stochastic Gradient Descent",
        "description": "Steps along a noisy gradient.",
        "paper": None,
        "introduced_year": 1951,
        "source_url": None,
        "source_title": None,
        "code_snippet_url": None,
        "num_papers": 10,
        "collections": [{"collection": "Optimization", "area": "General", "area_id": "g"}],
        **changes,
    }


def test_methods_without_their_advertisements(own, tmp_path):
    records = [
        method(),
        method(name="Call +1-(888)-829-0881 now", url="https://x/1"),
        method(name="\u260eHelp desk", url="https://x/2"),
        method(full_name="Airline refunds 1.888.829.0881", url="https://x/3"),
        method(name="wise-ft", full_name="", url="https://x/4", description="theirs"),
    ]
    before = own.methods.count()
    report = import_file(own, write(tmp_path, "methods", records))
    assert report.record.quarantined == 3
    assert set(report.reasons) == {
        "spam: a telephone number in its name",
        "spam: a telephone in its name",
    }
    assert own.methods.count() == before + 1
    assert own.methods.get("sgd").introduced == 1951
    kept = own.methods.get("wise-ft")
    assert kept.archive_url == "https://x/4"
    assert kept.description != "theirs"


@pytest.mark.parametrize(
    "name",
    ["ResNet-50", "ViT-L/14@336", "1x1 Convolution", "GPT-4 (2023)", "2109.01903", "DDPM 1000"],
)
def test_names_of_methods_are_not_spam(name):
    assert looks_like_spam(name) == ""


# files


def test_a_file_that_breaks_off_keeps_what_came_before(store, tmp_path):
    rng = random.Random(0)
    papers = [paper(i, abstract=rng.randbytes(1000).hex()) for i in range(400)]
    whole = gzip.compress(json.dumps(papers).encode())
    path = tmp_path / "papers-with-abstracts.json.gz"
    path.write_bytes(whole[: len(whole) // 2])
    report = import_file(store, path)
    assert report.problem.startswith("after ")
    assert not report.record.complete
    assert 0 < store.papers.count() < 400
    assert "stopped early" in report.text()
    again = import_file(store, path)
    assert not again.skipped
    assert again.record.id == report.record.id
    assert again.record.unchanged == store.papers.count()


def test_broken_json_says_where(store, tmp_path):
    path = tmp_path / "methods.json"
    path.write_text(json.dumps([method()])[:-1] + ", {]")
    report = import_file(store, path)
    assert report.problem.startswith("after 1 records")
    assert store.methods.count() == 1


def test_the_first_record_tells_the_kind(store, tmp_path):
    records = {
        "papers-with-abstracts": paper(),
        "links-between-papers-and-code": link(),
        "evaluation-tables": table([row()]),
        "datasets": dataset(),
        "methods": method(),
    }
    for kind, record in records.items():
        report = import_file(store, write(tmp_path, kind, [record], name=f"x-{kind}.bin"))
        assert report.record.kind == kind
        assert report.record.quarantined == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1}', "not with a JSON list"),
        (b"", "not with a JSON list"),
        (b"[1]", "cannot be told from its name or first record"),
        (b"[]", "cannot be told from its name or first record"),
        (b"[{]", "cannot be read as JSON"),
    ],
)
def test_other_files_are_refused(store, tmp_path, text, message):
    path = tmp_path / "mine.json"
    path.write_bytes(text)
    with pytest.raises(BoardError, match=message):
        import_file(store, path)
    assert store.imports.all(deleted=True) == []


def test_a_missing_file_and_a_wrong_kind_are_named(store, tmp_path):
    with pytest.raises(BoardError, match="there is no file"):
        import_file(store, tmp_path / "none.json.gz")
    path = write(tmp_path, "methods", [method()])
    with pytest.raises(BoardError, match="'spells' is no kind of archive file"):
        import_file(store, path, kind="spells")


def test_without_ijson_the_message_says_what_to_install(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ijson", None)
    with pytest.raises(MissingDependency, match="ijson") as caught:
        import_file(store, write(tmp_path, "methods", [method()]))
    assert "pip install" in str(caught.value)


def test_progress_is_told(store, tmp_path):
    seen = []
    records = [paper(i) for i in range(5001)]
    path = write(tmp_path, "papers-with-abstracts", records)
    import_file(store, path, progress=lambda n, read: seen.append((n, read)))
    assert seen == [(5000, path.stat().st_size)]


def test_bulk_rows_share_one_line_of_history(store, tmp_path):
    import_file(store, write(tmp_path, "papers-with-abstracts", [paper(i) for i in range(20)]))
    actions = [r.action for r in store.history() if r.action != "migrate"]
    assert actions == ["import", "import"]  # begun, finished
    store.papers.update(1, venue="later")
    assert store.history()[0].action == "update"


def test_a_rolled_back_batch_leaves_no_rows(tmp_path, monkeypatch):
    path = write(tmp_path, "papers-with-abstracts", [paper(i) for i in range(10)])
    with Store.open(tmp_path / "b.db", create=True) as store:

        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("surefoot.board.archive.handlers.PaperHandler._tag", interrupt)
        with pytest.raises(KeyboardInterrupt):
            import_file(store, path)
        assert store.papers.count() == 0
        monkeypatch.undo()
        report = import_file(store, path)
        assert (report.record.added, store.papers.count()) == (10, 10)


def test_the_eight_fields():
    assert set(FIELDS) == set(row())


def test_a_row_of_ours_that_the_archive_fills_is_under_both_licences(own, tmp_path):
    ours = own.papers.match(arxiv="2109.01903")
    same = paper(1, arxiv_id="2109.01903", title=ours.title, abstract="The archive's abstract.")
    import_file(own, write(tmp_path, "papers-with-abstracts", [same]))
    filled = own.papers.by_id(ours.id)
    assert filled.abstract == same["abstract"]
    assert filled.extra["summary"] == ours.abstract
    assert filled.archive_url == same["paper_url"]
    assert filled.licence == "Apache-2.0 AND CC-BY-SA-4.0"
    import_file(
        own, write(tmp_path, "papers-with-abstracts", [{**same, "date": None}], name="x.json.gz")
    )
    assert own.papers.by_id(ours.id).licence == filled.licence
    changed = [h.old["licence"] for h in own.papers.history(ours.id) if "licence" in (h.old or {})]
    assert changed == ["Apache-2.0"]


@pytest.mark.parametrize(
    ("own_one", "theirs", "both"),
    [
        ("", "B", "B"),
        ("A", "", "A"),
        ("A", "B", "A AND B"),
        ("A AND B", "B", "A AND B"),
        ("B", "B", "B"),
    ],
)
def test_licences_are_joined(own_one, theirs, both):
    assert joined(own_one, theirs) == both
