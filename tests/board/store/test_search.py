"""Full-text search."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surefoot.board import Entry, Paper, Source
from surefoot.board.store.search_index import KINDS, schema


def kinds(hits):
    return [(h.kind, h.title) for h in hits]


def test_finds_every_kind(seeded):
    assert ("paper", "Robust fine-tuning of zero-shot models") in kinds(
        seeded.search("robust fine tuning zero shot")
    )
    assert ("task", "Image Classification") in kinds(seeded.search("image class"))
    assert ("dataset", "ObjectNet") in kinds(seeded.search("objectnet"))
    assert ("method", "WiSE-FT") in kinds(seeded.search("weight-space ensembles"))
    model = next(h for h in seeded.search("wise-ft basic-l", kinds=["model"]))
    assert model.title == "WiSE-FT"
    assert seeded.boards.get(model.slug).metrics


def test_the_last_word_may_be_a_beginning_and_accents_do_not_matter(store):
    store.papers.add(Paper("Über Générateurs"))
    assert kinds(store.search("uber gener")) == [("paper", "Über Générateurs")]
    assert kinds(store.search("u\u0308ber")) == [("paper", "Über Générateurs")]
    assert store.search("ub generateurs") == []


def test_a_name_weighs_more_than_a_description(store):
    store.papers.add(Paper("Other", abstract="wise " * 3))
    store.papers.add(Paper("Wise"))
    assert [h.title for h in store.search("wise")] == ["Wise", "Other"]


def test_changes_are_found_at_once(store):
    paper = store.papers.add(Paper("first"))
    store.papers.update(paper.id, title="second")
    assert store.search("first") == []
    assert kinds(store.search("second")) == [("paper", "second")]
    assert tokens(store) == tokens(store, rebuilt=True)


def tokens(store, rebuilt=False):
    """Every word of the index with its place; of one that is made anew from the views."""
    db = store.db.connection
    if rebuilt:
        db.execute("INSERT INTO search_fts (search_fts) VALUES ('delete-all')")
        fill = schema().split("INSERT INTO search_fts")[-len(KINDS) :]
        db.executescript("".join(f"INSERT INTO search_fts{one}" for one in fill))
    db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search_fts, instance)")
    found = sorted(map(tuple, db.execute("SELECT * FROM temp.words")))
    db.execute("DROP TABLE temp.words")
    return found


def test_the_index_follows_every_change(own):
    paper = own.papers.match(arxiv="2109.01903")
    own.papers.update(paper.id, title="Roman wall", abstract="bricks")
    task = own.tasks.get("Image Classification")
    own.tasks.update(task.id, name="Naming pictures")
    data = own.datasets.get("ObjectNet")
    own.datasets.update(data.id, name="ThingNet", full_name="")
    method = own.methods.get("wise-ft")
    own.methods.update(method.id, description="")
    row = own.entries.of(method_id=method.id)[0]
    own.entries.update(row.id, model_name="Averaged", setting="")
    own.boards.update(row.board_id, split="third")
    assert ("board", "Naming pictures on ThingNet") in kinds(own.search("naming thingnet"))
    assert "ObjectNet" not in {h.title for h in own.search("objectnet")}
    own.entries.delete(row.id, why="a test")
    assert own.search("averaged") == []
    before = tokens(own)
    assert before == tokens(own, rebuilt=True)
    assert len(before) > 1000


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("wiseft", ("method", "WiSE-FT")),
        ("WISE FT", ("method", "WiSE-FT")),
        ("lpft", ("method", "LP-FT")),
        ("imagenet", ("dataset", "ImageNet")),
        ("objectnet", ("dataset", "ObjectNet")),
        ("image classification", ("task", "Image Classification")),
        ("2109.01903", ("paper", "Robust fine-tuning of zero-shot models")),
        ("arXiv:2109.01903v3", ("paper", "Robust fine-tuning of zero-shot models")),
        ("https://arxiv.org/abs/2109.01903", ("paper", "Robust fine-tuning of zero-shot models")),
    ],
)
def test_the_very_name_is_the_first_hit_however_it_is_written(seeded, query, first):
    assert kinds(seeded.search(query))[0] == first


def test_boards_are_found_by_task_and_data_set(seeded):
    hits = seeded.search("classification objectnet", kinds=["board"])
    assert hits[0].title == "Image Classification on ObjectNet"
    assert all("objectnet" in h.title.lower() for h in hits if h.score == 0)
    assert seeded.boards.get(hits[0].slug).id == hits[0].id


def test_a_single_letter_is_a_word_and_no_beginning(seeded):
    assert "ImageNet-A" in {h.title for h in seeded.search("a")}
    assert "Image Classification" not in {h.title for h in seeded.search("i")}


def test_models_are_listed_once_with_their_data_sets(store):
    task = store.tasks.ensure("T")
    for i, name in enumerate("DDEFGG"):
        board = store.boards.ensure(task.id, store.datasets.ensure(name).id)
        source = Source("paper", row=str(i))
        store.entries.add(Entry(board.id, "published", "ViT", source, backbone="B/16"))
    other = Entry(board.id, "published", "ViT", Source("paper", row="x"))
    store.entries.add(other)
    found = {h.excerpt for h in store.search("vit", kinds=["model"])}
    assert found == {"B/16 · on D, E, F and 1 more", "on G"}


def test_nothing_to_look_for_finds_nothing(seeded):
    assert seeded.search("") == []
    assert seeded.search('"*()^-:') == []
    assert len(seeded.search("a", limit=3)) <= 15


@given(query=st.text(st.characters(), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_is_syntax(seeded, query):
    hits = seeded.search(query)
    assert all(h.kind in KINDS for h in hits)


def test_of_very_many_those_with_the_words_in_their_titles_come_first(store, monkeypatch):
    monkeypatch.setattr("surefoot.board.store.search._MANY", 5)
    with store.transaction():
        for i in range(20):
            store.papers.add(Paper(f"other {i}", abstract="about learning"))
        store.papers.add(Paper("On learning", abstract="short"))
    hits = store.search("learning", limit=3)
    assert hits[0].title == "On learning"
    assert len(hits) == 3
    assert len({h.id for h in hits}) == 3
    assert len(store.search("learn", limit=50)) <= 6
